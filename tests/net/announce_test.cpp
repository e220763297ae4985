// SPDX-License-Identifier: GPL-2.0-only
// VIPs are announced as long as they can be served: the routes, and real routing daemons that
// export them.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/net/cli_fixture.h"
#include "tests/net/daemons.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

const std::string web4 = "192.0.2.10:80/tcp";
const std::string dns6 = "[2001:db8::10]:53/udp";

// VIPs that have a route, as ip(8) says it.
Words routes(const Host& host) {
  Words all;
  for (const auto* family : {"-4", "-6"}) {
    const auto said = host.require({"ip", family, "-j", "route", "show", "proto", "200"});
    for (const auto& route : nlohmann::json::parse(said)) {
      BOOST_TEST(route.at("type") == "blackhole");
      all.push_back(route.at("dst"));
    }
  }
  return all;
}

// After 'announce' these have a route; of the others it says why not.
void check_announced(const Machine& machine, const Words& vips, const std::string& why) {
  const auto outcome = machine.run("announce");
  BOOST_TEST(outcome.status == 0, outcome.err);
  BOOST_TEST(routes(machine.host) == vips, boost::test_tools::per_element());
  BOOST_TEST(outcome.out.find(why) != std::string::npos, outcome.out);
}

BOOST_AUTO_TEST_SUITE(announced)

BOOST_AUTO_TEST_CASE(what_can_be_served) {
  Machine machine;
  check_announced(machine, {}, "<No VIPs>");
  machine.load_with_services();
  check_announced(machine, {"192.0.2.10", "2001:db8::10"}, "announced");
  for (const auto& one : machine.loader.json("announce")) BOOST_TEST(one.at("changed") == false);
  machine.loader.require("backend down " + web4 + " 10.0.0.2");
  check_announced(machine, {"2001:db8::10"}, "no backend is up");
  machine.loader.require("service add 192.0.2.10:443/tcp");
  machine.loader.require("backend add 192.0.2.10:443/tcp 10.0.0.2");
  check_announced(machine, {"192.0.2.10", "2001:db8::10"}, "announced");
  machine.loader.require("service del " + dns6);
  check_announced(machine, {"192.0.2.10"}, "no service has it");
  machine.host.ip("link set dev eth0 xdp off");
  check_announced(machine, {}, "xdp-lb runs on no interface");
}

BOOST_AUTO_TEST_CASE(nothing_after_an_unload) {
  Machine machine;
  machine.load_with_services();
  check_announced(machine, {"192.0.2.10", "2001:db8::10"}, "announced");
  machine.loader.require("unload --all");
  check_announced(machine, {}, "no service has it");
}

BOOST_AUTO_TEST_CASE(until_it_is_withdrawn) {
  Machine machine;
  machine.load_with_services();
  const Words others{"192.0.2.99", "2001:db8::99"};
  for (const auto& vip : others)
    machine.host.require({"ip", "route", "add", "blackhole", vip, "proto", "static"});
  check_announced(machine, {"192.0.2.10", "2001:db8::10"}, "announced");
  machine.loader.require("announce --withdraw");
  BOOST_TEST(routes(machine.host).empty());
  for (const auto* family : {"-4", "-6"})
    BOOST_TEST(!machine.host.require({"ip", family, "route", "show", "type", "blackhole"}).empty());
}

// Those named have to have it, all of them.
BOOST_AUTO_TEST_CASE(where_interfaces_are_named) {
  Machine machine;
  machine.load_with_services();
  machine.loader.require("load --single-ok --object " XDP_LB_OBJECT " eth1 -m skb");
  const Words both{"192.0.2.10", "2001:db8::10"};
  const auto after = [&](const std::string& line, const Words& vips) {
    machine.loader.require(line);
    BOOST_TEST(routes(machine.host) == vips, boost::test_tools::per_element());
  };
  after("announce eth0 eth1", both);
  machine.host.ip("link set dev eth1 xdpgeneric off");
  after("announce eth0 eth1", {});
  after("announce eth1", {});
  after("announce eth0", both);
  after("announce --withdraw", {});
  const auto process = machine.host.start(machine.loader.command("announce --interval 1 eth0"));
  BOOST_TEST(wait_until([&] { return routes(machine.host) == both; }, 10));
  machine.host.ip("link del eth0");
  BOOST_TEST(wait_until([&] { return routes(machine.host).empty(); }, 10));
  machine.host.stop(process);
}

// A route that an administrator made to the same VIP is left, and hides another from daemons. Those
// to networks, and what the kernel makes for an address, don't.
BOOST_AUTO_TEST_CASE(beside_an_administrators_route) {
  Machine machine;
  machine.load_with_services();
  machine.host.ip("route add blackhole 192.0.2.0/24\naddr add 2001:db8::10/128 dev lo");
  check_announced(machine, {"192.0.2.10", "2001:db8::10"}, "announced");
  for (const std::string proto : {"boot", "static"}) {
    machine.host.ip("route add blackhole 192.0.2.10 proto " + proto);
    check_announced(machine, {"2001:db8::10"}, "another route to it goes first");
    machine.host.ip("route del 192.0.2.10 proto " + proto);
    check_announced(machine, {"192.0.2.10", "2001:db8::10"}, "announced");
    machine.host.ip("route add blackhole 192.0.2.10 metric 4001 proto " + proto);  // comes after
    check_announced(machine, {"192.0.2.10", "2001:db8::10"}, "announced");
    machine.host.ip("route del 192.0.2.10 metric 4001 proto " + proto);
  }
  machine.host.ip("route add 192.0.2.10 via 10.0.0.9");
  machine.loader.require("announce --withdraw");
  BOOST_TEST(!machine.host.require({"ip", "route", "show", "192.0.2.10"}).empty());
}

BOOST_AUTO_TEST_CASE(again_and_again) {
  Machine machine;
  machine.load_with_services();
  const auto announced = [&](std::size_t count) {
    return [&, count] { return routes(machine.host).size() == count; };
  };
  const auto start = [&] {
    return machine.host.start(machine.loader.command("announce --interval 1"));
  };
  auto process = start();
  BOOST_TEST(wait_until(announced(2), 10));
  machine.loader.require("backend down " + web4 + " 10.0.0.2");
  BOOST_TEST(wait_until(announced(1), 10));
  ::kill(process, SIGKILL);
  machine.host.stop(process);
  BOOST_TEST(routes(machine.host).size() == 1U);
  process = start();
  machine.loader.require("backend up " + web4 + " 10.0.0.2");
  BOOST_TEST(wait_until(announced(2), 10));
  machine.host.stop(process);  // by SIGTERM
  BOOST_TEST(wait_until(announced(0), 10));
}

// It withdraws first, and then is there until it is told to end once more.
BOOST_AUTO_TEST_CASE(routers_are_given_time) {
  Machine machine;
  machine.load_with_services();
  const auto line = machine.loader.command("announce --interval 1 --linger 86400");
  const auto process = machine.host.start(line);
  BOOST_TEST(wait_until([&] { return routes(machine.host).size() == 2; }, 10));
  ::kill(process, SIGTERM);
  BOOST_TEST(wait_until([&] { return routes(machine.host).empty(); }, 10));
  BOOST_TEST(Host::runs(process));
  ::kill(process, SIGTERM);
  BOOST_TEST(wait_until([&] { return !Host::runs(process); }, 10));
}

BOOST_AUTO_TEST_CASE(bad_lines) {
  Machine machine;
  machine.load_with_services();
  check_refused(machine, {{"announce --interval 0", 2, "not a number of seconds"},
                          {"announce --interval 1 --withdraw", 2, "goes with neither"},
                          {"announce --interval 1 -j", 2, "goes with neither"},
                          {"announce --withdraw eth0", 2, "takes back all VIPs"},
                          {"announce --linger 5", 2, "give it with --interval"},
                          {"announce --interval 1 --linger x", 2, "--linger 'x' is not a number"},
                          {"announce 192.0.2.10", 2, "192.0.2.10"}});
}

void start_frr(Host& host) {
  const std::string home = "/run/frr";
  std::filesystem::create_directory(home);
  std::ofstream(home + "/zebra.conf") << "";
  host.require({"chown", "-R", "frr:frr", home});
  const Words common{"-A", "127.0.0.1", "-P", "0", "-z", home + "/api", "--vty_socket", home};
  const auto daemon = [&](const std::string& name, const std::string& conf) {
    Words words{"/usr/lib/frr/" + name, "-f", conf, "-i", home + "/" + name + ".pid"};
    words.insert(words.end(), common.begin(), common.end());
    host.start(words);
  };
  daemon("zebra", home + "/zebra.conf");
  BOOST_REQUIRE(wait_until([&] { return std::filesystem::exists(home + "/api"); }, 20));
  daemon("bgpd", example("frr.conf", balancer_node));
}

BOOST_TEST_DECORATOR(*boost::unit_test::precondition(Installed{
    {"/usr/sbin/bird", "/usr/lib/frr/bgpd"}}))
BOOST_DATA_TEST_CASE(by_a_routing_daemon, data::make(Words{"bird", "frr"}), daemon) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  // Nothing else leads to VIPs.
  site.router.ip("route del 192.0.2.0/24\nroute del 2001:db8:ffff::/64");
  // A server that balances has them, too: the one for FRR not as addresses, which go first to it.
  for (const std::string vip : {"192.0.2.10", "2001:db8:ffff::10"})
    site.balancer.ip(daemon == "bird" ? "addr add " + vip + " dev lo"
                                      : "route add local " + vip + " dev lo");
  start_bgp_router(site.router, {balancer_node});
  if (daemon == "bird")
    start_bird(site.balancer, example("bird.conf", balancer_node));
  else
    start_frr(site.balancer);
  TestService service(loader, vip(10) + ":80/tcp");
  TestService service6(loader, vip(10, false) + ":80/tcp");
  service.add({1, 2});
  service6.add({1});
  const auto led = [&](bool v4) {
    const auto to = v4 ? "192.0.2.10" : "2001:db8:ffff::10";
    return !site.router.require({"ip", v4 ? "-4" : "-6", "route", "show", to}).empty();
  };
  const auto node = site.balancer.start(loader.command("announce --interval 1"));
  BOOST_TEST(wait_until([&] { return led(true) && led(false); }, 90));
  Flows flows(true), flows6(false);
  check_connections(site, service, flows, 20);
  check_connections(site, service6, flows6, 20);
  service.down("web1");
  service.down("web2");
  BOOST_TEST(wait_until([&] { return !led(true); }, 30));
  BOOST_TEST(led(false));
  service.up("web2");
  BOOST_TEST(wait_until([&] { return led(true); }, 30));
  check_connections(site, service, flows, 20);
  site.balancer.stop(node);
  BOOST_TEST(wait_until([&] { return !led(true) && !led(false); }, 30));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
