// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/table_choice.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "plugin/prh_sweep.h"

namespace xdplb::prh {
namespace {

// A chain of minima and maxima, in masks since a branch would be mispredicted.
template <std::size_t Count>
void insert(std::array<Value, Count>& best, Value value) {
  for (Value& place : best) {
    const Value swap = (place ^ value) & -Value{value < place};
    place ^= swap;
    value ^= swap;
  }
}

// Slots of which fewer than `wanted` values are known.
template <std::size_t Count>
void find_open(const Choices<Count>& choices, std::size_t wanted,
               std::vector<std::uint32_t>& open) {
  open.resize(choices.size());
  std::size_t count = 0;
  for (std::uint32_t slot = 0; slot < choices.size(); ++slot) {
    open[count] = slot;
    count += choices[slot][wanted - 1] == no_value;
  }
  open.resize(count);
}

// The width of the first band, after which about one slot in n is still open: ln n for the best
// value and ln n + ln ln n + ... for more, in sixteenths.
std::uint64_t first_band(std::size_t backends, std::size_t count) {
  return (7 + 4 * count) * static_cast<std::uint64_t>(std::bit_width(backends));
}

}  // namespace

template <std::size_t Count>
Choices<Count> best_choices(const Scale& scale, std::span<const Ranking> rankings) {
  std::array<Value, Count> none;
  none.fill(no_value);
  Choices<Count> choices(scale.slots(), none);
  const std::size_t wanted = std::min<std::size_t>(Count, rankings.size());
  if (wanted == 0) return choices;

  // Everything below the sweep's limit was seen, so `wanted` values of a slot are its best ones.
  // The sweep ends where looking at each backend for the slots still open is cheaper.
  Sweep sweep(scale, rankings);
  std::vector<std::uint32_t> open;
  std::uint64_t width = first_band(rankings.size(), Count);
  do {
    sweep.next_band(
        width, [&](std::uint32_t slot) { __builtin_prefetch(&choices[slot], 1); },
        [&](std::uint32_t slot, Value value) { insert(choices[slot], value); });
    find_open<Count>(choices, wanted, open);
    width = 16;
  } while (std::uint64_t{open.size()} * rankings.size() > scale.slots());

  for (const std::uint32_t slot : open) {
    std::array<Value, Count> best = none;
    for (const Ranking& b : rankings) insert(best, scale.value_at(b, slot));
    choices[slot] = best;
  }
  return choices;
}

template Choices<1> best_choices<1>(const Scale&, std::span<const Ranking>);
template Choices<2> best_choices<2>(const Scale&, std::span<const Ranking>);

}  // namespace xdplb::prh
