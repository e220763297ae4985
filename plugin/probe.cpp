// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/probe.h"

#include <algorithm>
#include <string>

#include "plugin/error.h"

namespace xdplb {

namespace {

constexpr std::size_t ethernet_size = 14;
constexpr std::uint8_t ttl = 64;
constexpr Mac client_mac{0x02, 0, 0, 0, 0, 1};  // locally administered

void put16(Frame& frame, unsigned value) {
  frame.push_back(static_cast<std::uint8_t>(value >> 8));
  frame.push_back(static_cast<std::uint8_t>(value));
}

void put32(Frame& frame, std::uint32_t value) {
  put16(frame, value >> 16);
  put16(frame, value & 0xffff);
}

void put(Frame& frame, std::span<const std::uint8_t> bytes) {
  frame.insert(frame.end(), bytes.begin(), bytes.end());
}

// RFC 1071: what belongs at offset `at` of these bytes, of even length, over all of them and a sum.
void seal(std::span<std::uint8_t> bytes, std::size_t at, std::uint32_t sum) {
  for (std::size_t i = 0; i < bytes.size(); i += 2) sum += bytes[i] << 8U | bytes[i + 1];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  sum ^= 0xffff;
  if (sum == 0) sum = 0xffff;  // of UDP; of others it is the same
  bytes[at] = static_cast<std::uint8_t>(sum >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(sum);
}

void put_ip(Frame& frame, const Probe& probe, std::size_t payload) {
  const auto proto = static_cast<std::uint8_t>(probe.to.protocol);
  if (probe.to.vip.is_v4()) {
    put16(frame, 0x4500);
    put16(frame, static_cast<unsigned>(payload) + 20);
    put32(frame, 0x4000);  // no id, don't fragment
    put(frame, std::array<std::uint8_t, 4>{ttl, proto, 0, 0});
  } else {
    put32(frame, 0x60000000);
    put16(frame, static_cast<unsigned>(payload));
    put(frame, std::array{proto, ttl});
  }
  put(frame, probe.from.address.wire());
  put(frame, probe.to.vip.wire());
}

Frame transport(const Probe& probe) {
  Frame bytes;
  put16(bytes, probe.from.port);
  put16(bytes, probe.to.port);
  if (probe.to.protocol == Protocol::tcp) {
    put32(bytes, 1);  // sequence number
    put32(bytes, (probe.flags & 0x10) != 0 ? 1 : 0);
    put(bytes, std::array<std::uint8_t, 4>{5 << 4, probe.flags, 0xff, 0xff});
    put32(bytes, 0);
  } else {
    put16(bytes, 8 + 8);
    put16(bytes, 0);
    put(bytes, std::array<std::uint8_t, 8>{'x', 'd', 'p', '-', 'l', 'b'});
  }
  std::uint32_t sum =
      static_cast<std::uint32_t>(bytes.size()) + static_cast<std::uint32_t>(probe.to.protocol);
  for (const auto& address : {probe.from.address, probe.to.vip}) {
    const auto words = address.wire();
    for (std::size_t i = 0; i < words.size(); i += 2) sum += words[i] << 8U | words[i + 1];
  }
  seal(bytes, probe.to.protocol == Protocol::tcp ? 16 : 6, sum);
  return bytes;
}

}  // namespace

std::uint8_t parse_tcp_flags(std::string_view text) {
  unsigned flags = 0;
  while (true) {
    const auto comma = text.find(',');
    const auto found = std::ranges::find(tcp_flags, text.substr(0, comma));
    if (found == tcp_flags.end())
      throw Error("'" + std::string(text.substr(0, comma)) + "' is no TCP flag",
                  "give some of fin,syn,rst,psh,ack,urg");
    flags |= 1U << (found - tcp_flags.begin());
    if (comma == std::string_view::npos) return static_cast<std::uint8_t>(flags);
    text.remove_prefix(comma + 1);
  }
}

Frame build_frame(const Probe& probe) {
  const bool v4 = probe.to.vip.is_v4();
  const auto payload = transport(probe);
  Frame frame;
  put(frame, probe.mac);
  put(frame, client_mac);
  put16(frame, v4 ? 0x0800 : 0x86dd);
  put_ip(frame, probe, payload.size());
  if (v4) seal(std::span(frame).subspan(ethernet_size), 10, 0);
  put(frame, payload);
  return frame;
}

}  // namespace xdplb
