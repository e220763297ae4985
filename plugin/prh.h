// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Permutation rendezvous hashing, version 1 (PRH-1): the arithmetic that scores pairs of a slot
// and a backend. Integers alone decide, so every node, compiler and machine has the same table.
//
// Weighted rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit
// rates", 1998) gives slot s to the backend b with the smallest X_b(s) / w_b, where the X_b(s) are
// independent exponential variables. Here X_b is stratified: each backend permutes the M = 2^k
// slots with its own key, and the slot at rank r has for X the expected value of the (r+1)-th
// smallest of M exponentials, a sum of 1/(M-j). That needs no logarithm, halves the variance, and
// lets a backend list its best slots in order. The score of a pair depends on slot, backend and
// weight alone, so a change of one backend moves slots only to it or only from it.
//
//   id    = f(table seed, address, port); h_j = mix(id + j * 0x9e3779b97f4a7c15)
//   index = position among all configured backends by (id, address, port): the canonical order
//   rank -> slot: three rounds x = (x * a + b) mod M with x ^= x >> ceil(k/2) between them
//   key   = time(rank) * R + C,  time(r+1) = time(r) + floor(2^28 / (M-r)),  R = floor(2^32 / w)
//   value = key with its low 16 bits replaced by the index: unique, the smallest is best
//
// Units: 2^28 of time are one mean of an exponential variable, so a backend of weight w meets
// slots at the rate of w in 2^60 of key.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace xdplb {
struct TableBackend;
}

namespace xdplb::prh {

using Value = std::uint64_t;

// Larger than every value; index_of() gives no_backend for it.
inline constexpr Value no_value = ~Value{0};

// One time unit of a backend of weight 1.
inline constexpr Value key_unit = Value{1} << 60;

// Bounds on values that are multiples of this one cut the keys and the values at the same pairs.
inline constexpr Value index_span = Value{1} << 16;

inline std::uint16_t index_of(Value value) { return static_cast<std::uint16_t>(value); }

std::uint64_t mix(std::uint64_t x);

// What one backend needs to score slots.
struct Ranking {
  std::array<std::uint32_t, 3> multipliers;
  std::array<std::uint32_t, 3> addends;
  std::array<std::uint32_t, 3> inverses;  // of the multipliers, modulo 2^32
  std::uint32_t weight;
  std::uint64_t pace;   // R
  std::uint64_t phase;  // C
  std::uint16_t index;

  Value value(std::uint32_t time) const {
    return ((time * pace + phase) & ~(index_span - 1)) | index;
  }
};

// What depends on the number of slots alone.
class Scale {
 public:
  explicit Scale(unsigned k);

  std::uint32_t slots() const { return slots_; }
  unsigned k() const { return k_; }

  // times()[rank], with a sentinel larger than every time at times()[slots()].
  const std::uint32_t* times() const { return times_.data(); }

  std::uint32_t slot(const Ranking& b, std::uint32_t rank) const {
    const std::uint32_t mask = slots_ - 1;
    std::uint32_t x = (rank * b.multipliers[0] + b.addends[0]) & mask;
    x ^= x >> half_;
    x = (x * b.multipliers[1] + b.addends[1]) & mask;
    x ^= x >> half_;
    return (x * b.multipliers[2] + b.addends[2]) & mask;
  }

  std::uint32_t rank(const Ranking& b, std::uint32_t slot) const {
    const std::uint32_t mask = slots_ - 1;
    std::uint32_t x = ((slot - b.addends[2]) * b.inverses[2]) & mask;
    x ^= x >> half_;
    x = ((x - b.addends[1]) * b.inverses[1]) & mask;
    x ^= x >> half_;
    return ((x - b.addends[0]) * b.inverses[0]) & mask;
  }

  Value value_at(const Ranking& b, std::uint32_t slot) const {
    return b.value(times_[rank(b, slot)]);
  }

  // The least time at which b's key reaches limit; the sentinel if none does.
  std::uint32_t time_bound(const Ranking& b, Value limit) const;

 private:
  unsigned k_;
  unsigned half_;  // ceil(k/2), which makes x ^= x >> half_ its own inverse
  std::uint32_t slots_;
  std::vector<std::uint32_t> times_;
};

std::uint64_t identity(std::uint64_t seed, std::span<const std::uint8_t, 16> addr,
                       std::uint16_t port);

Ranking make_ranking(std::uint64_t id, unsigned k, std::uint32_t weight, std::uint16_t index);

// Backends in canonical order: positions in `backends`. Throws std::invalid_argument if two have
// the same address and port.
struct Canonical {
  std::vector<std::uint16_t> order;
  std::vector<Ranking> rankings;
};
Canonical canonical_order(std::uint64_t seed, unsigned k, std::span<const TableBackend> backends);

}  // namespace xdplb::prh
