// SPDX-License-Identifier: GPL-2.0-only
// Ways to backends that can't carry IPv6's smallest packets with an outer header.
#include <boost/test/unit_test.hpp>

#include "tests/net/cli_fixture.h"

namespace xdplb::test {
namespace {

constexpr auto service = "[2001:db8::10]:53/udp";
constexpr auto hop = "02:00:5e:00:53:01%eth0";

struct Narrow : Machine {
  explicit Narrow(unsigned mtu) {
    set_mtu(mtu);
    load();
  }
  void set_mtu(unsigned mtu) const {
    for (const auto* name : {"eth0", "eth1"})
      host.ip("link set " + std::string(name) + " mtu " + std::to_string(mtu));
  }
  void require(const std::string& line) const { loader.require(line); }
};

BOOST_AUTO_TEST_SUITE(mtu)

BOOST_AUTO_TEST_CASE(backends_are_refused) {
  const Narrow machine(1311);
  const std::string add = "backend add " + std::string(service) + " ";
  machine.require("service add " + std::string(service) + " --forward gue");
  machine.require("service add 192.0.2.10:80/tcp --forward gue");
  const std::string says = "its way out, eth0, has MTU 1311; IPv6 needs 1280, and mode gue 32 more";
  check_refused(machine, {{add + "10.0.0.2", 2, says},
                          {add + "10.0.0.2 --next-hop " + hop, 2, says},
                          {add + "fd00::2", 2, "mode gue 52 more: 1332"},
                          {add + "fd00::2 --forward ipip", 2, "mode ipip 40 more: 1320"}});
  machine.require(add + "10.0.0.2 --forward l2");
  machine.require(add + "10.0.0.3 --forward ipip");
  machine.require(add + "10.0.0.4 --forward gre");
  machine.require(add + "172.16.0.1");  // no way at all: said by a note
  machine.require("backend add 192.0.2.10:80/tcp 10.0.0.2");

  const std::string set = "backend set " + std::string(service) + " 10.0.0.2 ";
  check_refused(machine, {{set + "--forward gue", 2, says},
                          {set + "--forward service", 2, says},
                          {set + "--forward gue --next-hop " + hop, 2, says}});
  machine.require(set + "-w 5");
  machine.set_mtu(1312);
  machine.require(set + "--forward service");
}

BOOST_AUTO_TEST_CASE(modes_of_services_are_refused) {
  const Narrow machine(1299);
  const std::string set = "service set " + std::string(service) + " ";
  machine.require("service add " + std::string(service));
  machine.require("backend add " + std::string(service) + " 10.0.0.2");
  for (const std::string forward : {"ipip", "gue", "gre"})
    check_refused(machine, {{set + "--forward " + forward, 2, "eth0, has MTU 1299"}});
  machine.require(set + "--ping on");
  machine.set_mtu(1300);
  machine.require(set + "--forward ipip");
  check_refused(machine, {{set + "--forward gre", 2, "1304"}});
}

// What the data path heeds of a route: an MTU that is locked.
BOOST_AUTO_TEST_CASE(of_a_route) {
  const Narrow machine(1500);
  machine.host.ip("route add 10.7.0.0/24 via 10.0.0.9 mtu lock 1300\n"
                  "route add 10.8.0.0/24 via 10.0.0.9 mtu 1300");
  machine.require("service add " + std::string(service) + " --forward gre");
  const std::string add = "backend add " + std::string(service) + " ";
  check_refused(machine, {{add + "10.7.0.1", 2, "its route out of eth0, has MTU 1300"}});
  machine.require(add + "10.8.0.1");
}

BOOST_AUTO_TEST_CASE(lowered_later) {
  const Narrow machine(1500);
  machine.require("service add " + std::string(service) + " --forward ipip");
  const std::string backend = std::string(service) + " 10.0.0.2";
  machine.require("backend add " + backend);
  machine.set_mtu(1299);
  const auto set = machine.run("backend set " + backend + " -w 3");
  BOOST_TEST(set.status == 0);
  BOOST_TEST(set.err.find("eth0, has MTU 1299") != std::string::npos, set.err);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
