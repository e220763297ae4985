// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/oracle.h"

#include <linux/bpf.h>

#include <algorithm>
#include <utility>

namespace xdplb::test {

namespace {

constexpr unsigned max_extensions = 7;  // walked before a packet is taken for something else

// The frame ends, or its packet, before what must be there.
struct CutShort {};

// How much of the packet says what, as far as it could be read.
struct Reading {
  lb_family family = LB_NO_FAMILY;
  Address destination{};
  std::size_t l3 = 0;
  std::size_t end = 0;  // of the packet; of the frame while that isn't known
};

struct Transport {
  std::uint8_t proto = 0;
  std::size_t at = 0;
  bool first_fragment = false;
  bool later_fragment = false;
  bool other = false;  // segments left, or too many headers
};

std::uint8_t byte_of(const Bytes& frame, std::size_t at, std::size_t end) {
  if (at >= end || at >= frame.size()) throw CutShort{};
  return frame[at];
}

unsigned word_of(const Bytes& frame, std::size_t at, std::size_t end) {
  return byte_of(frame, at, end) * 256U + byte_of(frame, at + 1, end);
}

std::optional<unsigned> read_link(const Bytes& frame, Reading& reading) {
  std::size_t at = 12;
  unsigned type = word_of(frame, at, frame.size());
  for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8); tags++) {
    at += 4;
    type = word_of(frame, at, frame.size());
  }
  if (type != 0x0800 && type != 0x86dd) return std::nullopt;
  reading.l3 = at + 2;
  return type;
}

Transport read_ipv4(const Bytes& frame, Reading& reading) {
  const auto l3 = reading.l3;
  byte_of(frame, l3 + 19, frame.size());
  reading.family = LB_IPV4;
  std::array<std::uint8_t, 16> address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::copy_n(frame.begin() + static_cast<long>(l3) + 16, 4, address.begin() + 12);
  reading.destination = Address(address);

  const std::size_t header = frame[l3] % 16 * 4U;
  const std::size_t total = word_of(frame, l3 + 2, frame.size());
  if (frame[l3] / 16 != 4 || header < 20 || total < header || l3 + total > frame.size())
    throw CutShort{};
  reading.end = l3 + total;
  const unsigned flags = word_of(frame, l3 + 6, frame.size());
  return {frame[l3 + 9], l3 + header, (flags & 0x2000) != 0, (flags & 0x1fff) != 0};
}

// One extension header; false when there is nothing to see behind it.
bool step(const Bytes& frame, const Reading& reading, Transport& transport) {
  const auto at = transport.at;
  byte_of(frame, at + 7, reading.end);
  const auto type = std::exchange(transport.proto, frame[at]);
  if (type == 44) {
    const unsigned word = word_of(frame, at + 2, reading.end);
    transport.later_fragment = word / 8 != 0;
    transport.first_fragment |= word % 2 != 0;
    transport.at += 8;
    return !transport.later_fragment;
  }
  transport.other = type == 43 && frame[at + 3] != 0;
  transport.at += type == 51 ? (frame[at + 1] + 2U) * 4 : (frame[at + 1] + 1U) * 8;
  return !transport.other;
}

Transport read_ipv6(const Bytes& frame, Reading& reading) {
  const auto l3 = reading.l3;
  byte_of(frame, l3 + 39, frame.size());
  reading.family = LB_IPV6;
  std::array<std::uint8_t, 16> address{};
  std::copy_n(frame.begin() + static_cast<long>(l3) + 24, 16, address.begin());
  reading.destination = Address(address);

  const std::size_t total = 40U + word_of(frame, l3 + 4, frame.size());
  if (frame[l3] / 16 != 6 || l3 + total > frame.size()) throw CutShort{};
  reading.end = l3 + total;
  Transport transport{frame[l3 + 6], l3 + 40};
  const std::set<unsigned> extensions{0, 43, 44, 51, 60};
  for (unsigned walked = 0; extensions.contains(transport.proto); walked++) {
    if (!step(frame, reading, transport)) break;
    if (walked == max_extensions) transport.other = true;
    if (transport.other) break;
  }
  return transport;
}

}  // namespace

bool Oracle::is_vip(const Address& address) const {
  return std::ranges::any_of(services_,
                             [&](const auto& service) { return service.vip == address; });
}

std::optional<ServiceId> Oracle::find(const Address& vip, std::uint8_t proto,
                                      std::uint16_t port) const {
  for (const auto wanted : {port, std::uint16_t{0}}) {
    const ServiceId id{vip, wanted, static_cast<Protocol>(proto)};
    if (services_.contains(id)) return id;
  }
  return std::nullopt;
}

Verdict Oracle::judge(const Bytes& frame) const {
  Reading reading;
  reading.end = frame.size();
  const auto because = [&](lb_reason reason, std::optional<ServiceId> service = std::nullopt) {
    return Verdict{reason, reading.family, reading.end, service, reading.l3};
  };
  try {
    const auto type = read_link(frame, reading);
    if (!type) return because(LB_NOT_IP);
    const auto transport = *type == 0x0800 ? read_ipv4(frame, reading) : read_ipv6(frame, reading);
    if (transport.later_fragment) return because(LB_LATER_FRAGMENT);
    if (transport.other || (transport.proto != proto_tcp && transport.proto != proto_udp))
      return because(LB_NOT_TRANSPORT);
    const std::size_t header = transport.proto == proto_tcp ? 20 : 8;
    byte_of(frame, transport.at + (transport.first_fragment ? 4 : header) - 1, reading.end);

    const auto port = word_of(frame, transport.at + 2, reading.end);
    const auto service =
        find(reading.destination, transport.proto, static_cast<std::uint16_t>(port));
    if (!service) return because(LB_NOT_SERVICE);
    if (transport.first_fragment) return because(LB_FRAGMENT, service);
    if (frame[0] % 2 != 0) return because(LB_GROUP_FRAME, service);
    const auto ttl = frame[reading.l3 + (reading.family == LB_IPV4 ? 8U : 7U)];
    return because(ttl <= 1 ? LB_TTL_EXPIRED : LB_FORWARDED, service);
  } catch (const CutShort&) {
    const bool known = reading.family != LB_NO_FAMILY;
    return because(known && is_vip(reading.destination) ? LB_MALFORMED : LB_RUNT);
  }
}

bool is_right(lb_reason reason, std::uint32_t xdp_verdict) {
  switch (reason) {
    case LB_FORWARDED:
      return xdp_verdict == XDP_TX || xdp_verdict == XDP_REDIRECT;
    case LB_MALFORMED:
    case LB_FRAGMENT:
    case LB_TTL_EXPIRED:
      return xdp_verdict == XDP_DROP;
    default:
      return xdp_verdict == XDP_PASS;
  }
}

}  // namespace xdplb::test
