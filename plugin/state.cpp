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

void set_options(lb_service& record, const ServiceOptions& options) {
  record.wire_gue_port = htons(options.gue_port);
  record.ping = options.ping;
  record.remember = static_cast<std::uint8_t>(options.remember);
  record.epoch = options.epoch;
  record.on_down = static_cast<std::uint8_t>(options.on_down);
  record.last_resort = static_cast<std::uint8_t>(options.last_resort);
  record.second_chance = options.second_chance;
  record.fragments = static_cast<std::uint8_t>(options.fragments);
  record.source_prefix = static_cast<std::uint8_t>(options.source_prefix);
  std::ranges::copy(options.pool.first.bytes(), record.pool);
  record.pool_count = options.pool.count;
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
  record.epoch_open = 0;
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
void update(lb_backend_conf& conf, const BackendChange& change) {
  if (change.weight && *change.weight != 0)
    conf.weight = static_cast<std::uint16_t>(*change.weight);
  if (change.weight && conf.state != LB_BACKEND_DOWN)
    conf.state = *change.weight == 0 ? LB_BACKEND_DRAIN : LB_BACKEND_UP;
  if (change.state) conf.state = record_of(*change.state);
}

}  // namespace

void State::mark_stale(lb_service& service) {
  auto conf = load(service.conf);
  conf.table_stale = 1;
  store(service.conf, conf);
}

void State::add_service(const ServiceId& id, const ServiceChange& options) {
  settle();
  const auto slots = options.slots.value_or(default_slots);
  require_slots(slots);
  if (find_service(id))
    throw Error("service " + id.to_string() + " exists already", "'xdp-lb service set' changes it");
  auto& free = free_service();
  const auto all = changed(default_options(id), options);
  require_options(id, all, LB_SERVICES);
  require_room(id, with_service(id, all), LB_TABLE_BYTES(std::countr_zero(slots)));

  make_service(free, id, all, slots);
  settle();
}

lb_service& State::free_service() const {
  const auto records = pins_.services();
  const auto free = std::ranges::find_if(
      records, [](const auto& record) { return load(record.conf).state == LB_SERVICE_FREE; });
  if (free == records.end())
    throw Error("all " + std::to_string(LB_SERVICES) + " services are in use", "delete one first");
  return *free;
}

// The record's last word makes it a service.
void State::make_service(lb_service& record, const ServiceId& id, const ServiceOptions& options,
                         unsigned slots) {
  prepare(record, id, slots, std::to_array(pins_.meta().cluster_key));
  store(pins_.meta().index_stale, 1U);
  set_options(record, options);
  store(record.conf, lb_service_conf{LB_SERVICE_LIVE, static_cast<std::uint8_t>(options.forward),
                                     static_cast<std::uint8_t>(options.balance), 1, htons(id.port),
                                     static_cast<std::uint8_t>(id.protocol),
                                     static_cast<std::uint8_t>(family_of(id.vip))});
}

void State::check_change(const ServiceId& id, const ServiceChange& change) const {
  const auto now = service(id);
  const auto options = changed(now, change);
  require_options(id, options, now.number);
  if (change.fragments || change.ping || change.pool || change.forward)
    require_room(id, with_service(id, options), 0);
}

void State::set_service(const ServiceId& id, const ServiceChange& change) {
  settle();
  check_change(id, change);
  const auto now = service(id);
  change_service(now, changed(now, change));
  settle();
}

void State::change_service(const Service& now, const ServiceOptions& options) {
  auto& record = pins_.services()[now.number];
  if (now.fragments != options.fragments || now.ping != options.ping || now.pool != options.pool)
    store(pins_.meta().index_stale, 1U);
  mark_stale(record);
  set_options(record, options);
  auto conf = load(record.conf);
  conf.forward = static_cast<std::uint8_t>(options.forward);
  conf.balance = static_cast<std::uint8_t>(options.balance);
  store(record.conf, conf);
}

void State::delete_service(const ServiceId& id) {
  settle();
  remove_service(record(id));
  settle();
}

void State::remove_service(lb_service& record) {
  auto conf = load(record.conf);
  conf.state = LB_SERVICE_REMOVED;
  store(record.conf, conf);
}

BackendId State::check_new_backend(const ServiceId& id, const BackendId& backend,
                                   const BackendChange& options) const {
  require_weight(options.weight.value_or(1));
  const auto owner = service(id);
  const auto wanted = member_id(id, backend);
  const auto there = find_backend(owner, wanted);
  if (there && there->state != BackendState::leaving)
    throw Error("service " + id.to_string() + " has backend " + wanted.to_string() + " already",
                "'xdp-lb backend set' changes it");
  if (!there) (void)free_backend();  // throws
  require_way(owner, wanted, options.mode(owner.forward));
  return wanted;
}

lb_backend& State::free_backend(std::uint32_t from) const {
  const auto records = pins_.backends().subspan(from, max_table_backends + 1 - from);
  const auto free = std::ranges::find_if(
      records, [](const auto& record) { return load(record.conf).state == LB_BACKEND_FREE; });
  if (free == records.end())
    throw Error("all " + std::to_string(max_table_backends) + " backends are in use",
                "delete one first");
  return *free;
}

void State::add_backend(const ServiceId& id, const BackendId& backend,
                        const BackendChange& options) {
  settle();
  const auto wanted = check_new_backend(id, backend, options);
  const auto owner = service(id);
  const auto leaving = find_backend(owner, wanted);
  auto& record = leaving ? pins_.backends()[leaving->handle] : free_backend();
  make_backend(record, owner.number, wanted, options);
  settle();
}

// Into a free record, or that of one that is leaving.
void State::make_backend(lb_backend& record, std::uint32_t owner, const BackendId& id,
                         const BackendChange& options) {
  const auto own = options.forward.value_or(std::nullopt);
  const bool leaving = is_live(load(record.conf));
  mark_stale(pins_.services()[owner]);
  std::ranges::copy(id.address.bytes(), record.addr);
  auto head = load(record.head);
  record.own_forward = own ? static_cast<std::uint8_t>(*own) : std::uint8_t{0};
  if (!leaving) head.source = 0;
  head.local = options.local ? 1 : 0;
  if (options.source) write_source(record, head, *options.source);
  set_hop(record, head, options.hop.value_or(lb_hop{}));
  lb_backend_conf conf{static_cast<std::uint16_t>(owner), 1, htons(id.port), LB_BACKEND_UP,
                       static_cast<std::uint8_t>(family_of(id.address))};
  update(conf, options);
  store(record.conf, conf);
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
  change_backend(record(owner, backend), owner.number, change);
  settle();
}

void State::change_backend(lb_backend& record, std::uint32_t owner, const BackendChange& change) {
  if (change.hop) {
    set_hop(record, load(record.head), *change.hop);
    void_next_hops();
  }
  if (change.forward) {
    mark_stale(pins_.services()[owner]);
    const auto own = *change.forward;
    record.own_forward = own ? static_cast<std::uint8_t>(*own) : std::uint8_t{0};
  }
  if (change.weight || change.state) {
    mark_stale(pins_.services()[owner]);
    auto conf = load(record.conf);
    update(conf, change);
    store(record.conf, conf);
  }
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
  remove_backend(record(owner, backend), owner.number, removal);
  settle();
}

void State::remove_backend(lb_backend& record, std::uint32_t owner, Removal removal) {
  mark_stale(pins_.services()[owner]);
  auto conf = load(record.conf);
  conf.state = removal == Removal::now ? LB_BACKEND_REMOVED : LB_BACKEND_LEAVING;
  store(record.conf, conf);
}

}  // namespace xdplb
