// SPDX-License-Identifier: GPL-2.0-only
// How slots change (plugin/epoch.h), and how changed slots become clean again: a part of
// State::settle().
//
// A slot's deadline and its word are two stores. A packet must not find a new word with an old
// deadline, nor an old word with a new deadline that it would mean something with: so a word whose
// old deadline is over says so itself first, and packets under way are waited for in between.
#include <algorithm>
#include <bit>

#include "plugin/epoch.h"
#include "plugin/state.h"

namespace xdplb {

namespace {

// Packets under way may be that much behind, and a change takes that long.
constexpr std::uint32_t grace = 1;
constexpr std::uint32_t change_takes = 2;

bool is_over(const lb_slot& slot, std::uint32_t deadline, std::uint32_t now) {
  return !lb_phase_1(slot, deadline, now - grace);
}

// Without a table, on its way out, a service has no slots.
bool is_open(const lb_service& service) {
  return service.epoch_open != 0 && load(service.table).line != 0;
}

void replace(lb_slot& slot, const lb_slot& wanted) {
  if (std::bit_cast<std::uint32_t>(load(slot)) != std::bit_cast<std::uint32_t>(wanted))
    store(slot, wanted);
}

bool is_state(const lb_backend& record, lb_backend_state state) {
  return load(record.conf).state == state;
}

// By handle; nothing where no flow is kept.
std::vector<bool> backends_that_keep(const lb_service& service,
                                     const std::vector<Backend>& members) {
  std::vector<bool> keep;
  if (service.remember == LB_REMEMBER_NONE) return keep;
  keep.resize(LB_BACKENDS);
  for (const auto& member : members) keep[member.handle] = member_keeps(service, member);
  return keep;
}

}  // namespace

std::span<lb_slot> State::slots_at(const lb_table_ref& table) const {
  return pins_.arena().as<lb_slot>().subspan(std::size_t{table.line} * LB_LINE / sizeof(lb_slot),
                                             std::size_t{1} << table.k);
}

std::span<std::uint32_t> State::deadlines_at(const lb_table_ref& table) const {
  const std::size_t slots = std::size_t{1} << table.k;
  return pins_.arena().as<std::uint32_t>().subspan(
      std::size_t{table.line} * LB_LINE / sizeof(std::uint32_t) + slots, slots);
}

std::span<std::uint32_t> State::seconds_at(const lb_table_ref& table) const {
  const std::size_t slots = std::size_t{1} << table.k;
  return pins_.arena().as<std::uint32_t>().subspan(
      std::size_t{table.line} * LB_LINE / sizeof(std::uint32_t) + 2 * slots, slots / 2);
}

// What the slots become; stays: backends_that_keep().
std::vector<SlotChange> State::next_slots(const lb_table_ref& table,
                                          const std::vector<std::uint16_t>& wanted,
                                          const std::vector<bool>& stays, std::uint32_t now) const {
  const auto slots = slots_at(table);
  const auto deadlines = deadlines_at(table);
  std::vector<SlotChange> next(slots.size());
  for (std::size_t i = 0; i < slots.size(); i++) {
    const auto slot = load(slots[i]);
    const bool phase_1 = lb_phase_1(slot, load(deadlines[i]), now) != 0;
    next[i] = stays.empty() ? SlotChange{{wanted[i], wanted[i]}, false, false}
                            : change_slot(slot, phase_1, wanted[i], stays[base_of(slot, phase_1)]);
  }
  return next;
}

// Those of slots that enter phase 1; such words as would mean something with them are marked first.
void State::set_deadlines(const lb_table_ref& table, const std::vector<SlotChange>& next,
                          unsigned epoch) const {
  const auto slots = slots_at(table);
  const auto deadlines = deadlines_at(table);
  for (std::size_t i = 0; i < slots.size(); i++)
    if (next[i].marks) store(slots[i], lb_slot{load(slots[i]).current, LB_SLOT_KEEPS});
  if (std::ranges::any_of(next, &SlotChange::marks)) wait();
  const auto deadline = epoch_seconds() + epoch + change_takes + grace;
  for (std::size_t i = 0; i < slots.size(); i++)
    if (next[i].enters) store(deadlines[i], deadline);
  if (std::ranges::any_of(next, &SlotChange::enters)) wait();
}

void State::change_slots(lb_service& service, const lb_table_ref& table,
                         const std::vector<std::uint16_t>& wanted,
                         const std::vector<bool>& stays) const {
  const auto is_changed = [](const auto& change) { return !is_clean(change.slot); };
  std::vector<SlotChange> next;
  std::uint32_t end = 0;
  do {  // again where a slot's epoch ended meanwhile
    end = epoch_seconds() + change_takes;
    next = next_slots(table, wanted, stays, end);
    if (std::ranges::any_of(next, is_changed)) service.epoch_open = 1;
    set_deadlines(table, next, service.epoch);
  } while (epoch_seconds() >= end);
  const auto slots = slots_at(table);
  for (std::size_t i = 0; i < slots.size(); i++) replace(slots[i], next[i].slot);
}

// Flows of a service that has forwarded nothing need not be kept: but packets may come meanwhile.
void State::settle_slots(lb_service& service, const lb_table_ref& table,
                         const std::vector<Backend>& members,
                         const std::vector<std::uint16_t>& wanted) const {
  const auto number = static_cast<std::uint32_t>(&service - pins_.services().data());
  const auto is_unused = [&] { return forwarded(number)[number].packets == 0; };
  const bool unused = is_unused();
  change_slots(service, table, wanted, backends_that_keep(service, members));
  if (!unused || service.epoch_open == 0) return;
  wait();
  if (!is_unused()) return;
  change_slots(service, table, wanted, {});
  service.epoch_open = 0;
}

// What is remembered of backends that keep none of their flows, once no packet remembers more.
void State::forget_flows(const std::vector<bool>& handles) const {
  if (!Exceptions(pins_).has_any(handles)) return;
  wait();
  Exceptions(pins_).remove_if(
      [&](std::uint64_t entry) { return handles[lb_exception_handle(entry)]; });
}

bool State::has_leaving() const {
  return std::ranges::any_of(
      pins_.backends(), [](const auto& record) { return is_state(record, LB_BACKEND_LEAVING); });
}

// May there be flows that are remembered, or waited for?
bool State::has_epochs() const {
  return has_leaving() || std::ranges::any_of(pins_.services(), [](const auto& service) {
           return is_open(service) || load(service.table).remembers != 0;
         });
}

// Slots that no flow needs any more, and backends that none is left of.
void State::close_epochs() {
  if (!has_epochs()) return;
  const auto services = pins_.services();
  const auto records = pins_.backends();
  const auto now = epoch_seconds();
  std::vector<bool> remembered(LB_BACKENDS);
  std::vector<std::vector<bool>> needed(LB_SERVICES);
  Exceptions(pins_).remove_if([&](std::uint64_t entry) {
    const auto handle = lb_exception_handle(entry);
    const auto conf = load(records[handle].conf);
    const auto& service = services[conf.service];
    if (!is_live(conf) || lb_exception_age(entry, now) > service.epoch + grace) return true;
    const auto slots = slots_at(load(service.table));
    const std::size_t slot = entry & (slots.size() - 1);
    remembered[handle] = true;
    auto& its = needed[conf.service];
    its.resize(slots.size());
    if (load(slots[slot]).current != handle) its[slot] = true;
    return false;
  });
  bool closed = false;
  for (std::uint32_t number = 0; number < services.size(); number++) {
    if (!is_open(services[number])) continue;
    close_epoch(services[number], needed[number], now);
    closed |= services[number].epoch_open == 0;
  }
  if (closed) forget_clean();
  if (has_leaving()) remove_left(remembered);
}

// Flows of services that have no changed slot any more: all go to their slot's backend, and when
// nobody looks at entries, those that are old become young again (bpf/exception.h).
void State::forget_clean() const {
  Exceptions(pins_).remove_if([&](std::uint64_t entry) {
    const auto conf = load(pins_.backends()[lb_exception_handle(entry)].conf);
    const auto& service = pins_.services()[conf.service];
    return !is_live(conf) || (service.epoch_open == 0 && load(service.table).remembers == 0);
  });
}

void State::close_epoch(lb_service& service, const std::vector<bool>& needed,
                        std::uint32_t now) const {
  const auto table = load(service.table);
  const auto slots = slots_at(table);
  const auto deadlines = deadlines_at(table);
  bool open = false;
  for (std::size_t i = 0; i < slots.size(); i++) {
    const auto slot = load(slots[i]);
    if (is_clean(slot)) continue;
    if (is_over(slot, load(deadlines[i]), now)) {
      const auto closed = close_slot(slot, i < needed.size() && needed[i]);
      replace(slots[i], closed);
      open |= !is_clean(closed);
    } else {
      open = true;
    }
  }
  if (!open) service.epoch_open = 0;
}

// Those that flows may be sent to by a slot of theirs.
std::vector<bool> State::named_handles() const {
  std::vector<bool> named(LB_BACKENDS);
  for (const auto& service : pins_.services()) {
    const auto table = load(service.table);
    if (load(service.conf).state == LB_SERVICE_FREE || table.line == 0) continue;
    for (const auto& word : slots_at(table)) {
      const auto slot = load(word);
      named[slot.current] = true;
      named[slot.previous] = true;
    }
  }
  return named;
}

void State::remove_left(const std::vector<bool>& remembered) {
  const auto named = named_handles();
  const bool replies = has_replies();
  const auto records = pins_.backends();
  for (std::uint32_t handle = 1; handle < records.size(); handle++) {
    auto conf = load(records[handle].conf);
    if (conf.state != LB_BACKEND_LEAVING || named[handle] || remembered[handle]) continue;
    if (replies) store(pins_.meta().index_stale, 1U);
    auto& service = pins_.services()[conf.service];
    if (service.second_chance != 0) mark_stale(service);  // it may be a second choice
    conf.state = LB_BACKEND_REMOVED;
    store(records[handle].conf, conf);
  }
}

void State::count_flows(Epochs& all, std::uint32_t now) const {
  for (const auto& word : pins_.exceptions()) {
    const auto entry = load(word);
    const auto handle = lb_exception_handle(entry);
    const auto conf = load(pins_.backends()[handle].conf);
    if (entry == 0 || !is_live(conf) ||
        lb_exception_age(entry, now) > pins_.services()[conf.service].epoch)
      continue;
    all.backends[handle].flows++;
    all.used++;
  }
}

void State::count_slots(Epochs& all, std::uint32_t number, std::uint32_t now) const {
  const auto table = load(pins_.services()[number].table);
  const auto slots = slots_at(table);
  const auto deadlines = deadlines_at(table);
  auto& its = all.services[number];
  for (std::size_t i = 0; i < slots.size(); i++) {
    const auto slot = load(slots[i]);
    const auto deadline = load(deadlines[i]);
    if (is_clean(slot)) continue;
    its.changed++;
    if (is_over(slot, deadline, now)) continue;
    its.phase_1++;
    its.seconds = std::max(its.seconds, deadline + grace - now);
    all.backends[slot.previous].phase_1 = true;
  }
}

// Backends that their services have no other for.
void State::mark_last_resorts(Epochs& all) const {
  for (const auto& service : pins_.services()) {
    const auto table = load(service.table);
    if (load(service.conf).state != LB_SERVICE_LIVE || table.line == 0 ||
        service.last_resort != LB_LAST_RESORT_ALL)
      continue;
    for (const auto& word : slots_at(table)) {
      const auto handle = load(word).current;
      if (handle != 0 && !is_state(pins_.backends()[handle], LB_BACKEND_UP))
        all.backends[handle].last_resort = true;
    }
  }
}

Epochs State::epochs() const {
  Epochs all;
  all.services.resize(LB_SERVICES);
  all.backends.resize(LB_BACKENDS);
  all.capacity = pins_.exceptions().size();
  all.counters = counters_.of_exceptions();
  const auto now = epoch_seconds();
  count_flows(all, now);
  for (std::uint32_t number = 0; number < LB_SERVICES; number++)
    if (is_open(pins_.services()[number])) count_slots(all, number, now);
  mark_last_resorts(all);
  return all;
}

}  // namespace xdplb
