// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/pipeline_parse.h"

#include <algorithm>
#include <set>
#include <utility>

namespace xdplb::test {

namespace {

// IPv6 headers that are walked behind the first one before a packet is taken for something else.
constexpr unsigned max_extensions = 7;
constexpr unsigned max_quoted_extensions = 4;
// An ICMP message that starts behind this is none of ours.
constexpr std::size_t last_message = 0x3ff;

const std::set<unsigned> extension_types{0, 43, 44, 51, 60};

// The frame ends, or its packet, before what must be there.
struct CutShort {};

std::uint8_t byte_of(const Bytes& frame, std::size_t at, std::size_t end) {
  if (at >= end || at >= frame.size()) throw CutShort{};
  return frame[at];
}

std::uint16_t word_of(const Bytes& frame, std::size_t at, std::size_t end) {
  return static_cast<std::uint16_t>(byte_of(frame, at, end) * 256U + byte_of(frame, at + 1, end));
}

Address ipv4_at(const Bytes& frame, std::size_t at) {
  std::array<std::uint8_t, 16> address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::copy_n(frame.begin() + static_cast<long>(at), 4, address.begin() + 12);
  return Address(address);
}

Address ipv6_at(const Bytes& frame, std::size_t at) {
  std::array<std::uint8_t, 16> address{};
  std::copy_n(frame.begin() + static_cast<long>(at), 16, address.begin());
  return Address(address);
}

// IEEE 802.1Q: at most two tags. The ethertype behind them.
unsigned read_link(const Bytes& frame, Parsed& parsed) {
  std::size_t at = 12;
  unsigned type = word_of(frame, at, frame.size());
  for (int tags = 0; tags < 2 && (type == ether_vlan || type == ether_service_vlan); tags++) {
    at += 4;
    type = word_of(frame, at, frame.size());
  }
  parsed.l3 = at + 2;
  return type;
}

// RFC 791 3.1
void read_ipv4(const Bytes& frame, Parsed& parsed) {
  const auto l3 = parsed.l3;
  byte_of(frame, l3 + 19, frame.size());
  parsed.family = LB_IPV4;
  parsed.from = ipv4_at(frame, l3 + 12);
  parsed.to = ipv4_at(frame, l3 + 16);
  const std::size_t header = frame[l3] % 16 * 4U;
  const std::size_t total = word_of(frame, l3 + 2, frame.size());
  if (frame[l3] / 16 != 4 || header < 20 || total < header || l3 + total > frame.size())
    throw CutShort{};
  parsed.end = l3 + total;
  parsed.l4 = l3 + header;
  parsed.proto = frame[l3 + 9];
  const unsigned flags = word_of(frame, l3 + 6, frame.size());
  parsed.kind = (flags & 0x1fff) != 0   ? Parsed::later_fragment
                : (flags & 0x2000) != 0 ? Parsed::first_fragment
                                        : Parsed::whole;
}

struct Walk {
  std::uint8_t proto;
  std::size_t at;
  bool first_fragment = false;
  bool later_fragment = false;
  bool segments_left = false;  // so that the destination isn't the last one
};

// One extension header (RFC 8200 4, RFC 4302 2.2): false when there is nothing to see behind it.
bool step(const Bytes& frame, std::size_t end, Walk& walk) {
  const auto at = walk.at;
  byte_of(frame, at + 3, end);
  const auto type = std::exchange(walk.proto, frame[at]);
  if (type == 44) {  // RFC 6946: neither an offset nor more fragments is a whole packet
    const unsigned word = word_of(frame, at + 2, end);
    walk.later_fragment = word / 8 != 0;
    walk.first_fragment |= word % 2 != 0;
    walk.at += 8;
  } else {
    walk.segments_left = type == 43 && frame[at + 3] != 0;
    walk.at += type == 51 ? (frame[at + 1] + 2U) * 4 : (frame[at + 1] + 1U) * 8;
  }
  return !walk.later_fragment && !walk.segments_left;
}

// RFC 8200 3
void read_ipv6(const Bytes& frame, Parsed& parsed) {
  const auto l3 = parsed.l3;
  byte_of(frame, l3 + 39, frame.size());
  parsed.family = LB_IPV6;
  parsed.from = ipv6_at(frame, l3 + 8);
  parsed.to = ipv6_at(frame, l3 + 24);
  const std::size_t total = 40U + word_of(frame, l3 + 4, frame.size());
  if (frame[l3] / 16 != 6 || l3 + total > frame.size()) throw CutShort{};
  parsed.end = l3 + total;
  Walk walk{frame[l3 + 6], l3 + 40};
  bool too_many = false;
  for (unsigned walked = 0; extension_types.contains(walk.proto) && !too_many; walked++) {
    byte_of(frame, walk.at + 7, parsed.end);
    too_many = walked == max_extensions;
    if (!step(frame, parsed.end, walk)) break;
  }
  parsed.proto = walk.proto;
  parsed.l4 = walk.at;
  parsed.extensions = walk.at != l3 + 40;
  parsed.kind = walk.later_fragment              ? Parsed::later_fragment
                : walk.segments_left || too_many ? Parsed::other
                : walk.first_fragment            ? Parsed::first_fragment
                                                 : Parsed::whole;
}

// RFC 9293 3.1, RFC 768. Of a first fragment the ports are enough.
void read_transport(const Bytes& frame, Parsed& parsed) {
  const auto icmp = parsed.family == LB_IPV4 ? 1 : 58;
  if (parsed.proto == icmp && parsed.kind == Parsed::whole && parsed.l4 + 8 <= parsed.end) {
    parsed.kind = Parsed::icmp;
    return;
  }
  if (parsed.proto != proto_tcp && parsed.proto != proto_udp) {
    parsed.kind = Parsed::other;
    return;
  }
  const std::size_t header = parsed.proto == proto_tcp ? 20 : 8;
  byte_of(frame, parsed.l4 + (parsed.kind == Parsed::first_fragment ? 4 : header) - 1, parsed.end);
  parsed.sport = word_of(frame, parsed.l4, parsed.end);
  parsed.dport = word_of(frame, parsed.l4 + 2, parsed.end);
}

bool is_error(const Parsed& message, unsigned type) {
  if (message.family == LB_IPV6) return type >= 1 && type <= 4;  // RFC 4443 3
  return type == 3 || type == 4 || type == 11 || type == 12;     // RFC 792
}

// Where the quoted packet's transport starts; it came from the VIP.
Walk read_quoted_ipv4(const Bytes& frame, const Parsed& message, std::size_t at, Quote& quote) {
  byte_of(frame, at + 19, message.end);
  if (frame[at] / 16 != 4 || frame[at] % 16 < 5 || ipv4_at(frame, at + 12) != message.to)
    throw CutShort{};
  quote.client = ipv4_at(frame, at + 16);
  const unsigned flags = word_of(frame, at + 6, message.end);
  return {frame[at + 9], at + frame[at] % 16 * 4U, (flags & 0x2000) != 0, (flags & 0x1fff) != 0};
}

Walk read_quoted_ipv6(const Bytes& frame, const Parsed& message, std::size_t at, Quote& quote) {
  byte_of(frame, at + 39, message.end);
  if (frame[at] / 16 != 6 || ipv6_at(frame, at + 8) != message.to) throw CutShort{};
  quote.client = ipv6_at(frame, at + 24);
  Walk walk{frame[at + 6], at + 40};
  for (unsigned walked = 0; extension_types.contains(walk.proto); walked++) {
    if (walked == max_quoted_extensions) throw CutShort{};
    if (!step(frame, message.end, walk)) break;
  }
  if (walk.segments_left) throw CutShort{};
  return walk;
}

}  // namespace

Parsed parse(const Bytes& frame) {
  Parsed parsed;
  parsed.end = frame.size();
  try {
    const auto type = read_link(frame, parsed);
    if (type != ether_ipv4 && type != ether_ipv6) return parsed;
    if (type == ether_ipv4)
      read_ipv4(frame, parsed);
    else
      read_ipv6(frame, parsed);
    if (parsed.kind == Parsed::whole || parsed.kind == Parsed::first_fragment)
      read_transport(frame, parsed);
  } catch (const CutShort&) {
    parsed.kind = Parsed::malformed;
  }
  return parsed;
}

Quote quoted(const Bytes& frame, const Parsed& message) {
  Quote quote;
  if (message.l4 > last_message || !is_error(message, frame[message.l4])) return quote;
  try {
    const auto at = message.l4 + 8;
    const auto walk = message.family == LB_IPV4 ? read_quoted_ipv4(frame, message, at, quote)
                                                : read_quoted_ipv6(frame, message, at, quote);
    quote.proto = walk.proto;
    quote.l4 = walk.at;
    quote.plain = walk.at == at + (message.family == LB_IPV4 ? 20 : 40) && !walk.first_fragment;
    if (!walk.later_fragment && walk.proto != proto_tcp && walk.proto != proto_udp) return quote;
    if (!walk.later_fragment) {  // the VIP's port is the first one
      quote.dport = word_of(frame, walk.at, message.end);
      quote.sport = word_of(frame, walk.at + 2, message.end);
    }
    quote.kind = walk.later_fragment ? Quote::of_fragment : Quote::of_flow;
  } catch (const CutShort&) {
    quote.kind = Quote::nothing;
  }
  return quote;
}

}  // namespace xdplb::test
