// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The table of a service: which backend serves each slot, as a pure function of the configuration
// by permutation rendezvous hashing (plugin/prh.h). The order of the backends, the machine and the
// compiler make no difference.
//
// A slot's list is all configured backends, best first. Drained backends stay in the lists with
// their configured weight; the serving set is the others, whether healthy or not.
//
// first[slot]   the owner, or the best healthy backend of the serving set if the owner is not
//               healthy. The owner is found by visiting all pairs of a slot and a serving backend,
//               best first: the pair holds if the slot is free and the backend below its cap.
//               When no serving backend is healthy, all count as healthy.
// second[slot]  the best of the slot's list, drained and unhealthy backends included, that is not
//               first[slot].
//
// Caps, over the serving set of total weight W, for M slots:
//   slack  ceil(M * w * (1000 + slack_permille) / (1000 * W))
//   exact  M * w / W by largest remainder, equal remainders in canonical order
//   off    none
// With `off`, and while caps do not bind, no slot moves without need: adding a backend or raising
// its weight moves slots only to it; removing, draining or lowering it only from it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace xdplb {

// In a table: no backend. first has it where the serving set is empty (second is then the best of
// the list), second where the list has no other backend.
inline constexpr std::uint16_t no_backend = 0xffff;

inline constexpr unsigned min_table_bits = 8;
inline constexpr unsigned max_table_bits = 20;
inline constexpr std::uint32_t max_weight = 65535;
inline constexpr unsigned max_slack_permille = 1'000'000;
inline constexpr std::size_t max_table_backends = 65534;

enum class Balance : std::uint8_t { slack, exact, off };

inline constexpr unsigned default_slack = 50;  // permille

struct TableBackend {
  std::array<std::uint8_t, 16> addr;  // network byte order, IPv4 as ::ffff:a.b.c.d
  std::uint16_t port;                 // host byte order, 0 for the service's own
  std::uint32_t weight;               // 1..max_weight
  bool drain = false;
  bool healthy = true;
};

struct TableSpec {
  std::uint64_t seed;  // FlowKeys::table_seed
  unsigned k;          // 2^k slots, min_table_bits..max_table_bits
  Balance balance = Balance::slack;
  unsigned slack_permille = default_slack;  // 0..max_slack_permille
  bool second = false;                      // also choose second backends
  std::vector<TableBackend> backends{};
};

struct Table {
  std::vector<std::uint16_t> first;   // a slot: index into TableSpec::backends, or no_backend
  std::vector<std::uint16_t> second;  // likewise; empty unless TableSpec::second
  bool caps_binding = false;          // a cap gave some slot to another than its best backend

  bool operator==(const Table&) const = default;
};

// Throws std::invalid_argument for a value outside the ranges above, more than max_table_backends
// backends, or two backends with the same address and port.
Table build_table(const TableSpec& spec);

}  // namespace xdplb
