// SPDX-License-Identifier: GPL-2.0-only
// Backends without a static next hop: where the kernel's routes and neighbours say that they are.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/bpf/expect.h"
#include "tests/bpf/links.h"

namespace xdplb::test {

BOOST_FIXTURE_TEST_SUITE(next_hop, WithLinks)

namespace {

constexpr Mac first_mac{0x02, 1, 2, 3, 4, 5};
constexpr Mac second_mac{0x02, 6, 7, 8, 9, 10};

// The same in both families. Backends are in VIP's family, or in the other one.
struct Family {
  std::string vip;      // to which a number is added
  std::string near;     // likewise addresses on in0's network,
  std::string far;      // on out0's,
  std::string nowhere;  // and on none
  std::string all;      // an address' prefix length
};

const std::vector<Family> families{
    {"192.0.2.", "10.9.0.", "10.9.1.", "10.77.0.", "/32"},
    {"2001:db8::", "2001:db8:9::", "2001:db8:a::", "2001:db8:77::", "/128"},
};

// A service with one backend, and a packet for it.
struct Served {
  std::string service;
  Bytes frame;
};

struct Network : Balancer {
  Served serve(const Family& family, const std::string& backend) {
    const auto vip = ip(family.vip + std::to_string(10 + served_++));
    const auto id = ServiceId{vip, 80, Protocol::tcp}.to_string();
    add_service(id);
    state().add_backend(ServiceId::parse(id), BackendId::parse(backend), {1, std::nullopt});
    return {id, build({.to = vip})};
  }

  // Sent with these addresses, and counted for the backend alone.
  void expect_sent(const Served& served, std::uint32_t verdict, const Mac& dst, const Mac& src) {
    BOOST_TEST_CONTEXT(served.service) {
      const auto before = totals();
      const auto run = this->run(served.frame, links().in);
      const auto moved = totals() - before;
      const auto handle = state().backends(service_number(*this, served.service)).at(0).handle;
      BOOST_TEST(run.verdict == verdict);
      BOOST_TEST(run.out == sent_to(served.frame, 14, dst, src), boost::test_tools::per_element());
      BOOST_TEST(moved ==
                 (Totals{{{CounterId::backend, handle, LB_FORWARDED}, {1, served.frame.size()}}}));
    }
  }

  void expect_dropped(const Served& served, lb_reason reason) {
    BOOST_TEST_CONTEXT(served.service << ", " << reason_name(reason)) {
      const bool v4 = ServiceId::parse(served.service).vip.is_v4();
      check_frame(*this, served.frame, {.to = ip(v4 ? "192.0.2.1" : "2001:db8::1")},
                  drops(reason, served.service), links().in);
    }
  }

  bool becomes(const Served& served, std::uint32_t verdict, const Mac& dst) {
    return within_two_seconds([&] {
      const auto run = this->run(served.frame, links().in);
      return run.verdict == verdict && std::ranges::equal(dst, std::span(run.out).first(6));
    });
  }

  bool is_counted(const Served& served, lb_reason reason) {
    const CounterId id{CounterId::service, service_number(*this, served.service), reason};
    return within_two_seconds([&] {
      const auto before = totals();
      const auto run = this->run(served.frame, links().in);
      return run.verdict == XDP_DROP && (totals() - before).contains(id);
    });
  }

 private:
  unsigned served_ = 0;
};

// Each case has services and backends of its own in it.
Network& network() {
  static Network made;
  return made;
}

}  // namespace

BOOST_AUTO_TEST_CASE(same_and_other_interface) {
  for (const auto& family : families) {
    const auto near = network().serve(family, family.near + "2");
    const auto far = network().serve(family, family.far + "2");
    set_neighbour(family.near + "2", "in0", first_mac);
    set_neighbour(family.far + "2", "out0", second_mac);
    for (int again = 0; again < 3; again++) {
      network().expect_sent(near, XDP_TX, first_mac, mac_of("in0"));
      network().expect_sent(far, XDP_REDIRECT, second_mac, mac_of("out0"));
    }
  }
}

BOOST_AUTO_TEST_CASE(family_of_the_backend_alone_counts) {
  set_neighbour("2001:db8:9::3", "in0", first_mac);
  set_neighbour("10.9.1.3", "out0", second_mac);
  const auto v4 = network().serve(families[0], "2001:db8:9::3");
  const auto v6 = network().serve(families[1], "10.9.1.3");
  network().expect_sent(v4, XDP_TX, first_mac, mac_of("in0"));
  network().expect_sent(v6, XDP_REDIRECT, second_mac, mac_of("out0"));
}

BOOST_AUTO_TEST_CASE(no_way_to_the_backend) {
  for (const auto& family : families) {
    network().expect_dropped(network().serve(family, family.near + "10"), LB_NO_NEIGHBOUR);
    network().expect_dropped(network().serve(family, family.far + "10"), LB_NO_NEIGHBOUR);
    network().expect_dropped(network().serve(family, family.nowhere + "1"), LB_NO_ROUTE);
    network().expect_dropped(network().serve(family, family.near + "1"),
                             LB_NO_ROUTE);  // the balancer itself
    const std::vector<std::string> kinds{"unreachable", "blackhole", "prohibit"};
    for (std::size_t i = 0; i < kinds.size(); i++) {
      const auto address = family.nowhere + std::to_string(10 + i);
      ip_tool("route add " + kinds[i] + " " + address + family.all);
      network().expect_dropped(network().serve(family, address), LB_NO_ROUTE);
    }
  }
}

BOOST_AUTO_TEST_CASE(behind_a_gateway) {
  for (const auto& family : families) {
    const auto gateway = family.near + "99";
    ip_tool("route add " + family.nowhere + "5" + family.all + " via " + gateway);
    ip_tool("route add " + family.nowhere + "6" + family.all + " via " + gateway);
    network().expect_dropped(network().serve(family, family.nowhere + "5"), LB_OFF_LINK);
    set_neighbour(gateway, "in0", first_mac);
    network().expect_dropped(network().serve(family, family.nowhere + "6"), LB_OFF_LINK);
  }
}

BOOST_AUTO_TEST_CASE(forwarding_switched_off) {
  for (const auto& family : families) {
    const std::string sysctl = family.vip[0] == '1' ? "ipv4/conf/" : "ipv6/conf/";
    set_neighbour(family.near + "7", "in0", first_mac);
    const auto served = network().serve(family, family.near + "7");
    set_sysctl(sysctl + "in0/forwarding", "0");
    network().expect_dropped(served, LB_FORWARDING_OFF);
    set_sysctl(sysctl + "in0/forwarding", "1");
    BOOST_TEST(network().becomes(served, XDP_TX, first_mac));
    set_sysctl(sysctl + "in0/forwarding", "0");
    BOOST_TEST(network().is_counted(served, LB_FORWARDING_OFF));
    set_sysctl(sysctl + "in0/forwarding", "1");
  }
}

BOOST_AUTO_TEST_CASE(neighbours_are_followed) {
  for (const auto& family : families) {
    const auto address = family.near + "8";
    const auto served = network().serve(family, address);
    network().expect_dropped(served, LB_NO_NEIGHBOUR);
    set_neighbour(address, "in0", first_mac);
    BOOST_TEST(network().becomes(served, XDP_TX, first_mac));
    set_neighbour(address, "in0", second_mac);
    BOOST_TEST(network().becomes(served, XDP_TX, second_mac));
    ip_tool("neigh replace " + address + " lladdr " + to_string(first_mac) + " dev in0 nud stale");
    BOOST_TEST(network().becomes(served, XDP_TX, first_mac));
    ip_tool("neigh del " + address + " dev in0");
    BOOST_TEST(network().is_counted(served, LB_NO_NEIGHBOUR));
  }
}

BOOST_AUTO_TEST_CASE(routes_are_followed) {
  for (const auto& family : families) {
    const auto address = family.nowhere + "9";
    const auto served = network().serve(family, address);
    network().expect_dropped(served, LB_NO_ROUTE);
    set_neighbour(address, "in0", first_mac);
    set_neighbour(address, "out0", second_mac);
    ip_tool("route replace " + address + family.all + " dev in0");
    BOOST_TEST(network().becomes(served, XDP_TX, first_mac));
    ip_tool("route replace " + address + family.all + " dev out0");
    BOOST_TEST(network().becomes(served, XDP_REDIRECT, second_mac));
    ip_tool("route replace " + address + family.all + " via " + family.near + "99");
    BOOST_TEST(network().is_counted(served, LB_OFF_LINK));
    ip_tool("route del " + address + family.all);
    BOOST_TEST(network().is_counted(served, LB_NO_ROUTE));
  }
}

// The backend's record is newer than what the data path remembers: it asks at once.
BOOST_AUTO_TEST_CASE(static_next_hop_at_once) {
  for (const auto& family : families) {
    const auto address = family.near + "20";
    set_neighbour(address, "in0", first_mac);
    const auto served = network().serve(family, address);
    const auto set_hop = [&](const lb_hop& hop) {
      network().state().set_backend(ServiceId::parse(served.service), BackendId::parse(address),
                                    {std::nullopt, hop});
    };
    network().expect_sent(served, XDP_TX, first_mac, mac_of("in0"));
    for (std::uint16_t number = 1; number < 6; number++) {
      const auto hop = hop_to(number, number % 2 == 0 ? links().in : links().out);
      set_hop(hop);
      network().expect_sent(served, number % 2 == 0 ? XDP_TX : XDP_REDIRECT, backend_mac(number),
                            std::to_array(hop.src));
    }
    set_hop({});
    network().expect_sent(served, XDP_TX, first_mac, mac_of("in0"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
