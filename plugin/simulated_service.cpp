// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/simulated_service.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "plugin/error.h"
#include "plugin/members.h"

namespace xdplb {

namespace {

bool within(const Address& address, const Event& event) {
  const auto wire = address.wire();
  const auto net = event.backend.address.wire();
  if (wire.size() != net.size()) return false;
  for (unsigned bit = 0; bit < *event.prefix; bit++)
    if (((wire[bit / 8] ^ net[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

bool is_about(const Event& event, const ServiceId& service, const BackendId& backend) {
  return event.prefix ? within(backend.address, event)
                      : backend == member_id(service, event.backend);
}

BackendState state_after(Happening what) {
  if (what == Happening::remove) return BackendState::leaving;
  if (what == Happening::drain) return BackendState::drain;
  return what == Happening::down ? BackendState::down : BackendState::up;
}

}  // namespace

SimulatedService::SimulatedService(const ServiceConfig& config, const ClusterKey& key)
    : id_(config.id),
      options_(config.options),
      spec_{
          derive_flow_keys(key, id_.vip.bytes(), id_.port, static_cast<std::uint8_t>(id_.protocol))
              .table_seed,
          static_cast<unsigned>(std::bit_width(config.slots.value_or(default_slots)) - 1),
          options_.balance} {
  for (const auto& backend : config.backends)
    members_.push_back({backend.id, backend.weight, backend.state.value_or(BackendState::up)});
  owners_ = owners();
  changed_since_.resize(owners_.size());
}

std::size_t SimulatedService::happens(const Event& event) {
  std::size_t count = 0;
  if (event.what == Happening::add) {
    add(event);
    count = 1;
  } else {
    for (auto& member : members_)
      if (is_about(event, id_, member.id) && change(member, event)) count++;
  }
  settled_ = settled_ && count == 0;
  return count;
}

void SimulatedService::add(const Event& event) {
  const Member added{member_id(id_, event.backend), event.weight, BackendState::up};
  require_backend(id_, options_, added.id, options_.forward);
  const auto there = std::ranges::find(members_, added.id, &Member::id);
  if (there == members_.end())
    members_.push_back(added);
  else if (there->state == BackendState::leaving)
    *there = added;
  else
    throw Error("event '" + event.text + "': service " + id_.to_string() +
                " has this backend already");
}

// To one that was removed nothing else happens than that it goes down.
bool SimulatedService::change(Member& member, const Event& event) {
  if (member.state == BackendState::leaving)
    return event.what == Happening::down && !std::exchange(member.gone, true);
  if (event.what == Happening::weight)
    member.weight = event.weight;
  else
    member.state = state_after(event.what);
  return true;
}

SimulatedService::Owners SimulatedService::owners() const {
  const auto spec = with_members(spec_, members_, options_.last_resort);
  return spec ? build_table(*spec).first : Owners(std::size_t{1} << spec_.k, no_backend);
}

// Do flows that are remembered stay? A backend that is removed serves them until they end.
bool SimulatedService::keeps(std::uint16_t number) const {
  if (number == no_backend) return true;
  const auto& member = members_[number];
  return options_.remember != Remember::none && !member.gone &&
         (member.state != BackendState::down || options_.on_down == OnDown::keep);
}

bool SimulatedService::touches(const Event& event, std::uint16_t owner) const {
  return owner != no_backend && is_about(event, id_, members_[owner].id);
}

ServiceOutcome SimulatedService::outcome(const Event& event, const std::vector<double>& elsewhere) {
  ServiceOutcome out{id_, static_cast<unsigned>(owners_.size())};
  const auto before = owners_;
  if (!std::exchange(settled_, true)) {
    owners_ = owners();
    move_slots(out, event, before);
  }
  follow_flows(out, before, elsewhere);
  weigh(out, counts(before), counts(owners_));
  return out;
}

void SimulatedService::move_slots(ServiceOutcome& out, const Event& event, const Owners& before) {
  const auto there = static_cast<std::ptrdiff_t>(formers_.size());
  for (std::uint32_t slot = 0; slot < owners_.size(); slot++) {
    if (before[slot] == owners_[slot]) continue;
    out.moved++;
    if (before[slot] == no_backend) continue;
    const bool needed = touches(event, before[slot]) || touches(event, owners_[slot]);
    out.needless += static_cast<unsigned>(!needed);
    formers_.push_back({slot, before[slot]});
  }
  std::ranges::inplace_merge(formers_, formers_.begin() + there);
  formers_.erase(std::unique(formers_.begin(), formers_.end()), formers_.end());
}

void SimulatedService::follow_flows(ServiceOutcome& out, const Owners& before,
                                    const std::vector<double>& elsewhere) {
  for (auto first = formers_.begin(); first != formers_.end();) {
    const auto slot = first->slot;
    const auto last = std::find_if(first, formers_.end(),
                                   [slot](const Former& former) { return former.slot != slot; });
    follow_slot(out, {first, last}, before[slot], elsewhere);
    first = last;
  }
  std::erase_if(formers_, [this](const Former& former) { return !keeps(former.member); });
}

// All nodes send what they don't know of a slot to the same backend (plugin/epoch.h). So a flow can
// come to a node in vain only where another backend has some too, and only if it began since then.
void SimulatedService::follow_slot(ServiceOutcome& out, std::span<const Former> formers,
                                   std::uint16_t before, const std::vector<double>& elsewhere) {
  const auto slot = formers.front().slot;
  const auto owner = owners_[slot];
  bool changed = false;
  bool broken = false;
  for (const auto& former : formers)
    if (former.member != owner) (keeps(former.member) ? changed : broken) = true;
  // A last resort that is down: none of its flows is remembered, and unknown ones are others'.
  if (changed && owner == before && !keeps(owner)) broken = true;
  out.changed += static_cast<unsigned>(changed);
  out.broken += static_cast<unsigned>(broken);
  auto& since = changed_since_[slot];
  if (!changed) {
    since = 0;
    return;
  }
  if (since == 0) since = static_cast<std::uint32_t>(elsewhere.size() - 1);
  out.unseen += elsewhere[since] / out.slots;
}

std::vector<unsigned> SimulatedService::counts(const Owners& owners) const {
  std::vector<unsigned> counts(members_.size());
  for (const auto owner : owners)
    if (owner != no_backend) counts[owner]++;
  return counts;
}

void SimulatedService::weigh(ServiceOutcome& out, const std::vector<unsigned>& before,
                             const std::vector<unsigned>& after) const {
  double weights = 0;
  for (std::size_t i = 0; i < members_.size(); i++)
    if (after[i] != 0) weights += members_[i].weight;
  out.served = weights != 0;
  for (std::size_t i = 0; i < members_.size(); i++) {
    if (after[i] == 0) continue;
    const double fair = out.slots * (members_[i].weight / weights);
    out.overload = std::max(out.overload, after[i] / fair - 1);
    if (before[i] != 0) out.growth = std::max(out.growth, ratio(after[i], before[i]) - 1);
  }
}

}  // namespace xdplb
