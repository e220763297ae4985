// SPDX-License-Identifier: GPL-2.0-only
// State as it is: what the records say.
#include <arpa/inet.h>

#include <algorithm>

#include "plugin/error.h"
#include "plugin/state.h"

namespace xdplb {

namespace {

BackendState state_of(const lb_backend_conf& conf) {
  switch (conf.state) {
    case LB_BACKEND_DRAIN:
      return BackendState::drain;
    case LB_BACKEND_DOWN:
      return BackendState::down;
    case LB_BACKEND_LEAVING:
      return BackendState::leaving;
    default:
      return BackendState::up;
  }
}

}  // namespace

Backend to_backend(const lb_backend& record, std::uint32_t handle) {
  const auto conf = load(record.conf);
  const auto head = load(record.head);
  Backend backend{handle,
                  conf.service,
                  id_of(record),
                  conf.weight,
                  state_of(conf),
                  static_cast<Forward>(head.forward),
                  record.own_forward != 0,
                  std::nullopt,
                  head.local != 0,
                  std::nullopt};
  if (head.source != 0)
    backend.source = Address(std::to_array(record.source[(head.source - 1) & 1]));
  if (head.static_hop != 0) backend.hop = record.hop[(head.static_hop - 1) & 1];
  return backend;
}

namespace {

Service to_service(const lb_service& record, std::uint32_t number) {
  const auto conf = load(record.conf);
  Service service;
  service.number = number;
  service.id = id_of(record);
  service.slots = 1U << (load(record.table).k & 31);
  service.settled = conf.table_stale == 0;
  service.caps_bind = load(record.caps_bind) != 0;
  service.forward = static_cast<Forward>(conf.forward);
  service.balance = static_cast<Balance>(conf.balance);
  service.gue_port = ntohs(record.wire_gue_port);
  service.fragments = static_cast<Fragments>(record.fragments);
  service.source_prefix = record.source_prefix;
  service.ping = record.ping != 0;
  service.second_chance = record.second_chance != 0;
  service.pool = {Address(std::to_array(record.pool)), record.pool_count};
  service.remember = static_cast<Remember>(record.remember);
  service.epoch = record.epoch;
  service.on_down = static_cast<OnDown>(record.on_down);
  service.last_resort = static_cast<LastResort>(record.last_resort);
  return service;
}

}  // namespace

ServiceId id_of(const lb_service& record) {
  const auto conf = load(record.conf);
  return {Address(std::to_array(record.addr)), ntohs(conf.wire_port),
          static_cast<Protocol>(conf.proto)};
}

BackendId id_of(const lb_backend& record) {
  return {Address(std::to_array(record.addr)), ntohs(load(record.conf).wire_port)};
}

bool is_live(const lb_backend_conf& conf) {
  return conf.state == LB_BACKEND_UP || conf.state == LB_BACKEND_DRAIN ||
         conf.state == LB_BACKEND_DOWN || conf.state == LB_BACKEND_LEAVING;
}

bool member_keeps(const lb_service& service, const Backend& member) {
  return member.state != BackendState::down || service.on_down == LB_ON_DOWN_KEEP;
}

void throw_no_service(const ServiceId& id) {
  throw Error("there is no service " + id.to_string(),
              "'xdp-lb service list' shows those there are");
}

std::vector<Service> State::services() const {
  std::vector<Service> all;
  const auto records = pins_.services();
  for (std::uint32_t number = 0; number < records.size(); number++)
    if (load(records[number].conf).state == LB_SERVICE_LIVE)
      all.push_back(to_service(records[number], number));
  std::ranges::sort(all, {}, &Service::id);
  return all;
}

std::vector<Backend> State::backends(std::uint32_t service) const {
  std::vector<Backend> all;
  const auto records = pins_.backends();
  for (std::uint32_t handle = 1; handle < records.size(); handle++) {
    const auto conf = load(records[handle].conf);
    if (is_live(conf) && conf.service == service)
      all.push_back(to_backend(records[handle], handle));
  }
  std::ranges::sort(all, {}, &Backend::id);
  return all;
}

std::vector<std::vector<Backend>> State::members() const {
  std::vector<std::vector<Backend>> all(LB_SERVICES);
  const auto records = pins_.backends();
  for (std::uint32_t handle = 1; handle < records.size(); handle++)
    if (const auto conf = load(records[handle].conf); is_live(conf))
      all[conf.service].push_back(to_backend(records[handle], handle));
  for (auto& of_service : all) std::ranges::sort(of_service, {}, &Backend::id);
  return all;
}

std::optional<Service> State::find_service(const ServiceId& id) const {
  const auto records = pins_.services();
  const auto found = std::ranges::find_if(records, [&](const auto& record) {
    return load(record.conf).state == LB_SERVICE_LIVE && id_of(record) == id;
  });
  if (found == records.end()) return std::nullopt;
  return to_service(*found, static_cast<std::uint32_t>(found - records.begin()));
}

Service State::service(const ServiceId& id) const {
  const auto found = find_service(id);
  if (!found) throw_no_service(id);
  return *found;
}

std::optional<Backend> State::find_backend(const Service& service, const BackendId& id) const {
  const BackendId wanted{id.address, id.port == service.id.port ? std::uint16_t{0} : id.port};
  const auto records = pins_.backends();
  for (std::uint32_t handle = 1; handle < records.size(); handle++) {
    const auto conf = load(records[handle].conf);
    if (is_live(conf) && conf.service == service.number && id_of(records[handle]) == wanted)
      return to_backend(records[handle], handle);
  }
  return std::nullopt;
}

lb_service& State::record(const ServiceId& id) const {
  return pins_.services()[service(id).number];
}

lb_backend& State::record(const Service& service, const BackendId& id) const {
  const auto backend = find_backend(service, id);
  if (!backend)
    throw Error("service " + service.id.to_string() + " has no backend " + id.to_string(),
                "'xdp-lb backend list " + service.id.to_string() + "' shows those it has");
  return pins_.backends()[backend->handle];
}

std::vector<std::uint32_t> State::slots_of(const Service& service) const {
  std::vector<std::uint32_t> counts(LB_BACKENDS);
  const auto table = load(pins_.services()[service.number].table);
  if (table.line == 0) return counts;
  for (const auto& slot : slots_at(table)) counts[load(slot).current]++;
  return counts;
}

std::vector<lb_slot> State::words_of(const Service& service) const {
  std::vector<lb_slot> all(service.slots);
  const auto table = load(pins_.services()[service.number].table);
  if (table.line != 0)
    std::ranges::transform(slots_at(table), all.begin(),
                           [](const auto& slot) { return load(slot); });
  return all;
}

std::vector<std::uint32_t> State::phase_1_of(const Service& service,
                                             const std::vector<lb_slot>& slots) const {
  std::vector<std::uint32_t> all(slots.size());
  const auto table = load(pins_.services()[service.number].table);
  if (table.line == 0) return all;
  const auto deadlines = deadlines_at(table);
  const auto now = epoch_seconds();
  for (std::size_t i = 0; i < slots.size(); i++)
    all[i] = phase_1_left(slots[i], load(deadlines[i]), now);
  return all;
}

std::vector<std::uint16_t> State::current_of(const Service& service) const {
  std::vector<std::uint16_t> all;
  for (const auto& slot : words_of(service)) all.push_back(slot.current);
  return all;
}

std::vector<std::uint16_t> State::seconds_of(const Service& service) const {
  std::vector<std::uint16_t> all;
  const auto table = load(pins_.services()[service.number].table);
  if (table.line == 0 || table.second == 0) return all;
  for (auto& pair : seconds_at(table)) {
    const auto word = load(pair);
    all.push_back(static_cast<std::uint16_t>(word));
    all.push_back(static_cast<std::uint16_t>(word >> 16));
  }
  return all;
}

}  // namespace xdplb
