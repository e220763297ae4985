// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/packet.h"

#include <algorithm>
#include <span>
#include <stdexcept>

#include "tests/support/checksum_model.h"

namespace xdplb::test {

namespace {

void add16(Bytes& bytes, std::size_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

template <typename Range>
void add(Bytes& bytes, const Range& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

Address source(const PacketSpec& spec) {
  if (spec.from != Address{}) return spec.from;
  return ip(spec.to.is_v4() ? "198.51.100.7" : "2001:db8:c::7");
}

bool is_later_fragment(const PacketSpec& spec) {
  return spec.offset != 0 || std::ranges::any_of(spec.extensions, [](const auto& extension) {
           return extension.type == 44 && (extension.rest[1] != 0 || extension.rest[2] > 7);
         });
}

// RFC 9293 3.1, RFC 768, with the pseudo header of RFC 9293 or RFC 8200 8.1.
Bytes transport(const PacketSpec& spec) {
  Bytes l4;
  const bool has_header = !is_later_fragment(spec);
  if (has_header && spec.proto == proto_tcp) {
    add16(l4, spec.sport);
    add16(l4, spec.dport);
    add(l4, Bytes{0, 0, 0, 1, 0, 0, 0, 2, 0x50, spec.flags, 0xff, 0xff, 0, 0, 0, 0});
  } else if (has_header && spec.proto == proto_udp) {
    add16(l4, spec.sport);
    add16(l4, spec.dport);
    add16(l4, 8 + spec.payload);
    add16(l4, 0);
  }
  const std::size_t header = l4.size();
  for (std::size_t i = 0; i < spec.payload; i++) l4.push_back(static_cast<std::uint8_t>(i * 7 + 3));
  if (header == 0) return l4;

  Bytes covered;
  add(covered, source(spec).wire());
  add(covered, spec.to.wire());
  add16(covered, l4.size() >> 16);
  add16(covered, l4.size());
  add16(covered, 0);
  add16(covered, spec.proto);
  add(covered, l4);
  const auto sum = checksum(covered);
  put16(l4, spec.proto == proto_tcp ? 16 : 6, sum == 0 && spec.proto == proto_udp ? 0xffff : sum);
  return l4;
}

void add_ipv4(Bytes& frame, const PacketSpec& spec, std::size_t payload) {
  const std::size_t l3 = frame.size();
  const std::size_t header = 20 + spec.options.size();
  frame.push_back(static_cast<std::uint8_t>(0x40 | header / 4));
  frame.push_back(0);
  add16(frame, header + payload);
  add16(frame, spec.id);
  add16(frame, (spec.dont_fragment ? 0x4000U : 0U) | (spec.more ? 0x2000U : 0U) | spec.offset);
  frame.push_back(spec.ttl);
  frame.push_back(spec.proto);
  add16(frame, 0);
  add(frame, source(spec).wire());
  add(frame, spec.to.wire());
  add(frame, spec.options);
  fix_ipv4_checksum(frame, l3);
}

void add_ipv6(Bytes& frame, const PacketSpec& spec, std::size_t payload) {
  std::size_t length = payload;
  for (const auto& extension : spec.extensions) length += 1 + extension.rest.size();
  add(frame, Bytes{0x60, 0, 0, 0});
  add16(frame, length);
  frame.push_back(spec.extensions.empty() ? spec.proto : spec.extensions[0].type);
  frame.push_back(spec.ttl);
  add(frame, source(spec).wire());
  add(frame, spec.to.wire());
  for (std::size_t i = 0; i < spec.extensions.size(); i++) {
    const bool last = i + 1 == spec.extensions.size();
    frame.push_back(last ? spec.proto : spec.extensions[i + 1].type);
    add(frame, spec.extensions[i].rest);
  }
}

Extension options_header(std::uint8_t type, std::uint8_t units) {
  Bytes rest(7 + 8 * std::size_t{units});
  rest[0] = units;
  rest[1] = 1;  // PadN over the rest
  rest[2] = static_cast<std::uint8_t>(4 + 8 * units);
  return {type, rest};
}

}  // namespace

Extension hop_by_hop(std::uint8_t units) { return options_header(0, units); }
Extension destination_options(std::uint8_t units) { return options_header(60, units); }

Extension routing(std::uint8_t segments_left, std::uint8_t type) {
  Bytes rest(23);  // room for one address
  rest[0] = 2;
  rest[1] = type;
  rest[2] = segments_left;
  return {43, rest};
}

Extension fragment(std::uint16_t offset, bool more) {
  const auto word = static_cast<std::uint16_t>(offset << 3 | (more ? 1 : 0));
  return {44,
          {0, static_cast<std::uint8_t>(word >> 8), static_cast<std::uint8_t>(word), 0, 0, 0, 9}};
}

Extension authentication(std::uint8_t words) {
  Bytes rest(4 * std::size_t{words} - 1);
  rest[0] = static_cast<std::uint8_t>(words - 2);
  return {51, rest};
}

std::size_t l3_offset(const PacketSpec& spec) { return 14 + 4 * spec.tags.size(); }

std::uint16_t get16(const Bytes& frame, std::size_t at) {
  return static_cast<std::uint16_t>(frame.at(at) << 8 | frame.at(at + 1));
}

void put16(Bytes& frame, std::size_t at, std::uint16_t value) {
  frame.at(at) = static_cast<std::uint8_t>(value >> 8);
  frame.at(at + 1) = static_cast<std::uint8_t>(value);
}

void fix_ipv4_checksum(Bytes& frame, std::size_t l3) {
  const std::size_t header = (frame.at(l3) & 15) * 4U;
  if (l3 + header > frame.size()) throw std::logic_error("the frame ends in its IPv4 header");
  put16(frame, l3 + 10, 0);
  put16(frame, l3 + 10, checksum(std::span(frame).subspan(l3, header)));
}

Bytes build(const PacketSpec& spec) {
  Bytes frame;
  add(frame, spec.dst);
  add(frame, spec.src);
  for (std::size_t i = 0; i < spec.tags.size(); i++) {
    add16(frame, spec.tags[i]);
    add16(frame, 0x6000 | (100 + i));  // a priority, and a VLAN's number
  }
  const bool v4 = spec.to.is_v4();
  add16(frame, v4 ? ether_ipv4 : ether_ipv6);
  const Bytes l4 = transport(spec);
  if (v4)
    add_ipv4(frame, spec, l4.size());
  else
    add_ipv6(frame, spec, l4.size());
  add(frame, l4);
  frame.resize(frame.size() + spec.padding);
  return frame;
}

}  // namespace xdplb::test
