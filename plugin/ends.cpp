// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/ends.h"

#include <arpa/inet.h>
#include <linux/in.h>

#include <cstring>

namespace xdplb {

namespace {

std::string protocol_name(std::uint8_t proto) {
  switch (proto) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
      return std::string(to_string(static_cast<Protocol>(proto)));
    case IPPROTO_ICMP:
      return "icmp";
    case 58:  // IPPROTO_ICMPV6
      return "icmpv6";
    default:
      return std::to_string(proto);
  }
}

}  // namespace

BackendId end_of(std::span<const __u64, 2> address, unsigned wire_port) {
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), address.data(), bytes.size());
  return {Address(bytes), ntohs(static_cast<std::uint16_t>(wire_port))};
}

Ends ends_of(const Dissected& packet) {
  if (packet.family == LB_NO_FAMILY) return {};
  return {end_of(packet.key.src, packet.key.ports & 0xffff).to_string(),
          end_of(packet.key.dst, packet.key.ports >> 16).to_string(),
          protocol_name(packet.key.proto)};
}

}  // namespace xdplb
