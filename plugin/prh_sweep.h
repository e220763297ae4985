// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Lists the pairs of slots and backends band by band: every pair whose value is below a limit,
// then those below the next limit, and so on. Within a band the order is by backend and not by
// value. Limits are multiples of index_span. How far the bands reach decides what a table costs
// and never what is in it.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "plugin/prh.h"

namespace xdplb::prh {

class Sweep {
 public:
  // Starts with the pairs at or above `start`, rounded down to a possible limit. Scale and
  // rankings must outlive the sweep.
  Sweep(const Scale& scale, std::span<const Ranking> rankings, Value start = 0)
      : scale_(scale), limit_(start & ~(index_span - 1)) {
    const std::uint32_t* const times = scale.times();
    cursors_.reserve(rankings.size());
    for (const Ranking& b : rankings) {
      const std::uint32_t* const first =
          std::lower_bound(times, times + scale.slots(), scale.time_bound(b, limit_));
      cursors_.push_back({&b, static_cast<std::uint32_t>(first - times)});
    }
  }

  std::size_t backends() const { return cursors_.size(); }

  // Where the next band starts: every pair below it was listed.
  Value limit() const { return limit_; }

  // Lists the next band with visit(slot, value), and a while before each pair calls expect(slot),
  // which may prefetch. The band's width is `units` sixteenths of the time in which the backends
  // together meet as many slots as there are.
  template <class Expect, class Visit>
  void next_band(std::uint64_t units, Expect expect, Visit visit) {
    limit_ = limit_after(units);
    const std::uint32_t* const times = scale_.times();
    std::array<std::uint32_t, 64> slots;
    for (Cursor& cursor : cursors_) {
      const Ranking b = *cursor.ranking;
      const std::uint32_t end = scale_.time_bound(b, limit_);
      std::uint32_t rank = cursor.rank;
      while (times[rank] < end) {
        std::size_t count = 0;
        for (; count < slots.size() && times[rank + count] < end; ++count) {
          slots[count] = scale_.slot(b, rank + static_cast<std::uint32_t>(count));
          expect(slots[count]);
        }
        for (std::size_t i = 0; i < count; ++i, ++rank) visit(slots[i], b.value(times[rank]));
      }
      cursor.rank = rank;
    }
  }

  // Calls visit(ranking) for each backend of the sweep.
  template <class Visit>
  void each_backend(Visit visit) const {
    for (const Cursor& cursor : cursors_) visit(*cursor.ranking);
  }

  // Forgets the backends for which drop(index) holds.
  template <class Drop>
  void drop_backends(Drop drop) {
    std::erase_if(cursors_, [&](const Cursor& cursor) { return drop(cursor.ranking->index); });
  }

 private:
  struct Cursor {
    const Ranking* ranking;
    std::uint32_t rank;
  };

  Value limit_after(std::uint64_t units) const {
    // A backend that has met most slots meets the rest as slowly as a lighter one.
    std::uint64_t rate = 0;
    for (const Cursor& cursor : cursors_) {
      rate += std::uint64_t{cursor.ranking->weight} * (scale_.slots() - cursor.rank);
    }
    const Value unit = key_unit / 16 / std::max<std::uint64_t>(rate >> scale_.k(), 1);
    // No key reaches the last multiple: times are below 15 * 2^28 for every k up to 20.
    constexpr Value last = no_value - (index_span - 1);
    if (units > (last - limit_) / unit) return last;
    return (limit_ + units * unit) & ~(index_span - 1);
  }

  const Scale& scale_;
  Value limit_;
  std::vector<Cursor> cursors_;
};

}  // namespace xdplb::prh
