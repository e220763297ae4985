// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/state.h"

#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "plugin/cluster_key.h"
#include "plugin/error.h"

namespace xdplb {

namespace {

void set_options(lb_service& record, const ServiceChange& change) {
  if (change.gue_port) record.wire_gue_port = htons(*change.gue_port);
  if (change.ping) record.ping = *change.ping ? 1 : 0;
  if (change.remember) record.remember = static_cast<std::uint8_t>(*change.remember);
  if (change.epoch) record.epoch = *change.epoch;
  if (change.on_down) record.on_down = static_cast<std::uint8_t>(*change.on_down);
  if (change.last_resort) record.last_resort = static_cast<std::uint8_t>(*change.last_resort);
  if (change.fragments) record.fragments = static_cast<std::uint8_t>(*change.fragments);
  if (change.source_prefix) record.source_prefix = static_cast<std::uint8_t>(*change.source_prefix);
  if (change.pool) {
    std::ranges::copy(change.pool->first.bytes(), record.pool);
    record.pool_count = change.pool->count;
  }
}

// A record for a new service, but for what its options say.
void prepare(lb_service& record, const ServiceId& id, unsigned slots, const ClusterKey& key) {
  const auto keys =
      derive_flow_keys(key, id.vip.bytes(), id.port, static_cast<std::uint8_t>(id.protocol));
  record.table = {0, static_cast<std::uint8_t>(std::countr_zero(slots)), 0, 0, 0};
  std::ranges::copy(keys.k, record.key);
  record.table_seed = keys.table_seed;
  std::ranges::copy(id.vip.bytes(), record.addr);
  record.retired = {};
  record.wire_gue_port = htons(default_gue_port);
  record.fragments = record.source_prefix = record.ping = 0;
  record.remember = record.on_down = record.last_resort = record.epoch_open = 0;
  record.epoch = default_epoch(id.protocol);
  record.pool_count = 0;
}

// The service as it will be.
Service changed(Service service, const ServiceChange& change) {
  service.forward = change.forward.value_or(service.forward);
  service.fragments = change.fragments.value_or(service.fragments);
  service.pool = change.pool.value_or(service.pool);
  return service;
}

void mark_stale(lb_service& service) {
  auto conf = load(service.conf);
  conf.table_stale = 1;
  store(service.conf, conf);
}

BackendId checked(const ServiceId& service, BackendId backend) {
  if (backend.address == service.vip)
    throw Error("backend " + backend.to_string() + " has the VIP as its address",
                "give the address that the backend itself answers to on its network");
  if (backend.port == service.port) backend.port = 0;
  return backend;
}

void require_weight(unsigned weight) {
  if (weight > max_weight)
    throw Error("weight " + std::to_string(weight) + " is above " + std::to_string(max_weight),
                "give a weight from 0 (drain) to " + std::to_string(max_weight));
}

// Writes the hop that isn't in use, then makes it the one in use: one word. What packets know of it
// is to be made void then.
void set_hop(lb_backend& record, lb_backend_head head, const lb_hop& hop) {
  if (hop.ifindex == 0) {
    head.static_hop = 0;
  } else {
    head.static_hop = head.static_hop == 1 ? 2 : 1;
    record.hop[head.static_hop - 1] = hop;
  }
  store(record.head, head);
}

// Likewise.
void write_source(lb_backend& record, lb_backend_head& head, const Address& source) {
  head.source = head.source == 1 ? 2 : 1;
  std::ranges::copy(source.bytes(), record.source[head.source - 1]);
}

std::uint8_t record_of(BackendState state) {
  switch (state) {
    case BackendState::drain:
      return LB_BACKEND_DRAIN;
    case BackendState::down:
      return LB_BACKEND_DOWN;
    default:
      return LB_BACKEND_UP;
  }
}

// A weight ends a drain, weight 0 is one.
void apply(lb_backend_conf& conf, const BackendChange& change) {
  if (change.weight && *change.weight != 0)
    conf.weight = static_cast<std::uint16_t>(*change.weight);
  if (change.weight && conf.state != LB_BACKEND_DOWN)
    conf.state = *change.weight == 0 ? LB_BACKEND_DRAIN : LB_BACKEND_UP;
  if (change.state) conf.state = record_of(*change.state);
}

}  // namespace

void State::add_service(const ServiceId& id, const ServiceChange& options) {
  settle();
  const auto slots = options.slots.value_or(default_slots);
  if (!std::has_single_bit(slots) || slots < min_slots || slots > max_slots)
    throw Error(std::to_string(slots) + " slots: not a power of two from " +
                    std::to_string(min_slots) + " to " + std::to_string(max_slots),
                "leave --slots out for " + std::to_string(default_slots));
  const auto records = pins_.services();
  if (find_service(id))
    throw Error("service " + id.to_string() + " exists already", "'xdp-lb service set' changes it");
  const auto free = std::ranges::find_if(
      records, [](const auto& record) { return load(record.conf).state == LB_SERVICE_FREE; });
  if (free == records.end())
    throw Error("all " + std::to_string(LB_SERVICES) + " services are in use", "delete one first");
  require_options(id, options);
  Service made{};
  made.number = LB_SERVICES;  // that of no backend
  made.id = id;
  require_backends(changed(made, options));
  require_room(id, with_service(id, options), LB_TABLE_BYTES(std::countr_zero(slots)));

  prepare(*free, id, slots, std::to_array(pins_.meta().cluster_key));
  store(pins_.meta().index_stale, 1U);
  set_options(*free, options);
  store(free->conf,
        lb_service_conf{
            LB_SERVICE_LIVE, static_cast<std::uint8_t>(options.forward.value_or(Forward::l2)),
            static_cast<std::uint8_t>(options.balance.value_or(Balance::slack)), 1, htons(id.port),
            static_cast<std::uint8_t>(id.protocol), static_cast<std::uint8_t>(family_of(id.vip))});
  settle();
}

void State::check_change(const ServiceId& id, const ServiceChange& change) const {
  require_options(id, change);
  require_backends(changed(service(id), change));
  if (change.fragments || change.ping || change.pool || change.forward)
    require_room(id, with_service(id, change), 0);
}

void State::set_service(const ServiceId& id, const ServiceChange& change) {
  settle();
  check_change(id, change);
  auto& service = record(id);
  if (change.fragments || change.ping || change.pool) store(pins_.meta().index_stale, 1U);
  mark_stale(service);
  set_options(service, change);
  auto conf = load(service.conf);
  if (change.forward) conf.forward = static_cast<std::uint8_t>(*change.forward);
  if (change.balance) conf.balance = static_cast<std::uint8_t>(*change.balance);
  store(service.conf, conf);
  settle();
}

void State::delete_service(const ServiceId& id) {
  settle();
  auto& service = record(id);
  auto conf = load(service.conf);
  conf.state = LB_SERVICE_REMOVED;
  store(service.conf, conf);
  settle();
}

BackendId State::check_new_backend(const ServiceId& id, const BackendId& backend,
                                   const BackendChange& options) const {
  require_weight(options.weight.value_or(1));
  const auto owner = service(id);
  const auto wanted = checked(id, backend);
  const auto there = find_backend(owner, wanted);
  if (there && there->state != BackendState::leaving)
    throw Error("service " + id.to_string() + " has backend " + wanted.to_string() + " already",
                "'xdp-lb backend set' changes it");
  if (!there && free_backend() == nullptr)
    throw Error("all " + std::to_string(max_table_backends) + " backends are in use",
                "delete one first");
  require_way(owner, wanted, options.forward.value_or(std::nullopt).value_or(owner.forward));
  return wanted;
}

lb_backend* State::free_backend() const {
  const auto records = pins_.backends().subspan(1, max_table_backends);
  const auto free = std::ranges::find_if(
      records, [](const auto& record) { return load(record.conf).state == LB_BACKEND_FREE; });
  return free == records.end() ? nullptr : &*free;
}

void State::add_backend(const ServiceId& id, const BackendId& backend,
                        const BackendChange& options) {
  settle();
  const auto wanted = check_new_backend(id, backend, options);
  const auto owner = service(id);
  const auto own = options.forward.value_or(std::nullopt);
  const auto leaving = find_backend(owner, wanted);
  auto* record = leaving ? &pins_.backends()[leaving->handle] : free_backend();
  mark_stale(pins_.services()[owner.number]);
  std::ranges::copy(wanted.address.bytes(), record->addr);
  auto head = load(record->head);
  record->own_forward = own ? static_cast<std::uint8_t>(*own) : std::uint8_t{0};
  if (!leaving) head.source = 0;
  head.local = options.local ? 1 : 0;
  if (options.source) write_source(*record, head, *options.source);
  set_hop(*record, head, options.hop.value_or(lb_hop{}));
  lb_backend_conf conf{static_cast<std::uint16_t>(owner.number), 1, htons(wanted.port),
                       LB_BACKEND_UP, static_cast<std::uint8_t>(family_of(wanted.address))};
  apply(conf, options);
  store(record->conf, conf);
  settle();
}

void State::check_change(const ServiceId& id, const BackendId& backend,
                         const BackendChange& change) const {
  if (change.weight) require_weight(*change.weight);
  const auto owner = service(id);
  const auto now = to_backend(record(owner, backend), 0);
  if (now.state == BackendState::leaving)
    throw Error(
        "backend " + now.id.to_string() + " of service " + id.to_string() + " is being deleted",
        "'xdp-lb backend add' takes it back");
  if (now.state == BackendState::down && change.weight == 0U && !change.state)
    throw Error("backend " + now.id.to_string() + " of service " + id.to_string() +
                    " is down: weight 0 would have it drain",
                "'xdp-lb backend drain' does that, if it is meant");
  if (change.forward) require_way(owner, now.id, change.forward->value_or(owner.forward));
}

void State::set_backend(const ServiceId& id, const BackendId& backend,
                        const BackendChange& change) {
  settle();
  check_change(id, backend, change);
  const auto owner = service(id);
  auto& changed = record(owner, backend);
  if (change.hop) {
    set_hop(changed, load(changed.head), *change.hop);
    void_next_hops();
  }
  if (change.forward) {
    mark_stale(pins_.services()[owner.number]);
    const auto own = *change.forward;
    changed.own_forward = own ? static_cast<std::uint8_t>(*own) : std::uint8_t{0};
  }
  if (change.weight || change.state) {
    mark_stale(pins_.services()[owner.number]);
    auto conf = load(changed.conf);
    apply(conf, change);
    store(changed.conf, conf);
  }
  settle();
}

void State::set_source(const Backend& backend, const Address& source) {
  if (backend.source == source) return;
  auto& record = pins_.backends()[backend.handle];
  auto head = load(record.head);
  write_source(record, head, source);
  store(record.head, head);
  void_next_hops();
}

void State::set_local(const Backend& backend, bool local) {
  if (backend.local == local) return;
  auto& record = pins_.backends()[backend.handle];
  auto head = load(record.head);
  head.local = local ? 1 : 0;
  store(record.head, head);
  void_next_hops();
}

void State::delete_backend(const ServiceId& id, const BackendId& backend, Removal removal) {
  settle();
  const auto owner = service(id);
  auto& removed = record(owner, backend);
  mark_stale(pins_.services()[owner.number]);
  auto conf = load(removed.conf);
  conf.state = removal == Removal::now ? LB_BACKEND_REMOVED : LB_BACKEND_LEAVING;
  store(removed.conf, conf);
  settle();
}

}  // namespace xdplb
