// SPDX-License-Identifier: GPL-2.0-only
// backend-setup: what it prints makes a backend of a host that was none, by real connections.
// Modes with an outer header need devices that only tests/vm has for certain.
#include <sys/socket.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/bare.h"
#include "tests/net/cli_fixture.h"
#include "tests/net/forwarding.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

bool answers(const Site& site, const TestService& service, Flows& flows) {
  try {
    return site.get(flows.next(), service.endpoint()).status == 200;
  } catch (const std::exception&) {
    return false;
  }
}

// The router asks for the VIP's link address where the backends are: there is nobody who has it.
void check_hidden(const Site& site, const TestService& service) {
  const auto vip = service.vip().to_string();
  site.router.ip("route add " + vip + " dev lan0");
  const Inside here(site.router);
  const auto socket = bound_socket({Address::parse("10.2.0.1"), 0}, SOCK_STREAM | SOCK_NONBLOCK);
  BOOST_CHECK_THROW(connect_socket(socket, service.endpoint()), std::exception);
  BOOST_TEST(wait_until(
      [&] {
        const auto said = site.router.require(split("ip neighbour show dev lan0 to " + vip));
        return said.find("FAILED") != std::string::npos;
      },
      10));
}

BOOST_AUTO_TEST_SUITE(setup)

BOOST_DATA_TEST_CASE(a_bare_host_becomes_a_backend,
                     data::make(Words{"l2", "nat"}) * data::make(families), forward, family) {
  Balanced balanced("native", "eth0 eth1");
  auto& [site, loader] = balanced;
  make_bare(site);
  TestService service(loader, vip(10, family == "ipv4") + ":80/tcp", "--forward " + forward);
  for (const int number : {1, 2, 4}) service.add(member_of(service, forward, number, 8080));
  Flows flows(service.is_v4());
  BOOST_TEST(!answers(site, service, flows));
  for (const int number : {1, 2, 4}) set_up(site, loader, service, number);
  BOOST_TEST(check_connections(site, service, flows, 100).size() == 3U);
  BOOST_TEST(loader.dropped() == 0U);
  if (forward == "l2" && service.is_v4()) check_hidden(site, service);
}

BOOST_AUTO_TEST_CASE(what_is_printed) {
  Machine machine;
  machine.load_with_services();
  const std::string service = "192.0.2.10:80/tcp";
  machine.host.ip("route add 172.16.0.0/24 via 10.0.0.9");
  auto said = machine.run("backend-setup " + service).out;
  BOOST_TEST(said.starts_with("# Backend 10.0.0.2, 10.0.0.3, mode l2: "), said);
  machine.loader.require("backend set " + service + " 10.0.0.3 --forward gre");
  said = machine.run("backend-setup " + service).out;
  BOOST_TEST(said.find("# Backend 10.0.0.2, mode l2: ") != std::string::npos, said);
  BOOST_TEST(said.find("# Backend 10.0.0.3, mode gre: ") != std::string::npos, said);
  BOOST_TEST(said.find("advmss 1436") != std::string::npos, said);
  const auto json = machine.loader.json("backend-setup " + service + " 10.0.0.3");
  BOOST_TEST(json.at(0).at("mss") == 1436);

  // One that isn't there yet, in the service's mode.
  machine.loader.require("service set " + service + " --gue-port 7000");
  machine.loader.require("backend set " + service + " 10.0.0.2 --forward gue");
  BOOST_TEST(machine.run("backend-setup " + service + " 10.0.0.2").out.find("add port 7000 gue") !=
             std::string::npos);
  said = machine.run("backend-setup " + service + " 10.0.0.7").out;
  BOOST_TEST(said.starts_with("# Backend 10.0.0.7, mode l2: "), said);

  machine.loader.require("service add 192.0.2.11:80/tcp --forward nat");
  said = machine.run("backend-setup 192.0.2.11:80/tcp 10.0.0.2:8080").out;
  BOOST_TEST(said.find("via 10.0.0.1 table 100") != std::string::npos, said);
  BOOST_TEST(said.find("sport 8080") != std::string::npos, said);
  said = machine.run("backend-setup 192.0.2.11:80/tcp 172.16.0.1").out;
  BOOST_TEST(said.find("routers in between") != std::string::npos, said);
  said = machine.run("backend-setup " + service + " 10.0.0.1").out;
  BOOST_TEST(said.find("it is the balancer itself") != std::string::npos, said);
}

BOOST_AUTO_TEST_CASE(bad_orders) {
  Machine machine;
  check_refused(machine, {{"backend-setup 192.0.2.10:80/tcp", 3, "no maps"}});
  machine.load_with_services();
  machine.loader.require("service add 192.0.2.11:80/tcp");
  check_refused(machine, {{"backend-setup", 2, "parameters are missing"},
                          {"backend-setup 192.0.2.10", 2, "no protocol"},
                          {"backend-setup 192.0.2.12:80/tcp", 2, "there is no service"},
                          {"backend-setup 192.0.2.11:80/tcp", 2, "has no backends yet"},
                          {"backend-setup 192.0.2.10:80/tcp 10.0.0", 2, "no IP address"},
                          {"backend-setup 192.0.2.10:80/tcp 10.0.0.9:8080", 2, "mode l2 doesn't"}});
  const auto before = take_snapshot(machine);
  BOOST_TEST(machine.run("backend-setup 192.0.2.10:80/tcp").status == 0);
  BOOST_TEST(differences(before, take_snapshot(machine)) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
