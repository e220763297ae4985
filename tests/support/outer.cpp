// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/outer.h"

#include <algorithm>

#include "tests/support/checksum_model.h"

namespace xdplb::test {

namespace {

void append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

Bytes word(unsigned value) {
  return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

Bytes wire(const Address& address) { return {address.wire().begin(), address.wire().end()}; }

// What stands between the outer IP header and the packet.
Bytes tunnel(const Outer& outer, bool inner_v4, std::size_t inner_size) {
  Bytes bytes;
  if (outer.forward == Forward::gre) {
    append(bytes, word(0));
    append(bytes, word(inner_v4 ? ether_ipv4 : ether_ipv6));
  }
  if (outer.forward == Forward::gue) {
    append(bytes, word(0xc000U | (outer.entropy & 0x3fffU)));
    append(bytes, word(outer.gue_port));
    append(bytes, word(static_cast<unsigned>(8 + 4 + inner_size)));
    append(bytes, word(0));
    append(bytes, {0, static_cast<std::uint8_t>(inner_v4 ? 4 : 41), 0, 0});
  }
  return bytes;
}

std::uint8_t protocol(const Outer& outer, bool inner_v4) {
  if (outer.forward == Forward::gre) return 47;
  if (outer.forward == Forward::gue) return 17;
  return inner_v4 ? 4 : 41;
}

Bytes ipv4_header(const Outer& outer, std::uint8_t tos, std::uint8_t proto, std::size_t payload) {
  Bytes header{0x45, tos};
  append(header, word(static_cast<unsigned>(20 + payload)));
  append(header, {0, 0, 0x40, 0, 64, proto, 0, 0});
  append(header, wire(outer.from));
  append(header, wire(outer.to));
  put16(header, 10, checksum(header));
  return header;
}

Bytes ipv6_header(const Outer& outer, std::uint8_t tos, std::uint8_t proto, std::size_t payload) {
  Bytes header{static_cast<std::uint8_t>(0x60 | tos >> 4), static_cast<std::uint8_t>(tos << 4)};
  append(header, word(outer.entropy));
  append(header, word(static_cast<unsigned>(payload)));
  append(header, {proto, 64});
  append(header, wire(outer.from));
  append(header, wire(outer.to));
  return header;
}

// RFC 8200 8.1
void sum_udp6(Bytes& payload, const Outer& outer) {
  Bytes covered = wire(outer.from);
  append(covered, wire(outer.to));
  append(covered, {0, 0});
  append(covered, word(static_cast<unsigned>(payload.size())));
  append(covered, {0, 0, 0, 17});
  append(covered, payload);
  const auto sum = checksum(covered);
  put16(payload, 6, sum == 0 ? std::uint16_t{0xffff} : sum);
}

}  // namespace

Bytes wrap(const Bytes& frame, std::size_t l3, std::size_t end, const Outer& outer) {
  const auto at = [&](std::size_t offset) { return frame.begin() + static_cast<long>(offset); };
  const bool inner_v4 = frame.at(l3) / 16 == 4;
  const auto tos = inner_v4 ? frame.at(l3 + 1)
                            : static_cast<std::uint8_t>(frame.at(l3) << 4 | frame.at(l3 + 1) >> 4);
  Bytes payload = tunnel(outer, inner_v4, end - l3);
  payload.insert(payload.end(), at(l3), at(end));
  if (outer.forward == Forward::gue && !outer.to.is_v4() && outer.checksum)
    sum_udp6(payload, outer);

  Bytes result(frame.begin(), at(l3));
  put16(result, l3 - 2, outer.to.is_v4() ? ether_ipv4 : ether_ipv6);
  const auto proto = protocol(outer, inner_v4);
  append(result, outer.to.is_v4() ? ipv4_header(outer, tos, proto, payload.size())
                                  : ipv6_header(outer, tos, proto, payload.size()));
  append(result, payload);
  result.insert(result.end(), at(end), frame.end());
  return result;
}

}  // namespace xdplb::test
