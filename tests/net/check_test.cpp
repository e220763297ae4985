// SPDX-License-Identifier: GPL-2.0-only
// What check finds of the host and its interfaces: each fault is brought about, is found with its
// remedy, and goes with it.
#include <boost/test/unit_test.hpp>

#include "plugin/driver.h"
#include "plugin/pins.h"
#include "tests/net/examined.h"

namespace xdplb::test {
namespace {

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
