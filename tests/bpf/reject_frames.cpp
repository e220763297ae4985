// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/reject_frames.h"

#include <algorithm>

#include "tests/support/checksum_model.h"

namespace xdplb::test {

namespace {

PacketSpec answer_to(const Family& family, const PacketSpec& asked, std::uint8_t proto,
                     std::size_t payload) {
  return {.dst = asked.src,
          .src = asked.dst,
          .tags = asked.tags,
          .from = family.vip,
          .to = family.client,
          .proto = proto,
          .sport = asked.dport,
          .dport = asked.sport,
          .id = 0,
          .dont_fragment = proto == proto_tcp,
          .payload = payload};
}

}  // namespace

void put32(Bytes& frame, std::size_t at, std::uint32_t value) {
  put16(frame, at, static_cast<std::uint16_t>(value >> 16));
  put16(frame, at + 2, static_cast<std::uint16_t>(value));
}

void sum_tcp(Bytes& frame, const Family& family, std::size_t l3) {
  const auto l4 = l3 + family.ip;
  const auto from = [&](std::size_t at) { return frame.begin() + static_cast<long>(at); };
  put16(frame, l4 + 16, 0);
  Bytes covered(from(l3 + (family.ip == 20 ? 12 : 8)), frame.end());
  const auto size = frame.size() - l4;
  const Bytes pseudo{static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size), 0,
                     proto_tcp};
  covered.insert(covered.begin(), pseudo.begin(), pseudo.end());
  put16(frame, l4 + 16, checksum(covered));
}

Bytes reset(const Family& family, const PacketSpec& asked, std::uint8_t flags, TcpNumbers numbers) {
  auto spec = answer_to(family, asked, proto_tcp, 0);
  spec.flags = flags;
  auto frame = build(spec);
  const auto l4 = l3_offset(spec) + family.ip;
  put32(frame, l4 + 4, numbers.seq);
  put32(frame, l4 + 8, numbers.ack);
  put16(frame, l4 + 14, 0);  // no window
  sum_tcp(frame, family, l3_offset(spec));
  return frame;
}

Bytes unreachable(const Family& family, const PacketSpec& asked, const Bytes& frame) {
  const auto l3 = l3_offset(asked);
  const auto quote =
      std::min(frame.size() - asked.padding - l3, std::size_t{family.ip == 20 ? 548U : 1232U});
  const auto spec = answer_to(family, asked, family.icmp, 8 + quote);
  const auto from = frame.begin() + static_cast<long>(l3);
  auto message = icmp(family, spec, family.ip == 20 ? 3 : 1, family.ip == 20 ? 3 : 4,
                      Bytes(from, from + static_cast<long>(quote)));
  put32(message, l3 + family.ip + 4, 0);
  sum_icmp(message, family, l3);
  return message;
}

}  // namespace xdplb::test
