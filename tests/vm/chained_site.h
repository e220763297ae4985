// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The kernel's tunnel devices at a site's web servers; and a site that has them, with the component
// in a chain, behind xdp-filter.

#include "tests/net/fixture.h"

namespace xdplb::test {

void open_tunnels(const Site& site);

struct ChainedSite {
  ChainedSite(const std::string& mode, const std::string& ifnames);
  Site site{{}};
  Loader loader{site.balancer};
};

}  // namespace xdplb::test
