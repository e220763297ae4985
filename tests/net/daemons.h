// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Routing daemons with the package's examples.

#include <string>

#include "tests/support/host.h"

namespace xdplb::test {

// The example, as a file, for a node at these addresses of a site's first network.
std::string example(const std::string& name, const std::string& v4, const std::string& v6);

void start_bird(Host& host, const std::string& file);

}  // namespace xdplb::test
