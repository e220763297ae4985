// SPDX-License-Identifier: GPL-2.0-only
// What check finds: each fault is brought about, is found with its remedy, and goes with it.
#include <boost/test/unit_test.hpp>

#include "plugin/driver.h"
#include "plugin/pins.h"
#include "tests/net/cli_fixture.h"

namespace xdplb::test {
namespace {

using Json = nlohmann::json;

struct Expected {
  std::string level, subject, text;  // a part of the finding's text
  std::string remedy{};              // likewise
};

// What it finds while nothing changes: neither by it nor by anybody.
Json examine(const Machine& machine, const std::string& line = "check eth0") {
  const auto before = take_snapshot(machine);
  const auto outcome = machine.run(line + " --json");
  const auto changed = differences(before, take_snapshot(machine));
  BOOST_TEST(changed.empty(), "it changed:" << changed);
  return Json::parse(outcome.out);
}

bool has(const Json& findings, const Expected& expected) {
  const auto holds = [](const Json& finding, const char* key, const std::string& part) {
    return finding.at(key).get<std::string>().find(part) != std::string::npos;
  };
  return std::ranges::any_of(findings, [&](const auto& finding) {
    return finding.at("level") == expected.level && finding.at("subject") == expected.subject &&
           holds(finding, "text", expected.text) && holds(finding, "remedy", expected.remedy);
  });
}

void check_found(const Machine& machine, const Expected& expected) {
  const auto findings = examine(machine);
  BOOST_TEST(has(findings, expected), expected.text << " is not in " << findings.dump(2));
}

void check_gone(const Machine& machine, const Expected& expected) {
  const auto findings = examine(machine);
  BOOST_TEST(!has(findings, expected), expected.text << " is still in " << findings.dump(2));
}

// The remedy that was found is a command: it helps.
void check_cured(const Machine& machine, const Expected& expected) {
  check_found(machine, expected);
  for (const auto& finding : examine(machine))
    if (has(Json::array({finding}), expected))
      machine.host.require({"sh", "-ec", finding.at("remedy")});
  check_gone(machine, expected);
}

constexpr auto served = "192.0.2.10:80/tcp";
constexpr auto hop = "02:00:5e:00:53:01%eth0";

// Loaded on eth0, with the service's backend 10.0.0.2, which eth1's address is not yet.
struct Served : Machine {
  explicit Served(const std::string& options = "") {
    load();
    require("service add " + std::string(served) + " " + options);
  }
  void require(const std::string& line) const { loader.require(line); }
  void add(const std::string& backend) const {
    require("backend add " + std::string(served) + " " + backend);
  }
};

// Its link address is known.
void make_neighbour(const Machine& machine, const std::string& address) {
  machine.host.ip("neighbour replace " + address + " lladdr 02:00:5e:00:53:02 dev eth0");
}

BOOST_AUTO_TEST_SUITE(check)

BOOST_AUTO_TEST_CASE(of_an_interface) {
  Machine machine;
  check_found(machine, {"warn", "eth0", "no XDP program yet"});
  check_found(machine, {"ok", "eth0", "forwards IPv4 and IPv6"});
  machine.host.sysctl("ipv4/conf/eth0/forwarding", "0");
  check_cured(machine, {"warn", "eth0", "forwarding is off for IPv4:"});
  machine.host.sysctl("ipv4/conf/eth0/arp_evict_nocarrier", "1");
  machine.host.sysctl("ipv6/conf/eth0/ndisc_evict_nocarrier", "1");
  check_cured(machine, {"warn", "eth0", "forgets the backends' link addresses"});
  machine.host.ip("link set eth0 down");
  check_cured(machine, {"warn", "eth0", "is down"});
  attach_pass(machine.host, "eth0");
  check_found(machine, {"fail", "eth0", "XDP program pass is attached", "eth0 xdp off"});
}

BOOST_AUTO_TEST_CASE(of_checksums) {
  Machine machine;
  check_cured(machine,
              {"warn", "eth0", "its other end, eth1, takes packets", "ethtool -K eth1 tx off"});
  check_found(machine, {"ok", "eth0", "gets packets with their checksums"});
  const Host other("other");
  machine.host.ip("link set eth1 netns other");
  check_found(machine, {"warn", "eth0", "in another network namespace", "tx off"});
}

// A cable takes packets from XDP where GRO is on, or a program is attached.
BOOST_AUTO_TEST_CASE(of_ways_out) {
  const Served machine;
  machine.host.ip(
      "link add name eth2 type veth peer name eth3\nlink set eth2 up\nlink set eth3 up\n"
      "address add 10.9.0.1/24 dev eth2\n"
      "neighbour replace 10.9.0.2 lladdr 02:00:5e:00:53:02 dev eth2");
  machine.add("10.9.0.2");
  const Expected lost{"fail", served, "its way out, eth2, takes no packets from XDP",
                      "load the component on eth2"};
  {
    const Inside here(machine.host);
    if (!xdp_features(machine.host.ifindex("eth2"))) return check_gone(machine, lost);
  }
  check_found(machine, lost);
  machine.loader.load("eth2", "native");
  check_gone(machine, lost);
}

BOOST_AUTO_TEST_CASE(without_privileges) {
  const Served machine;
  const auto outcome = machine.host.run(
      {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", XDP_LB_LOADER, "check"});
  BOOST_TEST(outcome.status == 3, outcome.err);
  BOOST_TEST(outcome.out.find("fail  privileges: ") != std::string::npos, outcome.out);
  BOOST_TEST(outcome.out.find("run as root") != std::string::npos, outcome.out);
  BOOST_TEST(outcome.err == "");
}

BOOST_AUTO_TEST_CASE(of_its_queues) {
  Machine machine;
  const auto cpus = split(machine.host.require({"nproc", "--all"})).at(0);
  if (cpus == "1") return;
  machine.host.require({"sh", "-c", "ethtool -L eth0 rx 1 || true"});
  check_cured(machine, {"warn", "eth0", "receive queues: 1, CPUs: " + cpus});
}

// The rules for them are tested with the facts: no device here strips tags or merges packets.
BOOST_AUTO_TEST_CASE(what_offloads_are_told) {
  const Machine machine;
  const Inside here(machine.host);
  BOOST_TEST(offloads_of("eth0").value().vlan);
  BOOST_TEST(!offloads_of("eth0").value().merges);
  machine.host.require(split("ethtool -K eth0 rxvlan off rx-vlan-stag-hw-parse off"));
  BOOST_TEST(!offloads_of("eth0").value().vlan);
  BOOST_TEST(!offloads_of("eth9").has_value());
}

BOOST_AUTO_TEST_CASE(of_the_interfaces_that_have_it) {
  Machine machine;
  const auto none = examine(machine, "check");
  machine.load();
  const auto loaded = examine(machine, "check");
  const auto is_eth0 = [](const auto& finding) { return finding.at("subject") == "eth0"; };
  BOOST_TEST(std::ranges::none_of(none, is_eth0));
  BOOST_TEST(std::ranges::any_of(loaded, is_eth0));
}

BOOST_AUTO_TEST_CASE(of_backends) {
  const Served machine;
  machine.add("10.0.0.2");
  check_found(machine,
              {"fail", served, "backend 10.0.0.2: the link address of 10.0.0.2 isn't known",
               "is up, in the network of eth0"});
  make_neighbour(machine, "10.0.0.2");
  check_found(machine, {"ok", served, "ways to its backends: 1"});

  machine.add("172.16.0.1");
  check_found(machine, {"fail", served, "backend 172.16.0.1: no route", "ip route add"});
  machine.host.ip("route add 172.16.0.0/24 via 10.0.0.2");
  check_found(machine,
              {"fail", served, "172.16.0.1: it is behind a gateway", "another forwarding"});
  machine.require("backend set " + std::string(served) + " 172.16.0.1 --forward ipip");
  check_found(machine, {"ok", served, "ways to its backends: 2"});

  machine.host.ip("neighbour del 10.0.0.2 dev eth0");
  machine.require("backend down " + std::string(served) + " 10.0.0.2");
  machine.require("backend down " + std::string(served) + " 172.16.0.1");
  check_found(machine, {"ok", served, "ways to its backends: 2"});
}

BOOST_AUTO_TEST_CASE(of_many_backends) {
  const Served machine;
  for (int i = 1; i <= 12; ++i) machine.add("172.16.0." + std::to_string(i));
  check_found(machine, {"fail", served, "backend 172.16.0.10: no route"});
  check_found(machine, {"fail", served, "and 2 backends more"});
}

BOOST_AUTO_TEST_CASE(of_static_next_hops) {
  const Served machine;
  machine.add(std::string("10.0.0.2 --next-hop ") + hop);
  check_found(machine, {"ok", served, "ways to its backends: 1"});
  machine.host.ip("link set eth0 address 02:00:5e:00:53:99");
  check_found(machine, {"fail", served, "a source address that eth0 no longer has", "--next-hop"});
  machine.require("backend set " + std::string(served) + " 10.0.0.2 --next-hop " + hop);
  check_found(machine, {"ok", served, "ways to its backends: 1"});

  machine.host.ip("link add name eth2 type veth peer name eth3");
  machine.require("backend set " + std::string(served) +
                  " 10.0.0.2 --next-hop 02:00:5e:00:53:01%eth2");
  machine.host.ip("link del eth2");
  check_found(machine, {"fail", served, "the interface of its next hop is gone", "--next-hop"});
}

BOOST_AUTO_TEST_CASE(of_what_changed_since) {
  const Served machine("--forward ipip");
  machine.add("10.0.0.2");
  make_neighbour(machine, "10.0.0.2");
  machine.host.ip("address add 10.0.0.2/32 dev eth0");
  check_found(machine, {"fail", served, "is an address of this host now", "-w"});
  machine.require("backend set " + std::string(served) + " 10.0.0.2 -w 1");
  check_found(machine, {"ok", served, "ways to its backends: 1"});
  machine.host.ip("address del 10.0.0.2/32 dev eth0");
  check_found(machine, {"fail", served, "is no address of this host any more", "-w"});
}

BOOST_AUTO_TEST_CASE(of_sources_of_outer_headers) {
  const Served machine("--forward ipip");
  machine.host.ip("address add 10.0.0.77/24 dev eth0");
  machine.add("10.0.0.2");
  make_neighbour(machine, "10.0.0.2");
  machine.host.ip("route add 10.0.0.2/32 dev eth0 src 10.0.0.77");
  check_found(machine, {"fail", served, "don't come from 10.0.0.77", "-w"});
  machine.require("backend set " + std::string(served) + " 10.0.0.2 -w 1");
  check_gone(machine, {"fail", served, "don't come from"});
}

BOOST_AUTO_TEST_CASE(of_mtus) {
  const Served machine("--forward gue");
  machine.add("10.0.0.2");
  check_found(machine, {"warn", "eth0",
                        "MTU 1500: full-size packets don't fit with the 32 bytes "
                        "more of mode gue",
                        "1532"});
  machine.host.ip("link set eth1 mtu 1532\nlink set eth0 mtu 1532");
  check_found(machine, {"ok", "eth0", "MTU 1532: full-size packets fit"});
  machine.add("fd00::2");
  check_found(machine, {"warn", "eth0", "the 52 bytes more of mode gue", "1552"});
}

BOOST_AUTO_TEST_CASE(of_the_smallest_mtu) {
  const Served machine;
  const std::string v6 = "[2001:db8::10]:53/udp";
  machine.require("service add " + v6 + " --forward ipip");
  machine.require("backend add " + v6 + " 10.0.0.2");
  make_neighbour(machine, "10.0.0.2");
  machine.host.ip("link set eth1 mtu 1299\nlink set eth0 mtu 1299");
  check_found(machine, {"fail", v6, "eth0, has MTU 1299; IPv6 needs 1280", "larger MTU"});
}

BOOST_AUTO_TEST_CASE(of_replies) {
  const Served machine("--forward nat");
  machine.add("10.0.0.2:8080");
  check_found(machine, {"ok", "eth0", "takes replies"});
  machine.host.sysctl("ipv4/conf/all/rp_filter", "1");
  check_cured(machine, {"warn", "eth0", "has a strict rp_filter"});
  machine.host.ip("address add 192.0.2.10/32 dev eth0");
  check_cured(machine, {"warn", "eth0", "takes no packets from addresses of this host"});
}

BOOST_AUTO_TEST_CASE(of_vips) {
  const Served machine;
  machine.add("10.0.0.2");
  const std::string vip = "VIP 192.0.2.10";
  check_found(machine, {"ok", vip, "is no address of this host"});
  machine.host.ip("address add 192.0.2.10/32 dev lo");
  check_cured(machine, {"warn", vip, "on loopback, though this host is no backend"});
  machine.host.ip("address add 192.0.2.10/32 dev eth0");
  check_found(machine, {"ok", vip, "is an address of this host, on eth0"});
  machine.host.ip("address del 192.0.2.10/32 dev eth0");

  machine.add("10.0.0.1");
  check_cured(machine, {"fail", vip, "nobody takes them"});
  check_found(machine, {"ok", vip, "this host, which is a backend"});
}

// check itself takes no -o.
BOOST_AUTO_TEST_CASE(of_the_object) {
  const auto all = examine(Machine(), "check");
  const bool missing = has(all, {"warn", "object", "no BPF object", "to load, apply"});
  BOOST_TEST(missing != has(all, {"ok", "object", "is installed"}), all.dump(2));
}

BOOST_AUTO_TEST_CASE(of_maps) {
  const Served machine;
  check_gone(machine, {"fail", "maps", ""});
  {
    const Pins pins(pin_path, Access::change);
    store(pins.meta().abi, std::uint32_t{99});
  }
  check_found(machine, {"fail", "maps", "have map ABI 99", abi_remedy});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
