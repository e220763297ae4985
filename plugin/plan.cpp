// SPDX-License-Identifier: GPL-2.0-only
// compare().
#include "plugin/plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "plugin/reach.h"

namespace xdplb {

namespace {

class Changes {
 public:
  void differ(const char* what, const std::string& before, const std::string& after) {
    if (before != after) all_.push_back(std::string(what) + " " + before + " -> " + after);
  }
  template <typename Choice>
  void differ(const char* what, Choice before, Choice after) {
    differ(what, std::string(to_string(before)), std::string(to_string(after)));
  }
  void differ(const char* what, unsigned before, unsigned after) {
    differ(what, std::to_string(before), std::to_string(after));
  }
  [[nodiscard]] std::vector<std::string> take() { return std::move(all_); }

 private:
  std::vector<std::string> all_;
};

std::string pool_text(const Pool& pool) { return pool.count == 0 ? "none" : pool.to_string(); }

std::string prefix_text(unsigned bits) { return bits == 0 ? "flow" : std::to_string(bits); }

std::string on_off(bool on) { return on ? "on" : "off"; }

std::vector<std::string> differences(const ServiceOptions& before, const ServiceOptions& after) {
  Changes changes;
  changes.differ("forward", before.forward, after.forward);
  changes.differ("balance", before.balance, after.balance);
  changes.differ("gue-port", unsigned{before.gue_port}, unsigned{after.gue_port});
  changes.differ("pool", pool_text(before.pool), pool_text(after.pool));
  changes.differ("fragments", before.fragments, after.fragments);
  changes.differ("affinity", prefix_text(before.source_prefix), prefix_text(after.source_prefix));
  changes.differ("ping", on_off(before.ping), on_off(after.ping));
  changes.differ("state", before.remember, after.remember);
  changes.differ("epoch", before.epoch, after.epoch);
  changes.differ("on-down", before.on_down, after.on_down);
  changes.differ("last-resort", before.last_resort, after.last_resort);
  changes.differ("second-chance", on_off(before.second_chance), on_off(after.second_chance));
  return changes.take();
}

std::vector<std::string> differences(const Backend& before, const Backend& after) {
  Changes changes;
  changes.differ("weight", before.weight, after.weight);
  changes.differ("state", before.state, after.state);
  if (before.own_forward || after.own_forward)
    changes.differ("forward", before.forward, after.forward);
  changes.differ("next-hop", hop_text(before.hop), hop_text(after.hop));
  if (before.hop && after.hop && before.hop->ifindex == after.hop->ifindex)
    changes.differ("next-hop's source", to_string(std::to_array(before.hop->src)),
                   to_string(std::to_array(after.hop->src)));
  return changes.take();
}

// Have flows the slots that they had?
bool same_hash(const lb_service& before, const lb_service& after) {
  return load(before.table).source_prefix == load(after.table).source_prefix;
}

// Are flows that are remembered found where they were?
bool same_memory(const lb_service& before, const lb_service& after) {
  const auto by_source = [](const auto& one) { return one.fragments == LB_FRAGMENTS_HASH3; };
  return same_hash(before, after) && by_source(before) == by_source(after);
}

std::uint64_t divide_up(std::uint64_t dividend, std::uint64_t divisor) {
  return (dividend + divisor - 1) / divisor;
}

// A service before and after; either may be missing.
class Comparison {
 public:
  Comparison(const Pins& before, const Pins& after)
      : before_(before),
        after_(after),
        then_(before),
        now_(after),
        then_members_(then_.members()),
        now_members_(now_.members()) {
    find_lost(before, after);
  }

  ServicePlan service(const std::optional<Service>& before, const std::optional<Service>& after) {
    const auto& one = after ? *after : *before;
    ServicePlan plan;
    plan.id = one.id;
    plan.what = Planned::changed;
    plan.slots = one.slots;
    if (!before) plan.what = Planned::added;
    if (!after) plan.what = Planned::removed;
    if (before && after) plan.changes = differences(*before, *after);
    members_ = {};
    names_before_ = {};
    names_after_ = {};
    if (before)
      add(then_members_[before->number], then_.slots_of(*before), &Member::before, names_before_);
    if (after)
      add(now_members_[after->number], now_.slots_of(*after), &Member::after, names_after_);
    for (const auto& [id, member] : members_)
      plan.backends.push_back(backend(member, after.has_value()));
    plan.new_hash =
        before && after &&
        !same_hash(before_.services()[before->number], after_.services()[after->number]);
    if (plan.new_hash)
      plan.dealt_flows = dealt_flows(*before);
    else if (before)
      moves(*before, after, plan);
    const bool same = plan.what == Planned::changed && plan.changes.empty() && plan.moves.empty() &&
                      !plan.new_hash &&
                      std::ranges::all_of(plan.backends, [](const auto& one_backend) {
                        return one_backend.what == Planned::same;
                      });
    if (same) plan.what = Planned::same;
    return plan;
  }

 private:
  using Names = std::map<std::uint32_t, BackendId>;  // by handle
  struct Member {
    std::optional<Backend> before{}, after{};
    unsigned slots_before = 0, slots_after = 0;
  };

  void add(const std::vector<Backend>& backends, const std::vector<std::uint32_t>& slots,
           std::optional<Backend> Member::*side, Names& names) {
    for (const auto& backend : backends) {
      names[backend.handle] = backend.id;
      auto& member = members_[backend.id];
      member.*side = backend;
      (side == &Member::before ? member.slots_before : member.slots_after) = slots[backend.handle];
    }
  }

  static BackendPlan backend(const Member& member, bool service_stays) {
    const auto& one = member.after ? *member.after : *member.before;
    BackendPlan plan{one.id, Planned::same, {}, member.slots_before, member.slots_after};
    const auto is_leaving = [](const auto& side) { return side->state == BackendState::leaving; };
    if (!member.before) {
      plan.what = Planned::added;
    } else if (!member.after || is_leaving(member.after)) {
      // by an earlier change where it was leaving, whether or not flows of it are left
      plan.what = service_stays && is_leaving(member.before) ? Planned::same : Planned::removed;
    } else if (plan.changes = differences(*member.before, *member.after); !plan.changes.empty()) {
      plan.what = Planned::changed;
    }
    return plan;
  }

  static std::optional<BackendId> name(const Names& names, std::uint32_t handle) {
    const auto found = names.find(handle);
    return found == names.end() ? std::nullopt : std::optional(found->second);
  }

  // Flows that are remembered, and no longer.
  void find_lost(const Pins& before, const Pins& after) {
    const auto known = before.exceptions();
    const auto kept = after.exceptions();
    const auto records = before.backends();
    for (std::size_t i = 0; i < known.size(); i++) {
      if (known[i] == 0) continue;
      const auto conf = load(records[lb_exception_handle(known[i])].conf);
      if (!is_live(conf)) continue;
      const auto number = conf.service;
      if (kept[i] != known[i] || !same_memory(before.services()[number], after.services()[number]))
        lost_[number].push_back(known[i]);
    }
  }

  // How many of the flows that were remembered go to another backend on average.
  [[nodiscard]] std::uint64_t dealt_flows(const Service& before) {
    std::uint64_t sum = 0;
    const auto seconds = epoch_seconds();
    for (const auto flow : lost_[before.number])
      if (lb_exception_age(flow, seconds) <= before.epoch)
        sum += before.slots - members_[names_before_[lb_exception_handle(flow)]].slots_after;
    return divide_up(sum, before.slots);
  }

  void moves(const Service& before, const std::optional<Service>& after, ServicePlan& plan) {
    const auto then = then_.current_of(before);
    const auto now = after ? now_.current_of(*after) : std::vector<std::uint16_t>(then.size());
    std::set<std::uint32_t> fresh;  // handles that were not its
    for (const auto& [handle, id] : names_after_)
      if (name(names_before_, handle) != id) fresh.insert(handle);
    std::map<std::pair<std::uint16_t, std::uint16_t>, Move> all;
    for (std::size_t i = 0; i < then.size(); i++)
      if (then[i] != now[i] || fresh.contains(now[i])) all[{then[i], now[i]}].slots++;
    const auto seconds = epoch_seconds();
    for (const auto flow : lost_[before.number]) {
      if (lb_exception_age(flow, seconds) > before.epoch) continue;
      const auto handle = static_cast<std::uint16_t>(lb_exception_handle(flow));
      const auto to = now[flow & (now.size() - 1)];
      if (to != handle || fresh.contains(to)) all[{handle, to}].flows++;
    }
    for (auto& [ends, move] : all) {
      move.from = name(names_before_, ends.first);
      move.to = name(names_after_, ends.second);
      plan.moves.push_back(move);
    }
  }

  const Pins& before_;
  const Pins& after_;
  State then_, now_;
  std::vector<std::vector<Backend>> then_members_, now_members_;  // by service's number
  std::map<std::uint32_t, std::vector<std::uint64_t>> lost_{};    // likewise
  std::map<BackendId, Member> members_{};
  Names names_before_{}, names_after_{};
};

}  // namespace

unsigned ServicePlan::moved_slots() const {
  std::uint64_t dealt = 0;
  if (new_hash)
    for (const auto& one : backends) dealt += std::uint64_t{one.before} * (slots - one.after);
  auto sum = static_cast<unsigned>(divide_up(dealt, slots));
  for (const auto& move : moves) sum += move.from ? move.slots : 0;
  return sum;
}

std::uint64_t ServicePlan::moved_flows() const {
  auto sum = dealt_flows;
  for (const auto& move : moves) sum += move.flows;
  return sum;
}

void Plan::take_maps(Plan other) {
  services = std::move(other.services);
  new_peers = std::move(other.new_peers);
  old_peers = std::move(other.old_peers);
  new_key = other.new_key;
  unfinished = other.unfinished;
}

std::vector<ServicePlan> compare(const Pins& before, const Pins& after) {
  const State then(before);
  const State now(after);
  std::map<ServiceId, std::pair<std::optional<Service>, std::optional<Service>>> all;
  for (const auto& service : then.services()) all[service.id].first = service;
  for (const auto& service : now.services()) all[service.id].second = service;
  std::vector<ServicePlan> plans;
  Comparison comparison(before, after);
  for (const auto& [id, sides] : all) {
    auto plan = comparison.service(sides.first, sides.second);
    if (plan.what != Planned::same) plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace xdplb
