// SPDX-License-Identifier: GPL-2.0-only
// Frames larger than a page: the program sees the first part of them in one piece.
#include <linux/bpf.h>

#include <boost/test/unit_test.hpp>

#include "plugin/error.h"
#include "tests/bpf/expect.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(large_frame)

namespace {

const std::string tcp4 = "192.0.2.10:80/tcp";
const std::string udp6 = "[2001:db8::10]:53/udp";
const Address v4 = ip("192.0.2.10");
const Address v6 = ip("2001:db8::10");

struct Services : Balancer {
  Services() {
    add_service(tcp4);
    add_service(udp6);
    add_backend(tcp4, "10.0.0.1", 1);
    add_backend(udp6, "2001:db8:b::2", 2);
  }
};

Services& services() {
  static Services made;
  return made;
}

constexpr std::size_t jumbo = 9000 - 40;

// Since Linux 6.18.
boost::test_tools::assertion_result can_shorten(boost::unit_test::test_unit_id) {
  try {
    return services().run(build({.to = v4}), loopback_ifindex, 20).verdict == XDP_PASS;
  } catch (const SystemError&) {
    boost::test_tools::assertion_result no(false);
    no.message() << "this kernel chooses the first buffer's size itself";
    return no;
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(in_several_buffers) {
  const std::vector<Case> cases{
      {"v4", {.to = v4, .payload = jumbo}, transmits(tcp4, 1)},
      {"v4, tagged", {.tags = {ether_vlan}, .to = v4, .payload = jumbo}, transmits(tcp4, 1)},
      {"v4, options", {.to = v4, .options = Bytes(40, 1), .payload = jumbo}, transmits(tcp4, 1)},
      {"v4, padded", {.to = v4, .payload = jumbo, .padding = 100}, transmits(tcp4, 1)},
      {"v4, padding alone is beyond",
       {.to = v4, .payload = 100, .padding = jumbo},
       transmits(tcp4, 1)},
      {"v6", {.to = v6, .proto = proto_udp, .dport = 53, .payload = jumbo}, transmits(udp6, 2)},
      {"v6, extension headers",
       {.to = v6,
        .proto = proto_udp,
        .dport = 53,
        .extensions = {hop_by_hop(9), routing(0)},
        .payload = jumbo},
       transmits(udp6, 2)},
      {"v4, as large as IP has it", {.to = v4, .payload = 65000}, transmits(tcp4, 1)},
      {"not for a service", {.to = ip("192.0.2.99"), .payload = jumbo}, passes(LB_NOT_SERVICE)},
      {"not for a service, v6",
       {.to = ip("2001:db8::99"), .payload = jumbo},
       passes(LB_NOT_SERVICE)},
      {"other port", {.to = v4, .dport = 81, .payload = jumbo}, passes(LB_NOT_SERVICE)},
      {"GRE", {.to = v4, .proto = 47, .payload = jumbo}, passes(LB_NOT_TRANSPORT)},
      {"later fragment", {.to = v4, .offset = 7, .payload = jumbo}, passes(LB_LATER_FRAGMENT)},
      {"first fragment", {.to = v4, .more = true, .payload = jumbo}, drops(LB_FRAGMENT, tcp4)},
      {"TTL 1", {.to = v4, .ttl = 1, .payload = jumbo}, drops(LB_TTL_EXPIRED, tcp4)},
      {"broadcast",
       {.dst = broadcast_mac, .to = v4, .payload = jumbo},
       passes(LB_GROUP_FRAME, tcp4)},
      {"length beyond the frame",
       {.to = v4, .payload = jumbo},
       drops(LB_MALFORMED),
       [](Bytes& f) { put16(f, 16, static_cast<std::uint16_t>(f.size() - 13)); }},
      {"length up to the frame's end",
       {.to = v4, .payload = jumbo, .padding = 64},
       counting(14 + 40 + jumbo + 64, transmits(tcp4, 1)),
       [](Bytes& f) {
         put16(f, 16, static_cast<std::uint16_t>(f.size() - 14));
         fix_ipv4_checksum(f, 14);
       }},
      {"ARP",
       {.to = v4, .payload = jumbo},
       no_family(passes(LB_NOT_IP)),
       [](Bytes& f) { put16(f, 12, 0x0806); }},
  };
  for (const auto& tried : cases) check(services(), tried);
}

// Sizes around where the first part ends, by each byte.
BOOST_AUTO_TEST_CASE(around_the_first_part) {
  std::size_t wrong = 0;
  for (std::size_t payload = 3000; payload < 4200; payload++) {
    const auto frame = build({.to = v4, .payload = payload});
    const auto run = services().run(frame);
    if (run.verdict != XDP_TX || run.out != sent_to(frame, 14, hop_to(1))) wrong++;
  }
  BOOST_TEST(wrong == 0U);
}

// Headers that reach beyond the first buffer are out of sight: as if the frame were cut there. What
// is not for a VIP still passes as it is, and nothing is ever sent that isn't right in full.
BOOST_AUTO_TEST_CASE(short_first_buffer, *boost::unit_test::precondition(can_shorten)) {
  const auto other4 = build({.to = ip("192.0.2.99"), .payload = 300});
  const auto other6 =
      build({.to = ip("2001:db8::99"), .extensions = {hop_by_hop(20)}, .payload = 300});
  const std::vector<PacketSpec> ours{
      {.to = v4, .payload = 300},
      {.tags = {ether_vlan}, .to = v4, .options = Bytes(40, 1), .payload = 300},
      {.to = v6, .proto = proto_udp, .dport = 53, .payload = 300},
      {.to = v6, .proto = proto_udp, .dport = 53, .extensions = {hop_by_hop(3)}, .payload = 300},
  };
  for (std::uint32_t linear = 14; linear < 256; linear++) {
    for (const auto& frame : {other4, other6}) {
      const auto run = services().run(frame, loopback_ifindex, linear);
      BOOST_TEST((run.verdict == XDP_PASS && run.out == frame), "passes with " << linear);
    }
    for (const auto& spec : ours) {
      const auto frame = build(spec);
      const auto header = frame.size() - spec.payload - (spec.proto == proto_tcp ? 20 : 8);
      const auto run = services().run(frame, loopback_ifindex, linear);
      const auto sent = sent_to(frame, l3_offset(spec), hop_to(spec.to == v4 ? 1 : 2));
      if (linear >= header + 4)
        BOOST_TEST((run.verdict == XDP_TX && run.out == sent));
      else
        BOOST_TEST((run.verdict == XDP_DROP || (run.verdict == XDP_PASS && run.out == frame)));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
