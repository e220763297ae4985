// SPDX-License-Identifier: GPL-2.0-only
// What services forwarded, and how the counts of removed backends and services are kept.
//
// A count is folded into the sum of those retired in steps that can be repeated: the sum to be is
// written into the record that goes, one word says that it is there, and only then is it stored and
// the counter reset. Whoever reads in between finds each packet counted once.
#include <algorithm>
#include <cstring>

#include "plugin/state.h"

namespace xdplb {

namespace {

static_assert(sizeof(lb_hop) == sizeof(lb_counter));

lb_counter plus(lb_counter sum, const lb_counter& more) { return sum += more; }

void set_sum(void* place, const lb_counter& sum) { std::memcpy(place, &sum, sizeof(sum)); }

lb_counter sum_in(const void* place) {
  lb_counter sum{};
  std::memcpy(&sum, place, sizeof(sum));
  return sum;
}

}  // namespace

std::vector<lb_counter> State::forwarded(std::optional<std::uint32_t> only) const {
  std::vector<lb_counter> retired;
  for (const auto& service : pins_.services()) retired.push_back(service.retired);
  std::vector<lb_counter> live(retired.size());
  const auto records = pins_.backends();
  for (std::uint32_t handle = 1; handle < records.size(); handle++) {
    const auto conf = load(records[handle].conf);
    if (conf.state == LB_BACKEND_FREE || conf.service != only.value_or(conf.service)) continue;
    if (conf.state == LB_BACKEND_COUNTED)
      retired[conf.service] = sum_in(&records[handle].hop[0]);
    else
      live[conf.service] += counters_.of_backend(handle);
  }
  for (std::size_t number = 0; number < live.size(); number++) live[number] += retired[number];
  return live;
}

std::array<lb_counter, LB_FAMILIES> State::forwarded_by_family() const {
  const auto all = forwarded({});
  auto retired = std::to_array(pins_.meta().retired);
  std::array<lb_counter, LB_FAMILIES> live{};
  const auto records = pins_.services();
  for (std::uint32_t number = 0; number < records.size(); number++) {
    const auto conf = load(records[number].conf);
    if (conf.state == LB_SERVICE_COUNTED)
      retired[conf.family] = sum_in(records[number].key);
    else if (conf.state != LB_SERVICE_FREE)
      live[conf.family] += all[number];
  }
  for (std::size_t family = 0; family < live.size(); family++) live[family] += retired[family];
  return live;
}

bool State::is_removed(const lb_backend_conf& conf) const {
  if (conf.state == LB_BACKEND_FREE) return false;
  return conf.state == LB_BACKEND_REMOVED || conf.state == LB_BACKEND_COUNTED ||
         load(pins_.services()[conf.service].conf).state != LB_SERVICE_LIVE;
}

// Backends that were removed, or whose service was: no slot holds them any more.
void State::free_backends() {
  const auto records = pins_.backends();
  std::vector<bool> free(LB_BACKENDS);
  for (std::uint32_t handle = 1; handle < records.size(); handle++) {
    free[handle] = is_removed(load(records[handle].conf));
    if (!free[handle]) continue;
    auto head = load(records[handle].head);
    head.keeps = head.accepts = 0;
    store(records[handle].head, head);
  }
  void_next_hops();
  forget_flows(free);
  for (std::uint32_t handle = 1; handle < records.size(); handle++) {
    if (!free[handle]) continue;
    auto& record = records[handle];
    auto conf = load(record.conf);
    auto& service = pins_.services()[conf.service];
    gone_.push_back(to_backend(record, handle));
    if (conf.state != LB_BACKEND_COUNTED) {
      set_sum(&record.hop[0], plus(service.retired, counters_.of_backend(handle)));
      conf.state = LB_BACKEND_COUNTED;
      store(record.conf, conf);
    }
    service.retired = sum_in(&record.hop[0]);
    counters_.reset_backend(handle);
    store(record.conf, lb_backend_conf{});
  }
}

void State::free_services() {
  for (auto& service : pins_.services()) {
    auto conf = load(service.conf);
    if (conf.state != LB_SERVICE_REMOVED && conf.state != LB_SERVICE_COUNTED) continue;
    auto& retired = pins_.meta().retired[conf.family];
    if (conf.state == LB_SERVICE_REMOVED) {
      set_sum(service.key, plus(retired, service.retired));
      conf.state = LB_SERVICE_COUNTED;
      store(service.conf, conf);
    }
    retired = sum_in(service.key);
    counters_.reset_service(static_cast<std::uint32_t>(&service - pins_.services().data()));
    service.epoch_open = 0;  // what has no table has no slots
    store(service.table, lb_table_ref{});
    store(service.conf, lb_service_conf{});
  }
}

}  // namespace xdplb
