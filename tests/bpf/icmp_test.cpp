// SPDX-License-Identifier: GPL-2.0-only
// ICMP errors to a VIP go where the flow that they quote goes.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/bpf/expect.h"
#include "tests/bpf/icmp_frames.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(icmp_errors)

namespace {

constexpr std::uint16_t backends = 5;
const auto& families = icmp_families();

struct Services : Balancer {
  Services() {
    for (const auto& family : families)
      for (const auto proto : {proto_tcp, proto_udp}) {
        add_service(family.service(proto), 4096);
        for (std::uint16_t number = 1; number <= backends; number++)
          add_backend(family.service(proto), "10.0.0." + std::to_string(number), number);
      }
  }
};

Services& services() {
  static Services made;
  return made;
}

// What a backend answered the client from the VIP: its IP packet.
Bytes answer(const Family& family, PacketSpec spec) {
  std::swap(spec.sport, spec.dport);
  spec.from = family.vip;
  spec.to = family.client;
  const auto frame = build(spec);
  return {frame.begin() + static_cast<long>(l3_offset(spec)), frame.end()};
}

Bytes error_about(const Family& family, const Bytes& quoted, int type,
                  const std::vector<std::uint16_t>& tags = {}) {
  return icmp(family, message(family, family.router, 8 + quoted.size(), tags), type, 1, quoted);
}

void check_passed(const Family& family, const Bytes& frame, lb_reason reason) {
  check_frame(services(), frame, message(family, family.router, 0), passes(reason));
}

Bytes cut(Bytes packet, std::size_t size) {
  packet.resize(size);
  return packet;
}

}  // namespace

// Eight bytes of the transport are enough, for every type of error.
BOOST_AUTO_TEST_CASE(go_where_the_flow_goes) {
  for (const auto& family : families)
    for (const auto proto : {proto_tcp, proto_udp})
      for (std::uint16_t sport = 1000; sport < 1064; sport++) {
        const PacketSpec flow{
            .from = family.client, .to = family.vip, .proto = proto, .sport = sport};
        const auto backend = backend_of(services().run(build(flow)).out);
        const auto type = family.types.at(sport % 4);
        const auto quoted = cut(answer(family, flow), family.ip + 8);
        check_frame(services(), error_about(family, quoted, type),
                    message(family, family.router, 0), transmits(family.service(proto), backend));
      }
}

BOOST_AUTO_TEST_CASE(in_tags_about_options_and_extension_headers) {
  for (const auto& family : families)
    for (const std::vector<std::uint16_t>& tags :
         {std::vector<std::uint16_t>{ether_vlan}, {ether_service_vlan, ether_vlan}}) {
      PacketSpec flow{.from = family.client, .to = family.vip};
      const auto backend = backend_of(services().run(build(flow)).out);
      if (family.ip == 20)
        flow.options = Bytes(12, 1);
      else
        flow.extensions = {hop_by_hop(), destination_options(1)};
      check_frame(services(), error_about(family, answer(family, flow), family.types[0], tags),
                  message(family, family.router, 0, tags),
                  transmits(family.service(proto_tcp), backend));
    }
}

BOOST_AUTO_TEST_CASE(about_nothing_of_ours_pass) {
  for (const auto& family : families) {
    const PacketSpec flow{.from = family.client, .to = family.vip};
    const auto quoted = answer(family, flow);
    auto other_port = flow;
    other_port.dport = 81;
    check_passed(family, error_about(family, answer(family, other_port), family.types[0]),
                 LB_NOT_TRANSPORT);
    auto from_another = quoted;
    from_another.at(family.ip == 20 ? 15 : 23) ^= 1;  // the quoted source's last byte
    check_passed(family, error_about(family, from_another, family.types[0]), LB_NOT_TRANSPORT);
    for (const std::size_t size : {std::size_t{0}, family.ip - 1, family.ip, family.ip + 3})
      check_passed(family, error_about(family, cut(quoted, size), family.types[0]),
                   LB_NOT_TRANSPORT);
    for (const int type : {5, 9, 13, 42, 133, 255})
      check_passed(family, error_about(family, quoted, type), LB_NOT_TRANSPORT);
    auto of_icmp = flow;
    of_icmp.proto = family.icmp;
    check_passed(family, error_about(family, answer(family, of_icmp), family.types[0]),
                 LB_NOT_TRANSPORT);
  }
}

BOOST_AUTO_TEST_CASE(about_a_fragment_without_ports_are_dropped) {
  for (const auto& family : families) {
    PacketSpec flow{.from = family.client, .to = family.vip, .offset = 3};
    if (family.ip == 40) flow.extensions = {fragment(3, false)};
    check_frame(services(), error_about(family, answer(family, flow), family.types[0]),
                message(family, family.router, 0), drops(LB_ICMP_FRAGMENT));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
