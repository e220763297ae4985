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
  if (one_in(5)) return {fragment(one_in(2) ? 0 : word() & 0x1fff, !one_in(4))};
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

Address Generator::source(const Address& vip) {
  auto bytes = vip.bytes();
  for (std::size_t i = vip.is_v4() ? 12 : 0; i < bytes.size(); i++) bytes[i] = byte();
  if (one_in(8)) return Address(bytes);
  if (!one_in(16)) {  // somewhere in one network, and so often the same
    const auto network = ip(vip.is_v4() ? "198.51.100.0" : "2001:db8:c::").bytes();
    std::copy_n(network.begin(), vip.is_v4() ? 14 : 15, bytes.begin());
    return Address(bytes);
  }
  note("special source");
  if (vip.is_v4())
    return ip(any_of<std::string>(
        {"0.0.0.1", "127.0.0.1", "127.255.255.255", "224.0.0.1", "240.0.0.1", "255.255.255.255"}));
  return ip(any_of<std::string>({"::1", "::2", "ff02::1", "fe80::1", "1::"}));
}

// Around the sizes that are too big with an outer header, too.
std::size_t Generator::payload() {
  if (one_in(8)) return 1200 + below(240);
  if (one_in(40)) return 480 + below(1100);
  return below(one_in(4) ? 200 : 20);
}

PacketSpec Generator::spec(const ServiceId& service) {
  PacketSpec spec;
  spec.tags = tags();
  spec.to = destination(service.vip);
  spec.from = source(service.vip);
  spec.proto = static_cast<std::uint8_t>(service.protocol);
  if (one_in(16)) spec.proto = one_in(2) ? proto_tcp : proto_udp;
  if (one_in(16)) spec.proto = byte();
  spec.sport = word();
  spec.dport = service.port;
  if (one_in(8)) spec.dport = word();
  if (one_in(16)) spec.dport = static_cast<std::uint16_t>(service.port ^ 1U << below(16));
  if (one_in(20)) spec.dst = {static_cast<std::uint8_t>(byte() | 1), 1, 2, 3, 4, 5};
  spec.ttl = one_in(12) ? static_cast<std::uint8_t>(below(3)) : byte();
  spec.id = word();
  spec.dont_fragment = !one_in(4);
  spec.payload = payload();
  spec.padding = one_in(3) ? below(40) : 0;
  if (spec.to.is_v4()) {
    spec.more = one_in(5);
    spec.offset = one_in(10) ? word() & 0x1fff : 0;
    spec.options = Bytes(one_in(3) ? 4 * below(11) : 0, 1);
    note(spec.options.empty() ? "no options" : "options");
  } else {
    spec.extensions = extensions();
  }
  return spec;
}

std::uint16_t Generator::steer(std::uint16_t checksum) {
  note("checksum near a carry");
  const auto wanted = static_cast<std::uint16_t>(below(5) - 2 + (one_in(2) ? 0 : word() << 8));
  const unsigned sum = checksum + 0xffffU - wanted;
  return static_cast<std::uint16_t>(sum + (sum >> 16));
}

// What PacketSpec can't say.
void Generator::vary(Bytes& frame, const PacketSpec& spec) {
  const auto l3 = l3_offset(spec);
  const bool v4 = spec.to.is_v4();
  for (std::size_t tag = 0; tag < spec.tags.size(); tag++) put16(frame, 14 + 4 * tag, word());
  if (v4) {
    frame[l3 + 1] = byte();
    fix_ipv4_checksum(frame, l3);
    if (one_in(8)) {
      put16(frame, l3 + 4, 0);
      fix_ipv4_checksum(frame, l3);
      put16(frame, l3 + 4, steer(get16(frame, l3 + 10)));
      fix_ipv4_checksum(frame, l3);
    }
  } else {
    frame[l3] = static_cast<std::uint8_t>(0x60 | below(16));
    frame[l3 + 1] = byte();
    put16(frame, l3 + 2, word());
    if (one_in(100)) {  // ::ffff:a.b.c.d, which is how the maps write an IPv4 address
      const auto mapped = ip("192.0.2.10").bytes();
      std::ranges::copy(mapped, frame.begin() + static_cast<long>(l3 + (one_in(2) ? 8 : 24)));
      note("IPv4 in IPv6's clothes");
    }
  }
  const auto l4 = l3 + (v4 ? 20 + spec.options.size() : 40);
  if (spec.proto != proto_udp || frame.size() < l4 + 8 || !one_in(6)) return;
  put16(frame, l4 + (one_in(2) ? 4 : 6), one_in(2) ? 0 : static_cast<std::uint16_t>(8 + below(20)));
  note("UDP length or checksum");
}

Bytes Generator::packet(const ServiceId& service) {
  const auto described = spec(service);
  auto frame = build(described);
  vary(frame, described);
  return frame;
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

Bytes Generator::perhaps_bent(Bytes frame, std::size_t one_in_these) {
  if (!one_in(one_in_these)) {
    note("unbent");
    return frame;
  }
  for (std::size_t times = 1 + below(3); times > 0 && frame.size() >= 20; times--) bend(frame);
  return frame;
}

Bytes Generator::next() {
  if (one_in(20)) return noise();
  const auto& service = services_[below(services_.size())];
  return perhaps_bent(one_in(4) ? icmp(service) : packet(service), 3);
}

}  // namespace xdplb::test
