// SPDX-License-Identifier: GPL-2.0-only
// Three servers that balance and serve.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/daemons.h"
#include "tests/net/distributed.h"
#include "tests/net/tap.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(nodes)

// While no slot has changed, any node knows where a connection belongs.
BOOST_DATA_TEST_CASE(come_and_go_unseen, data::make(families), family) {
  Distributed site(family == "ipv4", "--second-chance off", 3, {1, 2, 3});
  for (const auto& routed : {std::vector{1, 2, 3}, {1, 2}, {3}, {2, 3, 1}}) {
    site.route(routed);
    site.survive();
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_dies_takes_its_own_along) {
  Distributed site(true, "--second-chance on", 3, {1, 2, 3});
  site.site().webs[2].ip({"link set eth0 down"});
  site.route({1, 2});
  site.each("backend down " + site.id() + " " + site.address(3));
  const auto report = site.farm().exchange();
  BOOST_TEST(report.broken() > 0);
  BOOST_TEST(report.broken() == report.broken("web3"), report.text());
  BOOST_TEST(report.open("web3") == 0);
  BOOST_TEST(report.failed(report.since) == 0, report.text());
}

// Each node has the change at another time.
BOOST_DATA_TEST_CASE(a_server_comes_in_a_rolling_change, data::make(families), family) {
  Distributed site(family == "ipv4", "--second-chance on", 3, {1, 2});
  site.each("backend add " + site.id() + " " + site.address(3), [&] { site.survive(); });
  site.route({1, 2, 3});
  site.survive();
  BOOST_TEST(site.farm().renew(site.all() / 2).open("web3") > 0);
  site.route({3, 1});
  site.survive();
}

BOOST_AUTO_TEST_CASE(a_server_drains_and_goes) {
  Distributed site(true, "--second-chance on", 3, {1, 2, 3});
  site.each("backend drain " + site.id() + " " + site.address(3), [&] { site.survive(); });
  site.route({1, 2});
  site.survive();
  BOOST_TEST(site.farm().renew(site.all()).open("web3") == 0);
  site.each("backend del --now " + site.id() + " " + site.address(3), [&] { site.survive(); });
}

// A switch that knows no station's place sends each frame to all: nodes see what is for others.
BOOST_DATA_TEST_CASE(what_is_for_others, data::make(families), family) {
  Distributed site(family == "ipv4", "--second-chance on", 3, {1, 2, 3});
  site.seclude();
  auto& router = site.site().router;
  router.ip("link set lan0 type bridge ageing_time 0");
  const auto to_vip = to_address(ServiceId::parse(site.id()).vip);
  Tap came(router, "wan", to_vip), seen(router, "lb0", to_vip);
  site.survive();
  site.after_other_routes(3, {2, 3});
  site.survive();
  const auto once = came.count(), in_all = seen.count();
  BOOST_TEST(once > 0U);
  BOOST_TEST(in_all > once);
  BOOST_TEST(in_all < 2 * once);
}

// Two servers announce the VIP by BGP, and the third has a static route, for when they don't.
BOOST_TEST_DECORATOR(*boost::unit_test::precondition(Installed{{"/usr/sbin/bird"}}))
BOOST_AUTO_TEST_CASE(announced_and_withdrawn) {
  Distributed site(true, "--second-chance on", 3, {1, 2, 3});
  site.route({3});
  site.survive();
  site.start_daemons({1, 2});
  const auto web1 = site.announce(1);
  site.survive_announced(1);
  auto web2 = site.announce(2);
  site.survive_announced(2);
  site.each("backend drain " + site.id() + " " + site.address(1), [&] { site.survive(); });
  site.farm().renew(site.all() / 2);
  site.stop(1, web1);
  site.survive_announced(1);
  site.stop(2, web2);
  site.survive_announced(0);
  web2 = site.announce(2);
  site.survive_announced(1);
  // Web1 has withdrawn; when its connections have ended, it goes.
  BOOST_TEST(site.farm().renew(site.all()).open("web1") == 0);
  site.each("backend del --now " + site.id() + " " + site.address(1), [&] { site.survive(); });
  site.leave(1);
  site.survive();
}

BOOST_DATA_TEST_CASE(routes_change_in_an_epoch, data::make(families), family) {
  Distributed site(family == "ipv4", "--second-chance on", 3, {1, 2, 3});
  const auto report = site.after_other_routes(3, {2, 3});
  BOOST_TEST(report.open() == site.all(), report.broken() << " broke:" << report.text());
  site.route({1});
  site.survive();
}

BOOST_AUTO_TEST_CASE(without_second_chances_some_break) {
  Distributed site(true, "--second-chance off", 3, {1, 2, 3});
  const auto report = site.after_other_routes(3, {2, 3});
  BOOST_TEST(report.broken() > 0);
  BOOST_TEST(report.broken("web3") == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
