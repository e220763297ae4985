// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The site with the component in a chain, behind xdp-filter, and with the kernel's tunnel devices
// at the web servers.

#include "tests/net/fixture.h"

namespace xdplb::test {

struct ChainedSite {
  ChainedSite(const std::string& mode, const std::string& ifnames);
  Site site{{}};
  Loader loader{site.balancer};
};

}  // namespace xdplb::test
