// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/epoch_model.h"

#include <algorithm>

namespace xdplb::test {

void EpochModel::set(std::uint16_t number, State state, unsigned weight) {
  backends_[number] = {state, weight};
  change();
  if (!keeps(number)) forget(number);
}

void EpochModel::remove(std::uint16_t number) {
  backends_.erase(number);
  change();
  forget(number);
}

void EpochModel::forget(std::uint16_t number) {
  std::erase_if(known_, [&](const auto& known) { return known.second.backend == number; });
}

bool EpochModel::has(std::uint16_t number) const { return backends_.contains(number); }

bool EpochModel::keeps(std::uint16_t number) const {
  const auto backend = backends_.find(number);
  return backend != backends_.end() && (backend->second.state != down || keep_down);
}

std::vector<std::uint16_t> EpochModel::wanted() const {
  auto service = service_;
  bool any = false;
  for (const auto& [number, backend] : backends_) {
    ModelBackend one{"10.0.0." + std::to_string(number), number, backend.weight};
    one.drain = backend.state == drain || backend.state == leaving;
    one.healthy = backend.state != down;
    any |= backend.state == up;
    service.backends.push_back(one);
  }
  if (!any) return std::vector<std::uint16_t>(slots_.size(), 0);
  return service.owners();
}

// Flows that nothing is known of never move while their backend is there.
void EpochModel::change() {
  const auto owners = wanted();
  for (std::size_t i = 0; i < slots_.size(); i++) {
    auto& slot = slots_[i];
    const bool waiting = in_phase_1(slot);
    const auto unknown = waiting ? *slot.previous : slot.current;
    slot.current = owners[i];
    if (!used_) {
      slot = {owners[i]};
    } else if (unknown == 0 || !keeps(unknown) || unknown == owners[i]) {
      slot.previous.reset();
    } else {
      if (!waiting) slot.deadline = now_ + epoch_ + 1;
      slot.previous = unknown;
      slot.open = true;
    }
  }
}

EpochModel::Slot& EpochModel::slot_of(const Flow& flow) {
  return slots_.at(service_.slot_of(flow.from, flow.sport, service_.id.port));
}

void EpochModel::settle() {
  std::erase_if(known_, [&](const auto& known) { return !lives(known.second); });
  std::set<const Slot*> needed;
  for (const auto& [flow, known] : known_) {
    const auto& slot = slot_of(flow);
    if (known.backend != slot.current) needed.insert(&slot);
  }
  for (auto& slot : slots_) {
    if (in_phase_1(slot)) continue;
    slot.previous.reset();
    if (!needed.contains(&slot)) slot.open = false;
  }
  if (!always && std::ranges::none_of(slots_, &Slot::open)) known_.clear();
  std::erase_if(backends_, [&](const auto& backend) {
    const auto& [number, record] = backend;
    return record.state == leaving && live(number) == 0 &&
           std::ranges::none_of(slots_, [&](const auto& slot) {
             return slot.current == number || (slot.previous && *slot.previous == number);
           });
  });
}

std::uint16_t EpochModel::send(const Flow& flow, Kind kind) {
  auto& slot = slot_of(flow);
  const bool waiting = in_phase_1(slot);
  const bool opens = kind == Kind::syn && service_.id.protocol == Protocol::tcp;
  const bool counts = kind == Kind::syn || kind == Kind::data;
  const auto known = known_.find(flow);
  const bool asked = slot.open || always;
  auto goes = opens || !waiting ? slot.current : *slot.previous;
  if (asked && known != known_.end() && lives(known->second)) {
    auto& entry = known->second;
    const bool accepts = backends_.at(entry.backend).state == up;
    if (opens && !accepts && entry.confirmed && entry.used == now_) return 0;
    if (!opens || accepts) goes = entry.backend;
    if (opens && goes != 0) entry = {goes, accepts && entry.confirmed, now_};
    if (!opens && counts) entry = {entry.backend, true, now_};
  } else if (asked && counts && goes != 0 && (waiting || always)) {
    known_[flow] = {goes, false, now_};
  }
  used_ |= goes != 0;
  return goes;
}

std::size_t EpochModel::changed_slots() const {
  return static_cast<std::size_t>(std::ranges::count_if(slots_, &Slot::open));
}

std::size_t EpochModel::live() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(known_, [&](const auto& known) { return lives(known.second); }));
}

std::size_t EpochModel::live(std::uint16_t number) const {
  return static_cast<std::size_t>(std::ranges::count_if(known_, [&](const auto& known) {
    return known.second.backend == number && lives(known.second);
  }));
}

}  // namespace xdplb::test
