// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/pipeline_nat.h"

#include <algorithm>

#include "tests/bpf/pipeline_bytes.h"
#include "tests/support/checksum_model.h"

namespace xdplb::test {

namespace {

// Where a packet is in a frame.
struct Place {
  std::size_t l3;
  std::size_t l4;
  std::size_t end;
  bool v4;
  std::uint8_t proto;
};

// What a checksum becomes with the bytes that it covers: computed over all of them where it was
// right, and else wrong by as much as it was (RFC 1624, equation 3).
std::uint16_t follow(std::uint16_t check, Bytes before, Bytes after) {
  const auto right = checksum(before);
  if (right == check || (right == 0 && check == 0xffff)) return checksum(after);
  Bytes terms;
  append16(terms, 0xffffU - check);
  before.resize(before.size() + before.size() % 2);
  after.resize(before.size());
  for (auto& byte : before) byte = static_cast<std::uint8_t>(~byte);
  append(terms, before);
  append(terms, after);
  return checksum(terms);
}

Bytes covered_by_header(const Bytes& frame, std::size_t l3) {
  auto header = part(frame, l3, l3 + frame.at(l3) % 16 * 4U);
  put16(header, 10, 0);
  return header;
}

// With the pseudo-header: RFC 9293 3.1, RFC 768, RFC 4443 2.3, RFC 8200 8.1.
Bytes covered_by_transport(const Bytes& frame, const Place& place, std::size_t field) {
  auto end = place.end;
  if (place.proto == proto_udp) {  // RFC 768: its own length, where that can be
    const std::size_t length = get16(frame, place.l4 + 4);
    if (length >= 8 && place.l4 + length <= end) end = place.l4 + length;
  }
  Bytes covered;
  if (!place.v4 || place.proto != 1) {
    covered = part(frame, place.l3 + (place.v4 ? 12 : 8), place.l3 + (place.v4 ? 20 : 40));
    append16(covered, end - place.l4);
    append16(covered, place.proto);
  }
  const auto start = covered.size();
  append(covered, part(frame, place.l4, end));
  put16(covered, start + field, 0);
  return covered;
}

void put_address(Bytes& frame, std::size_t at, bool v4, const Address& address) {
  const auto& bytes = address.bytes();
  std::copy(bytes.begin() + (v4 ? 12 : 0), bytes.end(), frame.begin() + static_cast<long>(at));
}

void put_addresses(Bytes& frame, std::size_t l3, bool v4, const Address& from, const Address& to) {
  const auto before = frame;
  put_address(frame, l3 + (v4 ? 12 : 8), v4, from);
  put_address(frame, l3 + (v4 ? 16 : 24), v4, to);
  if (v4)
    put16(
        frame, l3 + 10,
        follow(get16(frame, l3 + 10), covered_by_header(before, l3), covered_by_header(frame, l3)));
}

// Addresses, ports, and the transport's checksum if it is there: one of UDP that is zero is none,
// and none becomes zero.
void put_ends(Bytes& frame, const Place& place, const Tuple& to) {
  const auto before = frame;
  put_addresses(frame, place.l3, place.v4, to.from, to.to);
  put16(frame, place.l4, to.sport);
  put16(frame, place.l4 + 2, to.dport);
  const std::size_t field = place.proto == proto_tcp ? 16 : 6;
  if (place.l4 + field + 2 > place.end) return;
  const auto check = get16(frame, place.l4 + field);
  const bool udp = place.proto == proto_udp;
  if (udp && check == 0) return;
  const auto wanted = follow(check, covered_by_transport(before, place, field),
                             covered_by_transport(frame, place, field));
  put16(frame, place.l4 + field, udp && wanted == 0 ? std::uint16_t{0xffff} : wanted);
}

}  // namespace

Bytes rewritten(Bytes frame, const Parsed& packet, const Tuple& to) {
  const bool v4 = packet.family == LB_IPV4;
  if (packet.kind == Parsed::later_fragment)
    put_addresses(frame, packet.l3, v4, to.from, to.to);
  else
    put_ends(frame, {packet.l3, packet.l4, packet.end, v4, packet.proto}, to);
  return frame;
}

Bytes rewritten_error(Bytes frame, const Parsed& packet, const Quote& quote, const Tuple& to,
                      bool source_too) {
  const bool v4 = packet.family == LB_IPV4;
  const Place message{packet.l3, packet.l4, packet.end, v4, packet.proto};
  const auto before = covered_by_transport(frame, message, 2);
  put_addresses(frame, packet.l3, v4, source_too ? to.from : packet.from, to.to);
  put_ends(frame, {packet.l4 + 8, quote.l4, packet.end, v4, quote.proto}, to.turned());
  put16(frame, packet.l4 + 2,
        follow(get16(frame, packet.l4 + 2), before, covered_by_transport(frame, message, 2)));
  return frame;
}

}  // namespace xdplb::test
