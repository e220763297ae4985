// SPDX-License-Identifier: GPL-2.0-only
// What is for a service without backends is answered where the service says so, byte by byte,
// whether the program in the chain does it or the one on egress.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/bpf/expect.h"
#include "tests/bpf/reject_frames.h"

namespace xdplb::test {

namespace {

constexpr std::uint8_t fin = 1, syn = 2, rst = 4, push = 8, ack = 16, urgent = 32;
const std::vector<std::vector<std::uint16_t>> taggings{
    {}, {ether_vlan}, {ether_service_vlan, ether_vlan}};
const auto& families = icmp_families();

struct Rejecting : Balancer {
  explicit Rejecting(bool egress = true) {
    for (const auto& family : families)
      for (const auto proto : {proto_tcp, proto_udp}) {
        ServiceChange options{Forward::l2, Balance::slack, min_slots};
        options.last_resort = LastResort::reject;
        options.remember = Remember::none;
        state().add_service(ServiceId::parse(family.service(proto)), options);
      }
    if (egress) open_egress(loopback_ifindex);
  }
};

void check_answered(Rejecting& balancer, const Family& family, const PacketSpec& asked,
                    const Bytes& frame, const Bytes& wanted) {
  const auto number = service_number(balancer, family.service(asked.proto));
  const lb_counter two{2, 2 * (frame.size() - asked.padding)};
  const auto before = balancer.totals();
  const auto resized = balancer.run_inline(frame);
  BOOST_TEST(resized.verdict == XDP_TX);
  BOOST_TEST(resized.out == wanted, boost::test_tools::per_element());
  const auto ordered = balancer.run(frame);
  BOOST_TEST(ordered.verdict == XDP_REDIRECT);
  BOOST_TEST(ordered.out.size() == frame.size());
  const auto carried_out = balancer.run_egress(ordered.out);
  BOOST_TEST(carried_out.verdict == XDP_PASS);
  BOOST_TEST(carried_out.out == wanted, boost::test_tools::per_element());
  BOOST_TEST(balancer.totals() - before ==
             (Totals{{{CounterId::family, family_of(family.vip), LB_REJECTED}, two},
                     {{CounterId::service, number, LB_REJECTED}, two}}));
}

// A segment from SEQ on, and what is told of it.
constexpr TcpNumbers sent{0xfffffffe, 0x89abcdef};

Bytes segment(const Family& family, const PacketSpec& spec) {
  auto frame = build(spec);
  const auto l4 = frame.size() - spec.padding - spec.payload - 20;
  put32(frame, l4 + 4, sent.seq);
  put32(frame, l4 + 8, sent.ack);
  if (l4 == l3_offset(spec) + family.ip && spec.padding == 0)
    sum_tcp(frame, family, l3_offset(spec));
  return frame;
}

void check_reset(Rejecting& balancer, const Family& family, PacketSpec spec) {
  spec.from = family.client;
  spec.to = family.vip;
  const auto length = static_cast<std::uint32_t>(spec.payload) + ((spec.flags & syn) != 0 ? 1 : 0) +
                      ((spec.flags & fin) != 0 ? 1 : 0);
  const auto wanted = (spec.flags & ack) != 0
                          ? reset(family, spec, rst, {sent.ack, 0})
                          : reset(family, spec, rst | ack, {0, sent.seq + length});
  BOOST_TEST_CONTEXT(family.vip.to_string() << ' ' << int{spec.flags} << ' ' << spec.payload)
  check_answered(balancer, family, spec, segment(family, spec), wanted);
}

void check_unreachable(Rejecting& balancer, const Family& family, PacketSpec spec) {
  spec.from = family.client;
  spec.to = family.vip;
  spec.proto = proto_udp;
  const auto frame = build(spec);
  BOOST_TEST_CONTEXT(family.vip.to_string() << ' ' << spec.payload)
  check_answered(balancer, family, spec, frame, unreachable(family, spec, frame));
}

void check_silent(Rejecting& balancer, const Family& family, const PacketSpec& spec,
                  const Bytes& frame, lb_reason reason = LB_NO_BACKEND) {
  const auto id = family.service(spec.proto == proto_udp ? proto_udp : proto_tcp);
  check_frame(balancer, frame, spec, drops(reason, id));
  BOOST_TEST(balancer.run_inline(frame).verdict == XDP_DROP);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rejecting)

BOOST_AUTO_TEST_CASE(tcp_is_reset) {
  Rejecting balancer;
  for (const auto& family : families)
    for (const std::uint8_t flags :
         {syn, ack, std::uint8_t{0}, fin, push, std::uint8_t{syn | ack}, std::uint8_t{syn | fin},
          std::uint8_t{fin | ack}, std::uint8_t{fin | push | urgent}, std::uint8_t{0xc0 | syn}})
      for (const auto& tags : taggings)
        for (const std::size_t payload : {0, 1, 1000})
          check_reset(balancer, family, {.tags = tags, .payload = payload, .flags = flags});
}

BOOST_AUTO_TEST_CASE(tcp_behind_options_padding_and_extension_headers) {
  Rejecting balancer;
  for (const auto& family : families)
    for (const std::uint8_t flags : {syn, ack})
      for (const std::size_t payload : {0, 5}) {
        check_reset(balancer, family, {.payload = payload, .padding = 6, .flags = flags});
        PacketSpec spec{.payload = payload, .flags = flags};
        if (family.ip == 20)
          spec.options = Bytes(40, 1);
        else
          spec.extensions = {hop_by_hop(1), destination_options(2)};
        check_reset(balancer, family, spec);
      }
}

// Its length isn't part of the segment's.
BOOST_AUTO_TEST_CASE(tcp_options) {
  Rejecting balancer;
  for (const auto& family : families)
    for (const std::size_t options : {4, 12, 40})
      for (const std::size_t payload : {0, 7}) {
        const PacketSpec spec{
            .from = family.client, .to = family.vip, .payload = options + payload, .flags = syn};
        auto frame = segment(family, spec);
        frame.at(14 + family.ip + 12) = static_cast<std::uint8_t>((20 + options) / 4 << 4);
        const auto next = sent.seq + static_cast<std::uint32_t>(payload) + 1;
        check_answered(balancer, family, spec, frame, reset(family, spec, rst | ack, {0, next}));
      }
}

// Every length up to more than what is quoted.
BOOST_AUTO_TEST_CASE(udp_is_unreachable) {
  Rejecting balancer;
  for (const auto& family : families)
    for (const auto& tags : taggings)
      for (const std::size_t payload :
           {0, 1, 2, 3, 4, 5, 483, 484, 485, 519, 520, 521, 1000, 1183, 1184, 1185, 1400})
        check_unreachable(balancer, family, {.tags = tags, .payload = payload});
}

BOOST_AUTO_TEST_CASE(udp_behind_options_padding_and_extension_headers) {
  Rejecting balancer;
  for (const auto& family : families)
    for (const std::size_t payload : {0, 5, 1400}) {
      check_unreachable(balancer, family, {.payload = payload, .padding = 18});
      PacketSpec spec{.payload = payload};
      if (family.ip == 20)
        spec.options = Bytes(40, 1);
      else
        spec.extensions = {hop_by_hop(1), destination_options(2)};
      check_unreachable(balancer, family, spec);
    }
}

BOOST_AUTO_TEST_CASE(nobody_is_told_where_nobody_may_be) {
  Rejecting balancer;
  for (const auto& family : families) {
    PacketSpec spec{.from = family.client, .to = family.vip};
    for (const std::uint8_t flags : {rst, std::uint8_t{rst | ack}, std::uint8_t{rst | syn}}) {
      spec.flags = flags;
      check_silent(balancer, family, spec, build(spec));
    }
    spec.flags = syn;
    for (const std::uint8_t words : {0x40, 0xf0}) {
      auto frame = build(spec);
      frame.at(14 + family.ip + 12) = words;
      check_silent(balancer, family, spec, frame);
    }
    const auto bad = family.ip == 20 ? std::vector<Address>{ip("127.0.0.1"), ip("224.0.0.1"),
                                                            ip("255.255.255.255")}
                                     : std::vector<Address>{ip("ff02::1")};
    for (const auto proto : {proto_tcp, proto_udp}) {
      spec.proto = proto;
      for (const auto& from : bad) {
        spec.from = from;
        check_silent(balancer, family, spec, build(spec));
      }
      spec.from = family.client;
      auto frame = build(spec);
      frame[0] |= 1;
      check_frame(balancer, frame, spec, passes(LB_GROUP_FRAME, family.service(proto)));
    }
    PacketSpec backends{.from = family.vip, .to = family.client, .sport = 80, .dport = 40000};
    auto quoted = build(backends);
    put16(quoted, 18, 0x5010);  // where TCP has its length and flags
    const auto error = message(family, family.router, quoted.size() - 6);
    check_silent(balancer, family, error,
                 icmp(family, error, family.types[0], 1, Bytes(quoted.begin() + 14, quoted.end())));
  }
}

BOOST_AUTO_TEST_CASE(of_fragments_the_first_of_udp_is_answered) {
  Rejecting balancer;
  for (const auto& family : families)
    for (const auto proto : {proto_tcp, proto_udp}) {
      ServiceChange change;
      change.fragments = Fragments::hash3;
      balancer.state().set_service(ServiceId::parse(family.service(proto)), change);
      const auto part = [&](std::uint16_t offset) {
        PacketSpec spec{.from = family.client, .to = family.vip, .proto = proto, .payload = 64};
        if (family.ip == 40) {
          spec.extensions = {fragment(offset, true)};
        } else {
          spec.dont_fragment = false;
          spec.offset = offset;
          spec.more = true;
        }
        return spec;
      };
      if (proto == proto_udp)
        check_unreachable(balancer, family, part(0));
      else
        check_silent(balancer, family, part(0), build(part(0)));
      check_silent(balancer, family, part(3), build(part(3)));
    }
}

BOOST_AUTO_TEST_CASE(off_and_with_a_backend_nothing_is) {
  Rejecting balancer;
  for (const auto& family : families)
    for (const auto proto : {proto_tcp, proto_udp}) {
      const auto id = family.service(proto);
      const PacketSpec spec{.from = family.client, .to = family.vip, .proto = proto};
      balancer.add_backend(id, "10.0.0.1", 1);
      check_frame(balancer, build(spec), spec, transmits(id, 1));
      balancer.state().set_backend(ServiceId::parse(id), BackendId::parse("10.0.0.1"), {0, {}});
      BOOST_TEST(balancer.run(build(spec)).verdict == XDP_REDIRECT);
      ServiceChange off;
      off.last_resort = LastResort::drop;
      balancer.state().set_service(ServiceId::parse(id), off);
      check_silent(balancer, family, spec, build(spec));
    }
}

BOOST_AUTO_TEST_CASE(without_a_program_on_egress_it_is_dropped) {
  Rejecting balancer(false);
  for (const auto& family : families)
    for (const auto proto : {proto_tcp, proto_udp}) {
      const PacketSpec spec{.from = family.client, .to = family.vip, .proto = proto};
      check_frame(balancer, build(spec), spec, drops(LB_NO_EGRESS, family.service(proto)));
    }
}

BOOST_AUTO_TEST_CASE(is_answered_so_often_and_no_more) {
  Rejecting balancer;
  const auto& family = families[0];
  const auto frame = build({.from = family.client, .to = family.vip, .flags = syn});
  std::size_t limited = 0;
  for (int i = 0; i < 20000; i++) limited += balancer.run(frame).verdict == XDP_DROP ? 1 : 0;
  for (int i = 0; i < 20000; i++) limited += balancer.run_inline(frame).verdict == XDP_DROP ? 1 : 0;
  BOOST_TEST(limited > 0U);
  BOOST_TEST(limited < 40000U);
  const auto number = service_number(balancer, family.service(proto_tcp));
  BOOST_TEST((balancer.totals()[{CounterId::service, number, LB_LIMITED}].packets == limited));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
