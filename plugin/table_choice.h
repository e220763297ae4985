// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The best backends of each slot by PRH-1, without caps.

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "plugin/prh.h"

namespace xdplb::prh {

// One element a slot: its `Count` smallest values, ascending, no_value where there are fewer
// backends.
template <std::size_t Count>
using Choices = std::vector<std::array<Value, Count>>;

template <std::size_t Count>
Choices<Count> best_choices(const Scale& scale, std::span<const Ranking> rankings);

extern template Choices<1> best_choices<1>(const Scale&, std::span<const Ranking>);
extern template Choices<2> best_choices<2>(const Scale&, std::span<const Ranking>);

}  // namespace xdplb::prh
