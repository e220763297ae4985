// SPDX-License-Identifier: GPL-2.0-only
// UDP through the balancer: a service of one port, and one of any.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/datagrams.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(udp)

BOOST_DATA_TEST_CASE(every_flow_reaches_the_backend_of_the_model,
                     data::make(modes) * data::make(families), mode, family) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  serve_udp(site);
  const bool v4 = family == "ipv4";
  TestService one_port(loader, vip(10, v4) + ":53/udp");
  TestService any_port(loader, vip(11, v4) + ":0/udp");
  one_port.add({1, 2, 3});
  any_port.add({3, 2});
  Flows flows(v4);
  check_questions(site, one_port, flows, counts(2000, 20000));
  check_questions(site, any_port, flows, counts(2000, 20000));
  BOOST_TEST(loader.dropped() == 0U);
}

// Port 0 takes what no other service of the VIP has.
BOOST_AUTO_TEST_CASE(a_port_of_its_own_comes_before_any_port) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  serve_udp(site);
  TestService any_port(loader, vip(10) + ":0/udp");
  TestService one_port(loader, vip(10) + ":53/udp");
  TestService web_port(loader, vip(10) + ":80/tcp");
  any_port.add({1});
  one_port.add({2});
  web_port.add({3});
  const Inside here(site.client);
  const auto ask = [](std::uint16_t port) {
    return udp_ask(endpoint("10.1.0.2", 0), endpoint("192.0.2.10", port), "?");
  };
  BOOST_TEST(ask(53) == "web2 ?");
  BOOST_TEST(ask(443) == "web1 ?");
  BOOST_TEST(split(http_get(endpoint("10.1.0.2", 0), web_port.endpoint()).body)[0] == "web3");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
