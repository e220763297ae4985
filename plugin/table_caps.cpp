// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/table_caps.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <numeric>
#include <utility>

#include "plugin/prh_sweep.h"

namespace xdplb::prh {
namespace {

// By canonical index; 0 for a backend that does not serve.
using Counts = std::vector<std::uint32_t>;

std::uint64_t total_weight(std::span<const Ranking> serving) {
  std::uint64_t total = 0;
  for (const Ranking& b : serving) total += b.weight;
  return total;
}

void slack_caps(std::uint64_t slots, std::span<const Ranking> serving, unsigned permille,
                Counts& caps) {
  const std::uint64_t divisor = 1000 * total_weight(serving);
  for (const Ranking& b : serving) {
    const std::uint64_t share = slots * b.weight * (1000 + std::uint64_t{permille});
    const std::uint64_t cap = share / divisor + (share % divisor != 0);
    caps[b.index] = static_cast<std::uint32_t>(std::min(cap, slots));
  }
}

void exact_caps(std::uint64_t slots, std::span<const Ranking> serving, Counts& caps) {
  struct Share {
    std::uint64_t remainder;
    std::uint16_t index;
  };
  const std::uint64_t total = total_weight(serving);
  std::vector<Share> shares;
  std::uint64_t left = slots;
  for (const Ranking& b : serving) {
    const std::uint64_t share = slots * b.weight;
    caps[b.index] = static_cast<std::uint32_t>(share / total);
    left -= share / total;
    shares.push_back({share % total, b.index});
  }
  std::sort(shares.begin(), shares.end(), [](const Share& x, const Share& y) {
    return x.remainder != y.remainder ? x.remainder > y.remainder : x.index < y.index;
  });
  for (std::uint64_t i = 0; i < left; ++i) ++caps[shares[i].index];
}

// The least value that a cap refuses when each slot asks its best backend, or no_value. Below it
// every slot gets its best backend.
Value first_refusal(const Choices<1>& best, const Counts& caps) {
  Counts counts(caps.size());
  for (const auto& [value] : best) ++counts[index_of(value)];

  // Group the values of the backends that are over their cap.
  Counts ends(caps.size());
  std::uint32_t end = 0;
  for (std::size_t i = 0; i < caps.size(); ++i) {
    ends[i] = end;
    if (counts[i] > caps[i]) end += counts[i];
  }
  std::vector<Value> values(end);
  for (const auto& [value] : best) {
    const std::uint16_t i = index_of(value);
    if (counts[i] > caps[i]) values[ends[i]++] = value;
  }

  Value refusal = no_value;
  for (std::size_t i = 0; i < caps.size(); ++i) {
    if (counts[i] <= caps[i]) continue;
    const auto group = values.begin() + (ends[i] - counts[i]);
    std::nth_element(group, group + caps[i], values.begin() + ends[i]);
    refusal = std::min(refusal, group[caps[i]]);
  }
  return refusal;
}

struct Pair {
  Value value;
  std::uint32_t slot;
};

// Ascending by value: into buckets of the value's leading bits, of which most then hold a pair or
// two, and these one by one.
void sort_pairs(std::vector<Pair>& pairs, Value start, std::vector<Pair>& spare) {
  Value last = start;
  for (const Pair& pair : pairs) last = std::max(last, pair.value);
  const int range_bits = static_cast<int>(std::bit_width(last - start));
  const int shift = std::max(0, range_bits - static_cast<int>(std::bit_width(pairs.size())));
  const auto bucket = [=](const Pair& pair) { return (pair.value - start) >> shift; };

  Counts ends(((last - start) >> shift) + 2);
  for (const Pair& pair : pairs) ++ends[bucket(pair) + 1];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  spare.resize(pairs.size());
  for (const Pair& pair : pairs) spare[ends[bucket(pair)]++] = pair;
  pairs.swap(spare);

  auto from = pairs.begin();
  for (const std::uint32_t end : ends) {
    const auto to = pairs.begin() + end;
    if (to - from > 1) {
      std::sort(from, to, [](const Pair& x, const Pair& y) { return x.value < y.value; });
    }
    from = to;
  }
}

// Gives the slots away in ascending order of value, starting where a cap refuses for the first
// time.
class CapPass {
 public:
  CapPass(const Scale& scale, std::span<const Ranking> serving, Counts caps, const Choices<1>& best,
          Value refusal)
      : scale_(scale),
        room_(std::move(caps)),
        owners_(scale.slots(), no_backend),
        sweep_(scale, serving, refusal) {
    free_.reserve(scale.slots());
    for (std::uint32_t slot = 0; slot < scale.slots(); ++slot) {
      const Value value = best[slot][0];
      if (value < sweep_.limit()) {
        take(slot, index_of(value));
      } else {
        free_.push_back(slot);
      }
    }
    drop_taken();
  }

  std::vector<std::uint16_t> run() && {
    while (!free_.empty()) {
      const Value start = sweep_.limit();
      if (std::uint64_t{free_.size()} * sweep_.backends() > scale_.slots() / 4) {
        list_band();
      } else {
        list_rest();
      }
      give(start);
    }
    return std::move(owners_);
  }

 private:
  void take(std::uint32_t slot, std::uint16_t index) {
    owners_[slot] = index;
    --room_[index];
  }

  void drop_taken() {
    std::erase_if(free_, [&](std::uint32_t slot) { return owners_[slot] != no_backend; });
    sweep_.drop_backends([&](std::uint16_t index) { return room_[index] == 0; });
  }

  // In sixteenths; a wide band lists many pairs for slots that are given away within it.
  static constexpr std::uint64_t band_width = 8;

  // The next band's pairs whose slot is free, kept by counting on and not by a branch.
  void list_band() {
    std::size_t count = 0;
    const auto keep = [&](std::uint32_t slot, Value value) {
      if (count == pairs_.size()) pairs_.resize(2 * count + 1024);
      pairs_[count] = {value, slot};
      count += owners_[slot] == no_backend;
    };
    sweep_.next_band(
        band_width, [](std::uint32_t) {}, keep);
    pairs_.resize(count);
  }

  // All pairs that are left.
  void list_rest() {
    pairs_.clear();
    sweep_.each_backend([&](const Ranking& b) {
      for (const std::uint32_t slot : free_) pairs_.push_back({scale_.value_at(b, slot), slot});
    });
  }

  void give(Value start) {
    sort_pairs(pairs_, start, spare_);
    for (const Pair& pair : pairs_) {
      const std::uint16_t index = index_of(pair.value);
      if (owners_[pair.slot] == no_backend && room_[index] > 0) take(pair.slot, index);
    }
    drop_taken();
  }

  const Scale& scale_;
  Counts room_;
  std::vector<std::uint16_t> owners_;
  Sweep sweep_;
  std::vector<std::uint32_t> free_;
  std::vector<Pair> pairs_;
  std::vector<Pair> spare_;
};

}  // namespace

Owners capped_owners(const Scale& scale, std::span<const Ranking> serving, const Choices<1>& best,
                     Balance balance, unsigned slack_permille) {
  Value refusal = no_value;
  Counts caps(serving.back().index + std::size_t{1});
  if (balance != Balance::off) {
    if (balance == Balance::exact) {
      exact_caps(scale.slots(), serving, caps);
    } else {
      slack_caps(scale.slots(), serving, slack_permille, caps);
    }
    refusal = first_refusal(best, caps);
  }
  if (refusal != no_value)
    return {CapPass(scale, serving, std::move(caps), best, refusal).run(), true};

  Owners owners{std::vector<std::uint16_t>(scale.slots()), false};
  std::transform(best.begin(), best.end(), owners.index.begin(),
                 [](const auto& choice) { return index_of(choice[0]); });
  return owners;
}

}  // namespace xdplb::prh
