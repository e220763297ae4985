// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/generator.h"

#include <algorithm>
#include <array>

namespace xdplb::test {

Address Generator::destination(const Address& vip) {
  auto bytes = vip.bytes();
  switch (below(8)) {
    case 0:  // another one altogether
      for (std::size_t i = vip.is_v4() ? 12 : 0; i < bytes.size(); i++) bytes[i] = byte();
      note("other address");
      return Address(bytes);
    case 1:  // a bit beside it
      bytes[vip.is_v4() ? 12 + below(4) : below(16)] ^= static_cast<std::uint8_t>(1U << below(8));
      note("address off by a bit");
      return Address(bytes);
    default:
      return vip;
  }
}

std::vector<std::uint16_t> Generator::tags() {
  constexpr std::array<std::size_t, 8> counts{0, 0, 0, 0, 1, 1, 2, 3};
  std::vector<std::uint16_t> tags(counts[below(counts.size())]);
  for (auto& tag : tags) {
    tag = one_in(2) ? ether_vlan : ether_service_vlan;
    if (one_in(10)) tag = 0x9100;
  }
  note(std::to_string(tags.size()) + " tags");
  return tags;
}

std::vector<Extension> Generator::extensions() {
  std::vector<Extension> chain;
  if (one_in(2)) return chain;
  const std::size_t length = one_in(10) ? below(12) : 1 + below(3);
  while (chain.size() < length) switch (below(7)) {
      case 0:
        chain.push_back(hop_by_hop(static_cast<std::uint8_t>(below(4))));
        break;
      case 1:
        chain.push_back(destination_options(static_cast<std::uint8_t>(below(4))));
        break;
      case 2:
        chain.push_back(routing(one_in(2) ? 0 : byte()));
        break;
      case 3:
        chain.push_back(fragment(0, one_in(2)));
        break;
      case 4:
        chain.push_back(fragment(word() & 0x1fff, one_in(2)));
        break;
      case 5:
        chain.push_back(authentication(static_cast<std::uint8_t>(3 + below(9))));
        break;
      default:
        chain.push_back({static_cast<std::uint8_t>(one_in(2) ? 135 : 50), Bytes(7)});
        break;
    }
  note(std::to_string(std::min<std::size_t>(chain.size(), 9)) + " extension headers");
  return chain;
}

PacketSpec Generator::spec() {
  const auto& service = services_[below(services_.size())];
  PacketSpec spec;
  spec.tags = tags();
  spec.to = destination(service.vip);
  spec.proto = static_cast<std::uint8_t>(service.protocol);
  if (one_in(4)) spec.proto = one_in(2) ? proto_tcp : proto_udp;
  if (one_in(8)) spec.proto = byte();
  spec.sport = word();
  spec.dport = service.port;
  if (one_in(3)) spec.dport = word();
  if (one_in(8)) spec.dport = static_cast<std::uint16_t>(service.port ^ 1U << below(16));
  if (one_in(16)) spec.dst = {static_cast<std::uint8_t>(byte() | 1), 1, 2, 3, 4, 5};
  spec.ttl = one_in(6) ? static_cast<std::uint8_t>(below(3)) : byte();
  spec.id = word();
  spec.dont_fragment = one_in(2);
  spec.payload = below(one_in(4) ? 200 : 20);
  spec.padding = one_in(3) ? below(40) : 0;
  if (spec.to.is_v4()) {
    spec.more = one_in(12);
    spec.offset = one_in(12) ? word() & 0x1fff : 0;
    spec.options = Bytes(one_in(3) ? 4 * below(11) : 0, 1);
    note(spec.options.empty() ? "no options" : "options");
  } else {
    spec.extensions = extensions();
  }
  return spec;
}

// What happens to frames on the way, and in the hands of those who mean no good.
void Generator::bend(Bytes& frame) {
  switch (below(7)) {
    case 0:
      frame.resize(14 + below(frame.size() - 13));
      note("cut");
      break;
    case 1:
      for (std::size_t flips = 1 + below(8); flips > 0; flips--)
        frame[below(frame.size())] ^= static_cast<std::uint8_t>(1U << below(8));
      note("bits flipped");
      break;
    case 2:  // in the headers, where it matters
      frame[12 + below(std::min<std::size_t>(frame.size() - 12, 60))] = byte();
      note("header byte");
      break;
    case 3:
      frame.insert(frame.begin() + 12, {0x81, 0x00, byte(), byte()});
      note("tag inserted");
      break;
    case 4:
      frame.resize(frame.size() + below(64), byte());
      note("lengthened");
      break;
    case 5:  // lengths by a little
      put16(frame, one_in(2) ? 16 : 18, static_cast<std::uint16_t>(frame.size() - 24 + below(20)));
      note("length");
      break;
    default:
      std::swap(frame[below(frame.size())], frame[below(frame.size())]);
      note("bytes swapped");
      break;
  }
}

Bytes Generator::noise() {
  Bytes frame(14 + below(120));
  std::ranges::generate(frame, [this] { return byte(); });
  if (one_in(2)) put16(frame, 12, one_in(2) ? ether_ipv4 : ether_ipv6);
  note("noise");
  return frame;
}

Bytes Generator::next() {
  if (one_in(20)) return noise();
  auto frame = build(spec());
  if (one_in(2))
    note("unbent");
  else
    for (std::size_t times = 1 + below(3); times > 0; times--) {
      bend(frame);
      if (frame.size() < 20) break;
    }
  return frame;
}

}  // namespace xdplb::test
