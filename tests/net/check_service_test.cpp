// SPDX-License-Identifier: GPL-2.0-only
// What check finds of services: the ways to their backends, their VIPs, their servers.
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>

#include "plugin/listener.h"
#include "tests/net/examined.h"
#include "tests/support/http_client.h"

namespace xdplb::test {
namespace {

constexpr auto hop = "02:00:5e:00:53:01%eth0";

// Its link address is known.
void make_neighbour(const Machine& machine, const std::string& address) {
  machine.host.ip("neighbour replace " + address + " lladdr 02:00:5e:00:53:02 dev eth0");
}

BOOST_AUTO_TEST_SUITE(check_services)

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

// A socket that takes what comes to its address and port.
Fd open_server(const std::string& address, std::uint16_t port, int type) {
  auto server = bound_socket(endpoint(address, port), type);
  if (type == SOCK_STREAM) BOOST_REQUIRE(::listen(server.get(), 1) == 0);
  return server;
}

BOOST_AUTO_TEST_CASE(of_servers) {
  const Served machine;
  machine.host.ip("address add 192.0.2.10/32 dev lo");
  machine.add("10.0.0.1");
  const Expected none{"warn", served, "no server listens", "start it"};
  check_found(machine, none);
  {
    const Inside here(machine.host);
    const auto server = open_server("192.0.2.10", 80, SOCK_STREAM);
    check_found(machine, {"ok", served, "a server listens"});
  }
  check_found(machine, none);
  machine.require("backend down " + std::string(served) + " 10.0.0.1");
  check_gone(machine, none);
}

BOOST_AUTO_TEST_CASE(which_servers_are_told) {
  const Machine machine;
  machine.host.ip("address add 192.0.2.10/32 dev lo\naddress add 2001:db8::10/128 dev lo nodad");
  const Inside here(machine.host);
  struct Case {
    std::string address;
    std::uint16_t port;
    int type;
    bool v4, v6, udp;  // does it take what comes to these services?
  };
  for (const auto& [address, port, type, v4, v6, udp] :
       std::vector<Case>{{"192.0.2.10", 80, SOCK_STREAM, true, false, false},
                         {"0.0.0.0", 80, SOCK_STREAM, true, false, false},
                         {"::", 80, SOCK_STREAM, true, true, false},
                         {"2001:db8::10", 80, SOCK_STREAM, false, true, false},
                         {"10.0.0.1", 80, SOCK_STREAM, false, false, false},
                         {"0.0.0.0", 8080, SOCK_STREAM, false, false, false},
                         {"192.0.2.10", 80, SOCK_DGRAM, false, false, true}})
    BOOST_TEST_CONTEXT(address << " port " << port << " type " << type) {
      const auto server = open_server(address, port, type);
      BOOST_TEST((has_listener(ServiceId::parse(served)) == v4));
      BOOST_TEST((has_listener(ServiceId::parse("[2001:db8::10]:80/tcp")) == v6));
      BOOST_TEST((has_listener(ServiceId::parse("192.0.2.10:80/udp")) == udp));
    }
  machine.host.sysctl("ipv6/bindv6only", "1");
  const auto server = open_server("::", 80, SOCK_STREAM);
  BOOST_TEST((has_listener(ServiceId::parse(served)) == false));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
