// SPDX-License-Identifier: GPL-2.0-only
// Four servers that balance and serve, on two networks, in modes with an outer header, which the
// kernel takes off; each behind its own xdp-filter.
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
                    {1, 2, 3, 4}, open_tunnels) {}
};

BOOST_AUTO_TEST_SUITE(nodes_far_apart)

BOOST_DATA_TEST_CASE(come_and_go, data::make(Words{"ipip", "gue"}) * data::make(families), forward,
                     family) {
  FarApart site(forward, family, "on");
  for (const auto& routed : {std::vector{1, 2, 3}, {4}, {2, 3, 1, 4}}) {
    site.route(routed);
    site.survive();
  }
  const auto report = site.after_other_routes(4, {3, 1});
  BOOST_TEST(report.open() == site.all(), report.broken() << " broke:" << report.text());
  site.route({1});
  site.survive();
  BOOST_TEST(site.farm().renew(site.all()).open("web4") == 0);
  site.each("backend del --now " + site.id() + " " + site.address(4), [&] { site.survive(); });
  site.each("backend add " + site.id() + " " + site.address(4), [&] { site.survive(); });
  BOOST_TEST(site.farm().renew(site.all() / 2).open("web4") > 0);
  site.route({4, 2, 1});
  site.survive();
}

BOOST_DATA_TEST_CASE(without_second_chances_some_break, data::make(Words{"ipip", "gue"}), forward) {
  FarApart site(forward, "ipv4", "off");
  const auto report = site.after_other_routes(4, {3, 1});
  BOOST_TEST(report.broken() > 0);
  BOOST_TEST(report.broken("web4") == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
