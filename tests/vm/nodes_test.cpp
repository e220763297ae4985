// SPDX-License-Identifier: GPL-2.0-only
// Four servers that balance and serve, on two networks, in modes with an outer header, which the
// kernel takes off; each behind its own xdp-filter. Two announce the VIP by BGP; for the others,
// which have static routes for when nobody does, a route server announces it, so that the router
// spreads it over all.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/distributed.h"
#include "tests/vm/chained_site.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

struct FarApart : Distributed {
  FarApart(const std::string& forward, const std::string& family, const std::string& second)
      : Distributed(family == "ipv4", "--forward " + forward + " --second-chance " + second, 4,
                    {1, 2, 4}, open_tunnels) {}
};

BOOST_AUTO_TEST_SUITE(nodes_far_apart)

void change(FarApart& site) {
  site.route({3, 4});
  site.survive();
  site.start_daemons({1, 2});
  const auto others = site.speak_for({3, 4});
  site.survive_announced(2);
  auto web1 = site.announce(1);
  site.survive_announced(3);
  const auto web2 = site.announce(2);
  site.survive_announced(4);

  site.each("backend add " + site.id() + " " + site.address(3), [&] { site.survive(); });
  BOOST_TEST(site.farm().renew(site.all() / 2).open("web3") > 0);
  site.stop(1, web1);
  site.survive_announced(3);
  web1 = site.announce(1);
  site.survive_announced(4);

  // While connections of the drain's time have their exceptions at one of the nodes alone.
  site.each("backend drain " + site.id() + " " + site.address(2), [&] { site.survive(); });
  site.farm().renew(site.all() / 2);
  site.stop(2, web2);
  site.survive_announced(3);
  BOOST_TEST(site.farm().renew(site.all()).open("web2") == 0);
  site.each("backend del --now " + site.id() + " " + site.address(2), [&] { site.survive(); });
  site.leave(2);
  site.survive();
  site.silence(others);
  site.survive_announced(1);
  site.stop(1, web1);
  site.survive_announced(0);
}

BOOST_DATA_TEST_CASE(come_and_go, data::make(Words{"ipip", "gue"}) * data::make(families), forward,
                     family) {
  FarApart site(forward, family, "on");
  change(site);
  site.site().webs[3].ip({"link set eth0 down"});
  site.route({3});
  site.each("backend down " + site.id() + " " + site.address(4));
  const auto report = site.farm().exchange();
  BOOST_TEST(report.broken("web4") > 0);
  BOOST_TEST(report.broken() == report.broken("web4"), report.text());
  BOOST_TEST(report.failed(report.since) == 0, report.text());
}

BOOST_DATA_TEST_CASE(without_second_chances_some_break, data::make(Words{"ipip", "gue"}), forward) {
  FarApart site(forward, "ipv4", "off");
  site.tolerate_losses();
  change(site);
  BOOST_TEST_MESSAGE(site.losses() << " broke");
  BOOST_TEST(site.losses() > 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
