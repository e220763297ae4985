// SPDX-License-Identifier: GPL-2.0-only
// The per-CPU counters, summed over CPUs.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string_view>

#include "bpf/abi.h"
#include "plugin/fd.h"
#include "plugin/pins.h"

namespace xdplb {

using ReasonCounters = std::array<lb_counter, LB_REASON_COUNT>;

class Counters {
 public:
  explicit Counters(const Pins& pins) : pins_(pins) {}

  [[nodiscard]] ReasonCounters of_family(lb_family family) const;
  [[nodiscard]] ReasonCounters of_service(std::uint32_t number) const;  // LB_FORWARDED: always 0
  [[nodiscard]] lb_counter of_backend(std::uint32_t handle) const;

  [[nodiscard]] lb_exception_counters of_exceptions() const;

  void reset_service(std::uint32_t number) const;
  void reset_backend(std::uint32_t handle) const;

 private:
  const Pins& pins_;
  // Of an image: backends whose counters count as zero.
  mutable std::set<std::uint32_t> reset_{};
};

lb_counter& operator+=(lb_counter& sum, const lb_counter& more);

// The name of a reason, as status, stats and the manual have it, and what it means.
std::string_view reason_name(lb_reason reason);
std::string_view reason_text(lb_reason reason);
enum class Fate : std::uint8_t { forwarded, passed, dropped, answered };
Fate reason_fate(lb_reason reason);

}  // namespace xdplb
