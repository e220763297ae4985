// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Routing daemons with the package's examples.

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "tests/support/host.h"

namespace xdplb::test {

// As a test's precondition: these files are there.
struct Installed {
  Words files;
  boost::test_tools::assertion_result operator()(boost::unit_test::test_unit_id id) const;
};

// On a site's first network, of AS 64513.
struct BgpNode {
  std::string v4, v6;
};

inline const BgpNode balancer_node{"10.2.0.11", "fd00:2::11"};

// The example, as a file, for the node.
std::string example(const std::string& name, const BgpNode& node);

pid_t start_bird(Host& host, const std::string& file);
// BIRD that takes what these nodes announce, over all of them.
void start_bgp_router(Host& router, const std::vector<BgpNode>& nodes);
// BIRD that announces addresses, of one family each, for others that have no daemon: their routers'
// neighbour.
struct Spoken {
  std::string vip, by;
};
pid_t start_route_server(Host& host, const std::vector<Spoken>& all);

}  // namespace xdplb::test
