// SPDX-License-Identifier: GPL-2.0-only
// Four servers that balance and serve, on two networks, in modes with an outer header, which the
// kernel takes off; each behind its own xdp-filter. Two announce the VIP by BGP, and the others
// have static routes, for when those don't.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/distributed.h"
#include "tests/vm/chained_site.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

struct FarApart : Distributed {
  FarApart(const Words& kind, const std::string& second, const std::vector<int>& servers)
      : Distributed(kind[1] == "ipv4", "--forward " + kind[0] + " --second-chance " + second, 4,
                    servers, open_tunnels) {}
};

BOOST_AUTO_TEST_SUITE(nodes_far_apart)

void come_and_go(const Words& kind) {
  FarApart site(kind, "on", {1, 2, 4});
  site.route({3, 4});
  site.survive();
  site.start_daemons({1, 2});
  auto web1 = site.announce(1);
  site.survive_announced(1);
  const auto web2 = site.announce(2);
  site.survive_announced(2);

  site.each("backend add " + site.id() + " " + site.address(3), [&] { site.survive(); });
  BOOST_TEST(site.farm().renew(site.all() / 2).open("web3") > 0);
  site.stop(1, web1);
  site.survive_announced(1);
  web1 = site.announce(1);
  site.survive_announced(2);

  // While connections of the drain's time have their exceptions at one of the nodes alone.
  site.each("backend drain " + site.id() + " " + site.address(2), [&] { site.survive(); });
  site.farm().renew(site.all() / 2);
  site.stop(2, web2);
  site.survive_announced(1);
  BOOST_TEST(site.farm().renew(site.all()).open("web2") == 0);
  site.each("backend del --now " + site.id() + " " + site.address(2), [&] { site.survive(); });
  site.leave(2);
  site.survive();
  site.stop(1, web1);
  site.survive_announced(0);

  site.site().webs[3].ip({"link set eth0 down"});
  site.route({3});
  site.each("backend down " + site.id() + " " + site.address(4));
  const auto report = site.farm().exchange();
  BOOST_TEST(report.broken("web4") > 0);
  BOOST_TEST(report.broken() == report.broken("web4"), report.text());
}

BOOST_AUTO_TEST_CASE(come_and_go_in_ipip) { come_and_go({"ipip", "ipv4"}); }

BOOST_AUTO_TEST_CASE(come_and_go_in_gue) { come_and_go({"gue", "ipv6"}); }

BOOST_DATA_TEST_CASE(without_second_chances_some_break, data::make(Words{"ipip", "gue"}), forward) {
  FarApart site({forward, "ipv4"}, "off", {1, 2, 3, 4});
  const auto report = site.after_other_routes(4, {3, 1});
  BOOST_TEST(report.broken() > 0);
  BOOST_TEST(report.broken("web4") == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
