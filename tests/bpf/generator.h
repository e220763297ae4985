// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Frames that nobody would send on purpose, many of them nearly right: packets around a set of
// services with something else about them, cut, bent and tagged.

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "plugin/address.h"
#include "tests/support/packet.h"

namespace xdplb::test {

class Generator {
 public:
  Generator(const std::vector<ServiceId>& services, std::uint64_t seed)
      : services_(services), random_(seed) {}

  Bytes next();
  // How many frames of each kind there were.
  [[nodiscard]] const std::map<std::string, std::size_t>& kinds() const { return kinds_; }

 protected:
  PacketSpec spec(const ServiceId& service);
  Address source(const Address& vip);
  std::size_t payload();
  // A TCP or UDP packet, or any other protocol's.
  Bytes packet(const ServiceId& service);
  void vary(Bytes& frame, const PacketSpec& spec);
  // An ICMP message to a VIP: echo requests, and errors about what it sent.
  Bytes icmp(const ServiceId& service);
  Bytes echo_request(const ServiceId& service);
  Bytes error(const ServiceId& service);
  Bytes quote(const ServiceId& service, const Address& client);
  Bytes quote_of(PacketSpec sent);
  Bytes error_about(const PacketSpec& carrier, const Bytes& quoted);
  Bytes message(PacketSpec spec, std::uint8_t type, std::uint8_t code, const Bytes& rest);
  Address destination(const Address& vip);
  std::vector<std::uint16_t> tags();
  std::vector<Extension> extensions();
  void bend(Bytes& frame);
  // Sometimes.
  Bytes perhaps_bent(Bytes frame, std::size_t one_in_these);
  Bytes noise();
  // What a word of zero must become to bring a checksum from this one to where carries are.
  std::uint16_t steer(std::uint16_t checksum);

  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::uint8_t byte() { return static_cast<std::uint8_t>(random_()); }
  template <typename T>
  T any_of(const std::vector<T>& values) {
    return values[below(values.size())];
  }
  std::uint16_t word() { return static_cast<std::uint16_t>(random_()); }
  void note(const std::string& kind) { kinds_[kind]++; }

  std::vector<ServiceId> services_;
  std::mt19937_64 random_;
  std::map<std::string, std::size_t> kinds_;
};

}  // namespace xdplb::test
