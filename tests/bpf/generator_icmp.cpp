// SPDX-License-Identifier: GPL-2.0-only
// ICMP messages of tests/bpf/generator.h.
#include <algorithm>

#include "tests/bpf/generator.h"
#include "tests/support/checksum_model.h"

namespace xdplb::test {

namespace {

std::uint8_t icmp_of(const Address& address) { return address.is_v4() ? 1 : 58; }

// Bytes in place of the packet's last ones, and the message's checksum.
void put_message(Bytes& frame, const PacketSpec& spec, const Bytes& message) {
  const auto end = frame.size() - spec.padding;
  const auto l4 = end - message.size();
  std::ranges::copy(message, frame.begin() + static_cast<long>(l4));
  Bytes covered = message;
  if (spec.proto == 58) {
    const auto from = frame.begin() + static_cast<long>(l3_offset(spec)) + 8;
    covered.insert(covered.end(), message.size() % 2, 0);
    covered.insert(covered.end(), from, from + 32);
    for (const auto value :
         {message.size() >> 8, message.size() & 255, std::size_t{0}, std::size_t{58}})
      covered.push_back(static_cast<std::uint8_t>(value));
  }
  put16(frame, l4 + 2, checksum(covered));
}

}  // namespace

Bytes Generator::message(PacketSpec spec, std::uint8_t type, std::uint8_t code, const Bytes& rest) {
  spec.proto = icmp_of(spec.to);
  spec.more = spec.more && one_in(4);
  spec.offset = one_in(4) ? spec.offset : 0;
  spec.payload = 4 + rest.size();
  if (one_in(2)) spec.extensions.clear();
  auto frame = build(spec);
  vary(frame, spec);
  Bytes message{type, code, 0, 0};
  message.insert(message.end(), rest.begin(), rest.end());
  put_message(frame, spec, message);
  if (one_in(4)) {
    put16(message, 4, 0);
    put_message(frame, spec, message);
    put16(message, 4, steer(get16(frame, frame.size() - spec.padding - message.size() + 2)));
    put_message(frame, spec, message);
  }
  return frame;
}

Bytes Generator::echo_request(const ServiceId& service) {
  note("echo request");
  const auto described = spec(service);
  Bytes rest(4 + below(one_in(8) ? 1400 : 64));
  if (!one_in(8)) std::ranges::generate(rest, [this] { return byte(); });
  const std::uint8_t type = described.to.is_v4() ? 8 : 128;
  return message(described, type, one_in(16) ? byte() : std::uint8_t{0}, rest);
}

// A packet from the VIP to one of its clients.
Bytes Generator::quote(const ServiceId& service, const Address& client) {
  auto sent = spec(service);
  sent.from = one_in(16) ? source(service.vip) : service.vip;
  sent.to = client;
  sent.sport = service.port != 0 && !one_in(16) ? service.port : word();
  sent.dport = word();
  return quote_of(sent);
}

// Of the whole packet, or what routers kept of it.
Bytes Generator::quote_of(PacketSpec sent) {
  sent.tags.clear();
  sent.padding = 0;
  const auto frame = build(sent);
  Bytes packet(frame.begin() + 14, frame.end());
  const bool v4 = sent.to.is_v4();
  std::size_t header = v4 ? 20 + sent.options.size() : 40;
  for (const auto& extension : sent.extensions) header += 1 + extension.rest.size();
  if (one_in(2)) packet.resize(std::min(packet.size(), header + 8));
  if (one_in(16)) packet.resize(below(packet.size() + 1));
  if (one_in(16) && !packet.empty())
    packet[0] = v4 && !one_in(4) ? static_cast<std::uint8_t>(0x40 | below(16)) : byte();
  packet.resize(std::min<std::size_t>(packet.size(), v4 ? 548 : 1232));
  return packet;
}

Bytes Generator::error(const ServiceId& service) {
  auto carrier = spec(service);
  if (!one_in(8)) carrier.to = service.vip;
  return error_about(carrier, quote(service, source(service.vip)));
}

Bytes Generator::error_about(const PacketSpec& carrier, const Bytes& quoted) {
  note("ICMP error");
  Bytes rest{0, 0, byte(), byte()};
  rest.insert(rest.end(), quoted.begin(), quoted.end());
  const bool v4 = carrier.to.is_v4();
  const auto type = any_of<std::uint8_t>(v4 ? std::vector<std::uint8_t>{3, 4, 11, 12}
                                            : std::vector<std::uint8_t>{1, 2, 3, 4});
  auto frame = message(carrier, one_in(16) ? byte() : type, byte() % 16, rest);
  if (!one_in(12)) return frame;
  note("ICMP error that goes on in the padding");
  const auto at = l3_offset(carrier) + (v4 ? 2 : 4);
  put16(frame, at, static_cast<std::uint16_t>(get16(frame, at) - below(quoted.size() + 1)));
  return frame;
}

Bytes Generator::icmp(const ServiceId& service) {
  return one_in(3) ? echo_request(service) : error(service);
}

}  // namespace xdplb::test
