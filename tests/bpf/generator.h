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

 private:
  PacketSpec spec();
  Address destination(const Address& vip);
  std::vector<std::uint16_t> tags();
  std::vector<Extension> extensions();
  void bend(Bytes& frame);
  Bytes noise();

  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::uint8_t byte() { return static_cast<std::uint8_t>(random_()); }
  std::uint16_t word() { return static_cast<std::uint16_t>(random_()); }
  void note(const std::string& kind) { kinds_[kind]++; }

  std::vector<ServiceId> services_;
  std::mt19937_64 random_;
  std::map<std::string, std::size_t> kinds_;
};

}  // namespace xdplb::test
