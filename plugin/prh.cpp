// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/prh.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "plugin/table.h"

namespace xdplb::prh {
namespace {

constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;
constexpr unsigned time_bits = 28;

// Newton's iteration doubles the correct low bits; an odd number is its own inverse in three.
std::uint32_t inverse_of_odd(std::uint32_t a) {
  std::uint32_t inverse = a;
  for (int correct_bits = 3; correct_bits < 32; correct_bits *= 2) inverse *= 2 - a * inverse;
  return inverse;
}

std::uint64_t big_endian(std::span<const std::uint8_t> bytes) {
  std::uint64_t word = 0;
  for (const std::uint8_t byte : bytes) word = word << 8 | byte;
  return word;
}

}  // namespace

std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 27;
  x *= 0x94d049bb133111eb;
  x ^= x >> 31;
  return x;
}

Scale::Scale(unsigned k)
    : k_(k), half_((k + 1) / 2), slots_(std::uint32_t{1} << k), times_(slots_ + 1) {
  std::uint32_t time = 0;
  for (std::uint32_t rank = 0; rank < slots_; ++rank) {
    times_[rank] = time;
    time += (std::uint32_t{1} << time_bits) / (slots_ - rank);
  }
  times_[slots_] = std::numeric_limits<std::uint32_t>::max();
}

std::uint32_t Scale::time_bound(const Ranking& b, Value limit) const {
  if (limit <= b.phase) return 0;
  const std::uint64_t distance = limit - b.phase;
  const std::uint64_t time = distance / b.pace + (distance % b.pace != 0);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(time, times_[slots_]));
}

std::uint64_t identity(std::uint64_t seed, std::span<const std::uint8_t, 16> addr,
                       std::uint16_t port) {
  std::uint64_t h = mix(seed + golden);
  for (const std::uint64_t word :
       {big_endian(addr.first<8>()), big_endian(addr.last<8>()), std::uint64_t{port}}) {
    h = mix((h ^ word) + golden);
  }
  return h;
}

Ranking make_ranking(std::uint64_t id, unsigned k, std::uint32_t weight, std::uint16_t index) {
  Ranking b{};
  for (std::size_t round = 0; round < 3; ++round) {
    const std::uint64_t h = mix(id + (round + 1) * golden);
    b.multipliers[round] = static_cast<std::uint32_t>(h) | 1;
    b.addends[round] = static_cast<std::uint32_t>(h >> 32);
    b.inverses[round] = inverse_of_odd(b.multipliers[round]);
  }
  const std::uint64_t phi = mix(id + 4 * golden) >> 48;
  b.weight = weight;
  b.pace = (std::uint64_t{1} << 32) / weight;
  b.phase = ((phi << (time_bits - k)) >> 16) * b.pace;
  b.index = index;
  return b;
}

Canonical canonical_order(std::uint64_t seed, unsigned k, std::span<const TableBackend> backends) {
  std::vector<std::uint64_t> ids;
  ids.reserve(backends.size());
  for (const TableBackend& b : backends) ids.push_back(identity(seed, b.addr, b.port));

  Canonical canonical;
  std::vector<std::uint16_t>& order = canonical.order;
  order.resize(backends.size());
  std::iota(order.begin(), order.end(), std::uint16_t{0});
  std::sort(order.begin(), order.end(), [&](std::uint16_t x, std::uint16_t y) {
    if (ids[x] != ids[y]) return ids[x] < ids[y];
    if (backends[x].addr != backends[y].addr) return backends[x].addr < backends[y].addr;
    return backends[x].port < backends[y].port;
  });

  canonical.rankings.reserve(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const TableBackend& b = backends[order[i]];
    if (i > 0 && backends[order[i - 1]].addr == b.addr && backends[order[i - 1]].port == b.port) {
      throw std::invalid_argument("two backends have the same address and port");
    }
    canonical.rankings.push_back(
        make_ranking(ids[order[i]], k, b.weight, static_cast<std::uint16_t>(i)));
  }
  return canonical;
}

}  // namespace xdplb::prh
