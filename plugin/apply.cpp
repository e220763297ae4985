// SPDX-License-Identifier: GPL-2.0-only
// State::apply(): many changes, and one settle(). A process that dies in between leaves records of
// which some are as wanted; the same call again makes the others so.
#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include "plugin/error.h"
#include "plugin/state.h"

namespace xdplb {

namespace {

// What of the change isn't so already.
BackendChange difference(const Backend& now, const BackendChange& wanted) {
  BackendChange change;
  const auto has = [&](const std::optional<Forward>& own) {
    return own.has_value() == now.own_forward && own.value_or(now.forward) == now.forward;
  };
  if (wanted.forward && !has(*wanted.forward)) change.forward = wanted.forward;
  if (wanted.weight && *wanted.weight != now.weight) change.weight = wanted.weight;
  if (wanted.state && *wanted.state != now.state) change.state = wanted.state;
  // a weight ends a drain
  if (change.weight && !change.state) change.state = now.state;
  const auto hop = now.hop.value_or(lb_hop{});
  const auto same = [&](const lb_hop& other) {
    return other.ifindex == hop.ifindex && std::ranges::equal(other.dst, hop.dst) &&
           std::ranges::equal(other.src, hop.src);
  };
  if (wanted.hop && !same(*wanted.hop)) change.hop = wanted.hop;
  return change;
}

bool is_change(const BackendChange& change) {
  return change.forward || change.weight || change.state || change.hop;
}

void require_own_replies(const std::map<Reply, ServiceId>& replies, const WantedService& service,
                         const WantedBackend& backend, Mistakes& mistakes) {
  for (const auto& reply : replies_of(service.id, service.options.fragments, backend.id)) {
    const auto there = replies.find(reply);
    if (there == replies.end() || there->second == service.id) continue;
    mistakes.attempt(backend.at, [&] { throw_shared_nat(backend.id, reply, there->second); });
    return;
  }
}

std::uint64_t table_bytes(unsigned slots) { return LB_TABLE_BYTES(std::countr_zero(slots)); }

}  // namespace

// Services that stay, by number.
std::map<std::uint32_t, Service> State::staying(const std::vector<WantedService>& wanted) const {
  std::map<std::uint32_t, Service> stay;
  for (const auto& service : wanted)
    if (const auto now = find_service(service.id)) stay.emplace(now->number, *now);
  return stay;
}

// Replies may not be those of another service that stays.
void State::examine_replies(const std::vector<WantedService>& wanted, Mistakes& mistakes) const {
  const auto stay = staying(wanted);
  std::map<Reply, ServiceId> replies;
  for (const auto& record : pins_.backends()) {
    const auto conf = load(record.conf);
    const auto service = stay.find(conf.service);
    if (!is_live(conf) || service == stay.end() || forward_of(record) != Forward::nat) continue;
    const auto& owner = service->second;
    for (const auto& reply : replies_of(owner.id, owner.fragments, id_of(record)))
      replies[reply] = owner.id;
  }
  for (const auto& service : wanted)
    for (const auto& one : service.backends)
      if (one.change.mode(service.options.forward) == Forward::nat)
        require_own_replies(replies, service, one, mistakes);
}

void State::examine(const std::vector<WantedService>& wanted, Mistakes& mistakes) const {
  for (const auto& service : wanted) {
    const auto now = find_service(service.id);
    if (now && service.slots.value_or(now->slots) != now->slots)
      mistakes.add(service.at,
                   "service " + service.id.to_string() + " has " + std::to_string(now->slots) +
                       " slots, not " + std::to_string(*service.slots),
                   "leave slots out, or delete the service first: another number moves every flow");
  }
  examine_replies(wanted, mistakes);
}

// Those that there will be.
std::vector<IndexKey> State::with_services(const std::vector<WantedService>& wanted) const {
  std::map<ServiceId, IndexKey> keys;
  for (auto& key : index_keys()) keys[key.id] = std::move(key);
  for (const auto& service : wanted) {
    const auto fresh = IndexKey{service.id, LB_SERVICES};
    auto& key = keys.try_emplace(service.id, fresh).first->second;
    take_options(key, service.options);
    std::set<BackendId> replies(key.replies.begin(), key.replies.end());
    for (const auto& [id, change, at] : service.backends)
      if (change.mode(service.options.forward) == Forward::nat) replies.insert(id);
    key.replies.assign(replies.begin(), replies.end());
  }
  std::vector<IndexKey> all;
  all.reserve(keys.size());
  for (auto& [id, key] : keys) all.push_back(std::move(key));
  return all;
}

// A full arena must be seen before anything is changed.
void State::require_room(const std::vector<WantedService>& wanted) const {
  std::vector<std::uint32_t> tables;
  std::vector<const WantedService*> fresh;
  for (const auto& service : wanted) {
    if (find_service(service.id)) continue;
    fresh.push_back(&service);
    tables.push_back(lines_of(table_bytes(service.slots.value_or(default_slots))));
  }
  const std::uint64_t index = build_index(with_services(wanted)).bytes.size();
  if (fresh.empty() && index <= build_index(index_keys()).bytes.size()) return;
  const auto found =
      first_without_room(extents_in_use(), lines_of(pins_.arena_size()), tables, lines_of(index));
  if (!found) return;
  const auto& service = fresh.empty() ? wanted.back() : *fresh[std::min(*found, fresh.size() - 1)];
  const auto table = fresh.empty() ? 0 : table_bytes(service.slots.value_or(default_slots));
  Mistakes mistakes;
  mistakes.attempt(service.at,
                   [&] { throw_no_room(service.id, table + 2 * index, pins_.arena_size()); });
  mistakes.require({});
}

bool State::drop_services(const std::vector<WantedService>& wanted) {
  std::set<ServiceId> stay;
  for (const auto& service : wanted) stay.insert(service.id);
  bool any = false;
  for (const auto& service : services()) {
    if (stay.contains(service.id)) continue;
    remove_service(pins_.services()[service.number]);
    any = true;
  }
  return any;
}

Service State::apply_service(const WantedService& wanted) {
  if (const auto now = find_service(wanted.id)) {
    if (static_cast<const ServiceOptions&>(*now) != wanted.options)
      change_service(*now, wanted.options);
    return *now;
  }
  make_service(free_service(), wanted.id, wanted.options, wanted.slots.value_or(default_slots));
  return service(wanted.id);
}

// free: the first handle that may be.
void State::apply_backends(std::uint32_t owner, const WantedService& wanted,
                           const std::vector<Backend>& members, std::uint32_t& free) {
  const auto records = pins_.backends();
  std::map<BackendId, const Backend*> there;
  for (const auto& member : members) there[member.id] = &member;
  for (const auto& [id, change, at] : wanted.backends) {
    const auto found = there.find(id);
    if (found == there.end()) {
      auto& record = free_backend(free);
      free = static_cast<std::uint32_t>(&record - records.data());
      make_backend(record, owner, id, change);
      continue;
    }
    const auto& now = *found->second;
    there.erase(found);
    auto& record = records[now.handle];
    if (now.state == BackendState::leaving)
      make_backend(record, owner, id, change);
    else if (const auto less = difference(now, change); is_change(less))
      change_backend(record, owner, less);
  }
  for (const auto& [id, gone] : there)
    if (gone->state != BackendState::leaving)
      remove_backend(records[gone->handle], owner, Removal::drained);
}

void State::apply(const std::vector<WantedService>& wanted) {
  settle();
  Mistakes mistakes;
  examine(wanted, mistakes);
  mistakes.require({});
  if (drop_services(wanted)) settle();
  require_room(wanted);
  const auto all = members();
  std::uint32_t free = 1;
  for (const auto& service : wanted) {
    const auto number = apply_service(service).number;
    apply_backends(number, service, all[number], free);
  }
  settle();
}

}  // namespace xdplb
