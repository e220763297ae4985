// SPDX-License-Identifier: GPL-2.0-only
// A router's packet-too-big about an outer header becomes the client's, from the VIP, byte by byte,
// whether the program in the chain does it or the one on egress.
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/bpf/reject_frames.h"
#include "tests/bpf/relay_net.h"

namespace xdplb::test {

BOOST_FIXTURE_TEST_SUITE(relaying, WithLinks)

namespace {

constexpr std::uint16_t vlan_id = 0x123;

}  // namespace

// From the least that is enough to all of the packet; an odd length as well.
BOOST_AUTO_TEST_CASE(the_client_is_told_by_what_is_quoted) {
  RelayNet balancer;
  balancer.for_each_mode([&](const Family& family, const Mode& mode) {
    for (const auto proto : {proto_tcp, proto_udp})
      for (const std::size_t size :
           {family.ip + 8, family.ip + 9, std::size_t{500}, std::size_t{548}, std::size_t{549},
            std::size_t{1232}, std::size_t{1233}, std::size_t{1400}}) {
        const auto inner = inner_packet(family, proto);
        check_told(balancer, family, inner,
                   error_about(mode, outer_packet(mode, inner), mode.overhead + size, 1450),
                   told(family, inner, size, inner_mtu(family, 1450 - mode.overhead), "in0"));
      }
  });
}

BOOST_AUTO_TEST_CASE(the_mtu_is_what_is_left) {
  RelayNet balancer;
  balancer.for_each_mode([&](const Family& family, const Mode& mode) {
    const auto inner = inner_packet(family);
    const auto check = [&](std::uint32_t mtu, unsigned wanted) {
      check_told(balancer, family, inner, error_about(mode, outer_packet(mode, inner), 300, mtu),
                 told(family, inner, 300 - mode.overhead, inner_mtu(family, wanted), "in0"));
    };
    check(1280, 1280 - mode.overhead);
    check(1280 + mode.overhead, 1280);
    check(1281 + mode.overhead, 1281);
    check(68 + mode.overhead, 68);
    check(69 + mode.overhead, 69);
    for (const unsigned little : {1U, 50U, 67U + mode.overhead}) check(little, 68);
    check(0, 0);
    if (mode.outer == 1) check(0x12345678, family.ip == 20 ? 0xffff : 0x12345678 - mode.overhead);
  });
}

BOOST_AUTO_TEST_CASE(it_goes_the_way_to_the_client) {
  RelayNet balancer("out0");
  balancer.for_each_mode([&](const Family& family, const Mode& mode) {
    const auto inner = inner_packet(family);
    check_told(
        balancer, family, inner, error_about(mode, outer_packet(mode, inner), 200, 1450),
        told(family, inner, 200 - mode.overhead, inner_mtu(family, 1450 - mode.overhead), "out0"),
        XDP_REDIRECT);
  });
}

// out0 is in a VLAN of in0.
BOOST_AUTO_TEST_CASE(tags_fit_the_way_out) {
  RelayNet balancer("out0");
  balancer.open_egress(links().in);
  const lb_vlan vlan{links().in, vlan_id, 0};
  const auto key = links().out;
  BOOST_TEST_REQUIRE(::bpf_map_update_elem(balancer.pins().vlans().get(), &key, &vlan, BPF_ANY) ==
                     0);
  balancer.for_each_mode([&](const Family& family, const Mode& mode) {
    const auto inner = inner_packet(family);
    auto wanted = told(family, inner, 200 - mode.overhead, inner_mtu(family, 1450 - mode.overhead),
                       "out0", {ether_vlan});
    put16(wanted, 14, 0x6000 | vlan_id);
    check_told(balancer, family, inner,
               error_about(mode, outer_packet(mode, inner), 200, 1450, {ether_vlan}), wanted);
    const auto other = error_about(mode, outer_packet(mode, inner), 200, 1450);
    check_frame(balancer, other.frame, other.spec,
                drops(LB_VLAN_MISMATCH, family.service(proto_tcp)), links().in);
  });
}

BOOST_AUTO_TEST_CASE(too_short_a_quote_is_for_the_host) {
  RelayNet balancer;
  balancer.for_each_mode([&](const Family& family, const Mode& mode) {
    const auto quoted = outer_packet(mode, inner_packet(family));
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{mode.overhead}, mode.overhead + family.ip - 1,
          mode.overhead + family.ip, mode.overhead + family.ip + 7})
      check_passed(balancer, error_about(mode, quoted, size, 1450));
  });
}

// The length of what is quoted, where the router says it: more is behind it.
BOOST_AUTO_TEST_CASE(what_routers_append_is_not_quoted) {
  RelayNet balancer;
  for (const auto& family : icmp_families()) {
    const Mode& mode = relay_modes()[0];
    balancer.use(family, mode);
    const auto inner = inner_packet(family);
    const auto error = [&](unsigned words) {
      return error_about(mode, outer_packet(mode, inner), 200, words << 16 | 1450);
    };
    check_told(balancer, family, inner, error(32), told(family, inner, 128 - 20, 1430, "in0"));
    check_told(balancer, family, inner, error(50), told(family, inner, 180, 1430, "in0"));
    check_told(balancer, family, inner, error(51), told(family, inner, 180, 1430, "in0"));
    check_passed(balancer, error((20 + family.ip + 4) / 4));
  }
}

BOOST_AUTO_TEST_CASE(about_anything_else_is_for_the_host) {
  RelayNet balancer;
  balancer.for_each_mode([&](const Family& family, const Mode& mode) {
    const auto outer = outer_family(mode);
    const auto quoted = outer_packet(mode, inner_packet(family));
    const auto check = [&](const std::function<void(Bytes&)>& change) {
      auto changed = quoted;
      change(changed);
      check_passed(balancer, error_about(mode, changed, 200, 1450));
    };
    check([&](Bytes& packet) { packet.at(outer.ip == 20 ? 15 : 23) ^= 1; });  // not from here
    check([&](Bytes& packet) { packet.at(outer.ip - 1) ^= 1; });              // to no backend
    check([&](Bytes& packet) { packet.at(outer.ip - (outer.ip == 20 ? 4 : 16)) ^= 1; });
    check([&](Bytes& packet) { packet.at(outer.ip == 20 ? 9 : 6) = 50; });  // nor so
    check([&](Bytes& packet) { packet.at(0) = 0x75; });
    const auto inner = mode.overhead;
    check([&](Bytes& packet) { packet.at(inner + family.ip - 1) ^= 1; });  // to no VIP
    check([&](Bytes& packet) { packet.at(inner + family.ip + 3) ^= 1; });  // to no port of it
    check([&](Bytes& packet) { packet.at(inner + (family.ip == 20 ? 9 : 6)) = family.icmp; });
    check([&](Bytes& packet) { packet.at(inner) ^= 0x20; });
    check([&](Bytes& packet) { packet.at(inner + (family.ip == 20 ? 12 : 8)) = 0xff; });  // source
    if (family.ip == 20) {
      check([&](Bytes& packet) { packet.at(inner + 6) = 0; });     // may be fragmented
      check([&](Bytes& packet) { packet.at(inner + 6) = 0x60; });  // is a fragment
      check([&](Bytes& packet) { packet.at(inner + 7) = 1; });
      check([&](Bytes& packet) { packet.at(inner) = 0x44; });
    }
    if (mode.forward == Forward::gue) {
      check([&](Bytes& packet) { packet.at(outer.ip + 3) ^= 1; });  // to another port
      check([&](Bytes& packet) { packet.at(outer.ip + 8) = 1; });
      check([&](Bytes& packet) { packet.at(outer.ip + 9) = 17; });
    }
    if (mode.forward == Forward::gre) {
      check([&](Bytes& packet) { packet.at(outer.ip) = 0x20; });
      check([&](Bytes& packet) { packet.at(outer.ip + 2) = 0x65; });
    }
  });
}

BOOST_AUTO_TEST_CASE(another_mode_backend_or_message_is_for_the_host) {
  RelayNet balancer;
  for (const auto& family : icmp_families())
    for (const auto& used : relay_modes()) {
      balancer.use(family, used);
      const auto inner = inner_packet(family);
      for (const auto& mode : relay_modes())
        if (&mode != &used)
          check_passed(balancer, error_about(mode, outer_packet(mode, inner), 200, 1450));
      auto error = error_about(used, outer_packet(used, inner), 200, 1450);
      const auto outer = outer_family(used);
      for (const auto& [type, code] : {std::pair{3, 1}, {11, 0}, {3, 3}, {12, 4}}) {
        error.frame.at(14 + outer.ip) = static_cast<std::uint8_t>(type);
        error.frame.at(15 + outer.ip) = static_cast<std::uint8_t>(code);
        check_passed(balancer, error);
      }
      auto group = error_about(used, outer_packet(used, inner), 200, 1450);
      group.frame[0] |= 1;
      check_passed(balancer, group);
      balancer.state().set_backend(ServiceId::parse(family.service(proto_tcp)),
                                   BackendId::parse(backend_of(used).to_string()), {0, {}});
      check_passed(balancer, error_about(used, outer_packet(used, inner), 200, 1450));
    }
}

// Another source of outer headers than the backend's.
BOOST_AUTO_TEST_CASE(another_source_is_for_the_host) {
  RelayNet balancer;
  balancer.for_each_mode([&](const Family& family, const Mode& mode) {
    const auto outer = outer_family(mode);
    for (const std::size_t less : {1U, outer.ip == 20 ? 4U : 16U}) {
      auto error = error_about(mode, outer_packet(mode, inner_packet(family)), 200, 1450);
      error.frame.at(14 + outer.ip - less) ^= 1;
      error.frame.at(14 + outer.ip + 8 + (outer.ip == 20 ? 16 : 24) - less) ^= 1;
      check_passed(balancer, error);
    }
  });
}

// The VIP answers echo requests: its entry of the index is none of a flow.
BOOST_AUTO_TEST_CASE(about_echo_requests_is_for_the_host) {
  RelayNet balancer;
  balancer.for_each_mode([&](const Family& family, const Mode& mode) {
    ServiceChange change;
    change.ping = true;
    balancer.state().set_service(ServiceId::parse(family.service(proto_tcp)), change);
    auto quoted = outer_packet(mode, inner_packet(family));
    quoted.at(mode.overhead + (family.ip == 20 ? 9 : 6)) = family.icmp;
    put16(quoted, mode.overhead + family.ip + 2, 0);
    check_passed(balancer, error_about(mode, quoted, 200, 1450));
  });
}

BOOST_AUTO_TEST_CASE(who_may_not_be_answered_is_not_told) {
  RelayNet balancer;
  const auto& family = icmp_families()[0];
  const auto& mode = relay_modes()[0];
  balancer.use(family, mode);
  auto inner = inner_packet(family);
  inner.from = ip("240.0.0.1");
  ip_tool("route replace 240.0.0.1 dev in0");
  set_neighbour("240.0.0.1", "in0", backend_mac(9));
  check_passed(balancer, error_about(mode, outer_packet(mode, inner), 200, 1450));
}

// The MTU of one message isn't in the next one.
BOOST_AUTO_TEST_CASE(unreachable_says_no_mtu) {
  RelayNet balancer;
  balancer.for_each_mode([&](const Family& family, const Mode& mode) {
    const auto id = ServiceId::parse(family.service(proto_udp));
    ServiceChange change;
    change.last_resort = LastResort::reject;
    balancer.state().set_service(id, change);
    balancer.state().delete_backend(id, BackendId::parse(backend_of(mode).to_string()),
                                    Removal::now);
    const auto error = error_about(mode, outer_packet(mode, inner_packet(family)), 200, 1450);
    BOOST_TEST(balancer.run_inline(error.frame, links().in).verdict == XDP_TX);
    const auto asked = inner_packet(family, proto_udp);
    const auto frame = build(asked);
    BOOST_TEST(balancer.run_inline(frame, links().in).out == unreachable(family, asked, frame),
               boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_CASE(without_a_way_nobody_is_told) {
  RelayNet balancer("in0", false);
  const auto& family = icmp_families()[0];
  balancer.use(family, relay_modes()[0]);
  const auto error = error_about(relay_modes()[0],
                                 outer_packet(relay_modes()[0], inner_packet(family)), 200, 1450);
  check_frame(balancer, error.frame, error.spec, drops(LB_NO_EGRESS, family.service(proto_tcp)),
              links().in);
  balancer.open_egress(links().in);
  std::size_t limited = 0;
  for (int i = 0; i < 20000; i++)
    limited += balancer.run(error.frame, links().in).verdict == XDP_DROP ? 1 : 0;
  BOOST_TEST(limited > 0U);
  BOOST_TEST(limited < 20000U);
  const auto number = service_number(balancer, family.service(proto_tcp));
  BOOST_TEST((balancer.totals()[{CounterId::service, number, LB_LIMITED}].packets == limited));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
