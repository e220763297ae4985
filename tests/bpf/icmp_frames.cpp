// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/icmp_frames.h"

#include <algorithm>

#include "tests/support/checksum_model.h"

namespace xdplb::test {

std::string Family::service(std::uint8_t proto) const {
  return ServiceId{vip, 80, static_cast<Protocol>(proto)}.to_string();
}

const std::vector<Family>& icmp_families() {
  static const std::vector<Family> families{
      {ip("192.0.2.10"), ip("203.0.113.1"), ip("198.51.100.7"), 1, 20, {3, 4, 11, 12}, 8, 0},
      {ip("2001:db8::10"),
       ip("2001:db8:f::1"),
       ip("2001:db8:c::7"),
       58,
       40,
       {1, 2, 3, 4},
       128,
       129},
  };
  return families;
}

void sum_icmp(Bytes& frame, const Family& family, std::size_t l3) {
  const auto l4 = l3 + family.ip;
  Bytes covered;
  if (family.icmp == 58) {
    covered.insert(covered.end(), frame.begin() + static_cast<long>(l3) + 8,
                   frame.begin() + static_cast<long>(l4));
    const auto size = frame.size() - l4;
    for (const auto byte : {std::size_t{0}, std::size_t{0}, size >> 8, size & 255, std::size_t{0},
                            std::size_t{0}, std::size_t{0}, std::size_t{58}})
      covered.push_back(static_cast<std::uint8_t>(byte));
  }
  put16(frame, l4 + 2, 0);
  covered.insert(covered.end(), frame.begin() + static_cast<long>(l4), frame.end());
  put16(frame, l4 + 2, checksum(covered));
}

PacketSpec message(const Family& family, const Address& from, std::size_t payload,
                   const std::vector<std::uint16_t>& tags) {
  return {.tags = tags,
          .from = from,
          .to = family.vip,
          .proto = family.icmp,
          .extensions = {},
          .payload = payload};
}

Bytes icmp(const Family& family, const PacketSpec& spec, int type, int code, const Bytes& rest) {
  auto frame = build(spec);
  const auto l4 = l3_offset(spec) + family.ip;
  frame.at(l4) = static_cast<std::uint8_t>(type);
  frame.at(l4 + 1) = static_cast<std::uint8_t>(code);
  std::ranges::copy(rest, frame.begin() + static_cast<long>(l4) + 8);
  sum_icmp(frame, family, l3_offset(spec));
  return frame;
}

Bytes router_error(const ServiceId& service, const Address& client, std::uint16_t port,
                   std::uint8_t ttl) {
  const auto& family = icmp_families().at(service.vip.is_v4() ? 0 : 1);
  const PacketSpec about{.from = service.vip,
                         .to = client,
                         .proto = static_cast<std::uint8_t>(service.protocol),
                         .sport = service.port,
                         .dport = port};
  const auto frame = build(about);
  const Bytes quoted(frame.begin() + static_cast<long>(l3_offset(about)), frame.end());
  auto sent = message(family, family.router, 8 + quoted.size());
  sent.to = service.vip;
  sent.ttl = ttl;
  return icmp(family, sent, family.types.front(), 1, quoted);
}

}  // namespace xdplb::test
