// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/exceptions.h"

#include <algorithm>
#include <ctime>

#include "plugin/error.h"
#include "plugin/map.h"

namespace xdplb {

std::uint32_t epoch_seconds() {
  constexpr std::uint64_t nanoseconds = 1'000'000'000;
  struct timespec now {};
  if (::clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0) throw SystemError(errno, "the time");
  const auto all = static_cast<std::uint64_t>(now.tv_sec) * nanoseconds +
                   static_cast<std::uint64_t>(now.tv_nsec);
  return static_cast<std::uint32_t>(all >> LB_SECOND_SHIFT);
}

void Exceptions::remove_if(const Visitor& is_over) const {
  const auto all = pins_.exceptions();
  for (std::size_t i = all.size(); i-- > 0;) {
    auto entry = load(all[i]);
    if (entry != 0 && is_over(entry))
      __atomic_compare_exchange_n(&all[i], &entry, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
  }
}

bool Exceptions::has_any(const std::vector<bool>& handles) const {
  return std::ranges::any_of(pins_.exceptions(), [&](const auto& word) {
    const auto entry = load(word);
    return entry != 0 && handles[lb_exception_handle(entry)];
  });
}

}  // namespace xdplb
