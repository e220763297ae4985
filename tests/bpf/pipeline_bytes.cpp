// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/pipeline_bytes.h"

#include <algorithm>
#include <span>

#include "tests/support/checksum_model.h"
#include "tests/support/outer.h"

namespace xdplb::test {

void append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

void append16(Bytes& bytes, std::size_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

Bytes part(const Bytes& frame, std::size_t from, std::size_t to) {
  return {frame.begin() + static_cast<long>(from), frame.begin() + static_cast<long>(to)};
}

namespace {

// RFC 9293 3.1, RFC 768, RFC 8200 8.1
Bytes pseudo_header(const Bytes& frame, const Parsed& packet) {
  const bool v4 = packet.family == LB_IPV4;
  Bytes pseudo = part(frame, packet.l3 + (v4 ? 12 : 8), packet.l3 + (v4 ? 20 : 40));
  append16(pseudo, (packet.end - packet.l4) >> 16);
  append16(pseudo, packet.end - packet.l4);
  append16(pseudo, 0);
  append16(pseudo, packet.proto);
  return pseudo;
}

// The checksum of the transport, whose field is at this offset in it.
std::uint16_t transport_checksum(const Bytes& frame, const Parsed& packet, std::size_t field) {
  Bytes covered;
  if (packet.proto != 1) covered = pseudo_header(frame, packet);
  const auto start = covered.size();
  append(covered, part(frame, packet.l4, packet.end));
  put16(covered, start + field, 0);
  return checksum(covered);
}

// RFC 1624, equation 3: a checksum that was wrong stays so, by as much.
std::uint16_t moved_checksum(std::uint16_t check, std::uint16_t from, std::uint16_t to) {
  Bytes terms;
  for (const unsigned term : {0xffffU - check, 0xffffU - from, unsigned{to}}) append16(terms, term);
  return checksum(terms);
}

std::uint16_t header_checksum(Bytes frame, std::size_t l3) {
  fix_ipv4_checksum(frame, l3);
  return get16(frame, l3 + 10);
}

// The IPv4 header with another TTL.
void set_ttl(Bytes& frame, std::size_t l3, std::uint8_t ttl) {
  const bool right = header_checksum(frame, l3) == get16(frame, l3 + 10);
  const auto from = get16(frame, l3 + 8);
  frame[l3 + 8] = ttl;
  put16(frame, l3 + 10,
        right ? header_checksum(frame, l3)
              : moved_checksum(get16(frame, l3 + 10), from, get16(frame, l3 + 8)));
}

// RFC 1812 5.3.1, RFC 8200 3
Bytes one_hop_less(Bytes frame, const Parsed& packet) {
  if (packet.family == LB_IPV4)
    set_ttl(frame, packet.l3, static_cast<std::uint8_t>(frame[packet.l3 + 8] - 1));
  else
    frame[packet.l3 + 7]--;
  return frame;
}

// Has the packet a checksum over all of its transport, right behind the IP header?
bool is_summed(const Bytes& frame, const Parsed& packet) {
  if (packet.kind != Parsed::whole && packet.kind != Parsed::icmp) return false;
  if (packet.extensions) return false;
  return packet.proto != proto_udp ||
         (get16(frame, packet.l4 + 6) != 0 &&
          get16(frame, packet.l4 + 4) == packet.end - packet.l4);  // RFC 9868: less may be UDP's
}

// The packet as it was sent, where its checksums tell of an error since.
Bytes with_right_checksums(Bytes frame, const Parsed& packet) {
  if (packet.family == LB_IPV4) fix_ipv4_checksum(frame, packet.l3);
  const std::size_t field = packet.proto == proto_tcp ? 16 : packet.proto == proto_udp ? 6 : 2;
  put16(frame, packet.l4 + field, transport_checksum(frame, packet, field));
  return frame;
}

// The outer UDP checksum in IPv6 follows from those inside, right or not.
Bytes as_tunnel(const Bytes& frame, const Parsed& packet, const PipelineBackend& backend,
                std::uint16_t gue_port, std::uint16_t entropy) {
  const auto inner = as_l2(frame, packet, backend.way);
  Outer outer{backend.forward, backend.source.value(), backend.id.address, entropy, gue_port};
  outer.checksum = is_summed(frame, packet);
  auto bytes = wrap(inner, packet.l3, packet.end, outer);
  if (backend.forward != Forward::gue || backend.id.address.is_v4() || !outer.checksum)
    return bytes;
  const auto right = wrap(with_right_checksums(inner, packet), packet.l3, packet.end, outer);
  put16(bytes, packet.l3 + 46, get16(right, packet.l3 + 46));
  return bytes;
}

void swap_ends(Bytes& frame, std::size_t first, std::size_t second, std::size_t size) {
  const auto at = [&](std::size_t offset) { return frame.begin() + static_cast<long>(offset); };
  std::swap_ranges(at(first), at(first + size), at(second));
}

// How much of a packet that is too big is quoted: RFC 1812 4.3.2.3, RFC 4443 2.4 c.
std::size_t quote_size(const Parsed& packet) {
  return packet.family == LB_IPV4 ? 576 - 20 - 8 : 1280 - 40 - 8;
}

}  // namespace

Bytes as_l2(Bytes frame, const Parsed& packet, const Way& way) {
  frame = one_hop_less(std::move(frame), packet);
  std::ranges::copy(way.dst, frame.begin());
  std::ranges::copy(way.src, frame.begin() + 6);
  if (way.tags == Way::one)  // priority and drop eligibility stay
    put16(frame, 14, static_cast<std::uint16_t>((get16(frame, 14) & 0xf000) | way.vlan));
  return frame;
}

unsigned hops_left(const Bytes& frame, const Parsed& packet) {
  return frame[packet.l3 + (packet.family == LB_IPV4 ? 8U : 7U)];
}

unsigned overhead(const PipelineBackend& backend) {
  const unsigned ip = backend.id.address.is_v4() ? 20 : 40;
  switch (backend.forward) {
    case Forward::ipip:
      return ip;
    case Forward::gue:
      return ip + 8 + 4;
    case Forward::gre:
      return ip + 4;
    default:
      return 0;
  }
}

Bytes bytes_for(const Bytes& frame, const Parsed& packet, const PipelineBackend& backend,
                std::uint16_t gue_port, std::uint16_t entropy) {
  switch (backend.forward) {
    case Forward::ipip:
    case Forward::gue:
    case Forward::gre:
      return as_tunnel(frame, packet, backend, gue_port, entropy);
    default:
      return as_l2(frame, packet, backend.way);
  }
}

bool may_be_answered(const Parsed& packet) {
  const auto& from = packet.from.bytes();
  if (packet.family == LB_IPV4) return from[12] != 0 && from[12] != 127 && from[12] < 224;
  return from[0] != 0xff && packet.from != ip("::") && packet.from != ip("::1");
}

bool is_echo_request(const Bytes& frame, const Parsed& packet) {
  return packet.l4 <= 0x3ff && frame[packet.l4] == (packet.family == LB_IPV4 ? 8 : 128) &&
         frame[packet.l4 + 1] == 0;
}

// RFC 792, RFC 4443 4.2: all else is returned as it came. A checksum of zero is written as 0xffff:
// the same sum, and right too where every other byte is zero.
Bytes echo_reply(const Bytes& frame, const Parsed& packet) {
  const auto l3 = packet.l3;
  const auto l4 = packet.l4;
  const bool v4 = packet.family == LB_IPV4;
  const bool right = transport_checksum(frame, packet, 2) == get16(frame, l4 + 2);
  auto reply = frame;
  swap_ends(reply, 0, 6, 6);
  swap_ends(reply, l3 + (v4 ? 12 : 8), l3 + (v4 ? 16 : 24), v4 ? 4 : 16);
  if (v4)
    set_ttl(reply, l3, 64);
  else
    reply[l3 + 7] = 64;
  reply[l4] = v4 ? 0 : 129;
  const auto sum = right ? transport_checksum(reply, packet, 2)
                         : moved_checksum(get16(frame, l4 + 2), get16(frame, l4), get16(reply, l4));
  put16(reply, l4 + 2, sum == 0 ? std::uint16_t{0xffff} : sum);
  return reply;
}

// Not about ICMP errors, fragments behind the first (RFC 1122 3.2.2), and who may be fragmented. A
// packet without room for the quote and an order's addresses is not told either.
bool may_be_told(const Bytes& frame, const Parsed& packet) {
  if (packet.kind == Parsed::icmp || !may_be_answered(packet) ||
      packet.end < packet.l3 + quote_size(packet) + 12)
    return false;
  return packet.family == LB_IPV6 ||
         (packet.kind != Parsed::later_fragment && (get16(frame, packet.l3 + 6) & 0x4000) != 0);
}

// RFC 1191 4, RFC 4443 3.2: from the VIP to the client, back where the packet came from.
Bytes packet_too_big(const Bytes& frame, const Parsed& packet, unsigned mtu) {
  const bool v4 = packet.family == LB_IPV4;
  const auto quote = quote_size(packet);
  auto message = part(frame, 0, packet.l3);
  swap_ends(message, 0, 6, 6);
  Parsed reply = packet;
  reply.proto = v4 ? 1 : 58;
  append(message, v4 ? Bytes{0x45, 0} : Bytes{0x60, 0, 0, 0});
  append16(message, v4 ? 20 + 8 + quote : 8 + quote);
  append(message, v4 ? Bytes{0, 0, 0, 0, 64, 1, 0, 0} : Bytes{58, 64});
  const std::size_t address = v4 ? 4 : 16;
  const auto from = packet.l3 + (v4 ? 12 : 8);
  append(message, part(frame, from + address, from + 2 * address));
  append(message, part(frame, from, from + address));
  if (v4) fix_ipv4_checksum(message, packet.l3);
  reply.l4 = message.size();
  append(message, v4 ? Bytes{3, 4, 0, 0, 0, 0} : Bytes{2, 0, 0, 0, 0, 0});
  append16(message, v4 ? mtu : std::max(mtu, 1280U));
  append(message, part(frame, packet.l3, packet.l3 + quote));
  reply.end = message.size();
  put16(message, reply.l4 + 2, transport_checksum(message, reply, 2));
  return message;
}

}  // namespace xdplb::test
