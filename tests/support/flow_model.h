// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The flow hash KM3 in user space, written from its definition: what the data path must compute.
//
//   p  = the four wire bytes source port, destination port, read as a little-endian number
//   v4: h = (saddr | p << 32) ^ k0                      saddr read little-endian from the wire
//   v6: h = k0 + k6*p + the sum over i = 0, 1 of        s_i: saddr's halves, read little-endian
//           (lo32(s_i) + lo32(k_{4+i}) mod 2^32) * (hi32(s_i) + hi32(k_{4+i}) mod 2^32)
//   then h *= k1; h ^= h >> 32; h *= k2; h ^= h >> 29; h *= k3; h ^= h >> 32
//
// All modulo 2^64. Addresses are wire bytes, ports are in host order (0 and 0 for a fragment).

#include <array>
#include <cstddef>
#include <cstdint>

#include "plugin/cluster_key.h"

namespace xdplb::test {

inline std::uint64_t km3_ports(std::uint16_t sport, std::uint16_t dport) {
  const auto swapped = [](std::uint16_t port) -> std::uint64_t {
    return static_cast<std::uint16_t>(port << 8 | port >> 8);
  };
  return swapped(sport) | swapped(dport) << 16;
}

inline std::uint64_t km3_finish(const FlowKeys& keys, std::uint64_t h) {
  h *= keys.k[1];
  h ^= h >> 32;
  h *= keys.k[2];
  h ^= h >> 29;
  h *= keys.k[3];
  h ^= h >> 32;
  return h;
}

inline std::uint64_t km3_v4(const FlowKeys& keys, const std::array<std::uint8_t, 4>& saddr,
                            std::uint16_t sport, std::uint16_t dport) {
  std::uint64_t h = km3_ports(sport, dport) << 32;
  for (std::size_t i = 0; i < saddr.size(); ++i) h |= std::uint64_t{saddr[i]} << (8 * i);
  return km3_finish(keys, h ^ keys.k[0]);
}

inline std::uint64_t km3_v6(const FlowKeys& keys, const std::array<std::uint8_t, 16>& saddr,
                            std::uint16_t sport, std::uint16_t dport) {
  std::uint64_t h = keys.k[0] + keys.k[6] * km3_ports(sport, dport);
  for (std::size_t i = 0; i < 2; ++i) {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      low |= std::uint32_t{saddr[8 * i + j]} << (8 * j);
      high |= std::uint32_t{saddr[8 * i + 4 + j]} << (8 * j);
    }
    low += static_cast<std::uint32_t>(keys.k[4 + i]);
    high += static_cast<std::uint32_t>(keys.k[4 + i] >> 32);
    h += std::uint64_t{low} * high;
  }
  return km3_finish(keys, h);
}

// The slot of a hash in a table of 2^k slots.
inline std::uint32_t km3_slot(std::uint64_t hash, unsigned k) {
  return static_cast<std::uint32_t>(hash & ((std::uint64_t{1} << k) - 1));
}

}  // namespace xdplb::test
