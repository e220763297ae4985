// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/table.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <utility>

#include "plugin/prh.h"
#include "plugin/table_caps.h"
#include "plugin/table_choice.h"

namespace xdplb {
namespace {

using prh::Choices;
using prh::Ranking;
using prh::Scale;

void validate(const TableSpec& spec) {
  if (spec.k < min_table_bits || spec.k > max_table_bits) {
    throw std::invalid_argument("a table has 2^8 to 2^20 slots");
  }
  if (spec.slack_permille > max_slack_permille) {
    throw std::invalid_argument("the slack is above 1000000 permille");
  }
  if (spec.backends.size() > max_table_backends) {
    throw std::invalid_argument("a table has at most 65534 backends");
  }
  for (const TableBackend& b : spec.backends) {
    if (b.weight < 1 || b.weight > max_weight) {
      throw std::invalid_argument("a backend's weight is 1 to 65535");
    }
  }
}

// Builds one table; all indices in here are canonical ones, and no_backend.
class Builder {
 public:
  explicit Builder(const TableSpec& spec)
      : spec_(spec),
        scale_(spec.k),
        canonical_(prh::canonical_order(spec.seed, spec.k, spec.backends)),
        serving_(select([](const TableBackend& b) { return !b.drain; })) {}

  Table run() {
    Table table;
    if (spec_.second) {
      const Choices<2> lists = prh::best_choices<2>(scale_, canonical_.rankings);
      choose_first(best_serving(lists), table);
      choose_second(lists, table);
    } else {
      choose_first(prh::best_choices<1>(scale_, serving_), table);
    }
    to_callers_order(table.first);
    to_callers_order(table.second);
    return table;
  }

 private:
  const TableBackend& backend(std::size_t index) const {
    return spec_.backends[canonical_.order[index]];
  }

  template <class Condition>
  std::vector<Ranking> select(Condition condition) const {
    std::vector<Ranking> selected;
    for (const Ranking& b : canonical_.rankings) {
      if (condition(backend(b.index))) selected.push_back(b);
    }
    return selected;
  }

  Choices<1> best_serving(const Choices<2>& lists) const {
    if (serving_.size() != spec_.backends.size()) return prh::best_choices<1>(scale_, serving_);
    Choices<1> best(lists.size());
    for (std::size_t slot = 0; slot < lists.size(); ++slot) best[slot] = {lists[slot][0]};
    return best;
  }

  void choose_first(const Choices<1>& best, Table& table) const {
    if (serving_.empty()) {
      table.first.assign(scale_.slots(), no_backend);
      return;
    }
    prh::Owners owners =
        prh::capped_owners(scale_, serving_, best, spec_.balance, spec_.slack_permille);
    table.first = std::move(owners.index);
    table.caps_binding = owners.caps_binding;
    replace_unhealthy(table.first);
  }

  void replace_unhealthy(std::vector<std::uint16_t>& first) const {
    const std::vector<Ranking> healthy =
        select([](const TableBackend& b) { return !b.drain && b.healthy; });
    if (healthy.empty() || healthy.size() == serving_.size()) return;
    const Choices<1> best = prh::best_choices<1>(scale_, healthy);
    for (std::size_t slot = 0; slot < first.size(); ++slot) {
      if (!backend(first[slot]).healthy) first[slot] = prh::index_of(best[slot][0]);
    }
  }

  static void choose_second(const Choices<2>& lists, Table& table) {
    table.second.resize(lists.size());
    for (std::size_t slot = 0; slot < lists.size(); ++slot) {
      const std::uint16_t best = prh::index_of(lists[slot][0]);
      table.second[slot] = best != table.first[slot] ? best : prh::index_of(lists[slot][1]);
    }
  }

  void to_callers_order(std::vector<std::uint16_t>& indices) const {
    for (std::uint16_t& index : indices) {
      if (index != no_backend) index = canonical_.order[index];
    }
  }

  const TableSpec& spec_;
  const Scale scale_;
  const prh::Canonical canonical_;
  const std::vector<Ranking> serving_;
};

}  // namespace

Table build_table(const TableSpec& spec) {
  validate(spec);
  return Builder(spec).run();
}

}  // namespace xdplb
