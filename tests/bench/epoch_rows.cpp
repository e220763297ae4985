// SPDX-License-Identifier: GPL-2.0-only
// What it costs that flows are remembered, of slots that have changed or of all; and that one of
// which a server has no socket may go to another.
#include <algorithm>

#include "plugin/exceptions.h"
#include "plugin/map.h"
#include "tests/bench/rows.h"

namespace xdplb::bench {

namespace {

using namespace test;

// A service, and of how many slots one is in the first phase of an epoch; 0: none.
struct Changed {
  const char* series;
  std::uint8_t vip;
  std::size_t one_in;
  Remember remember;
  bool second_chance = false;
};
const std::array services{Changed{"2 % of slots changed, l2 v4", 40, 50, Remember::changed},
                          Changed{"all slots changed, l2 v4", 41, 1, Remember::changed},
                          Changed{"state always, l2 v4", 42, 0, Remember::always},
                          Changed{"second chance on, l2 v4", 43, 0, Remember::changed, true}};

ServiceId id_of(const Changed& changed) {
  return {ip("192.0.2." + std::to_string(changed.vip)), 80, Protocol::tcp};
}

void open_slots(const Balancer& balancer, lb_service& service, std::size_t one_in) {
  const auto table = load(service.table);
  const auto words = balancer.pins().arena().as<std::uint32_t>().subspan(
      std::size_t{table.line} * LB_LINE / sizeof(std::uint32_t));
  const std::size_t slots = std::size_t{1} << table.k;
  const auto slot_at = [&](std::size_t i) { return std::bit_cast<lb_slot>(words[i % slots]); };
  for (std::size_t i = 0; i < slots; i += one_in) {
    const auto current = slot_at(i).current;
    std::size_t other = i + 1;
    while (slot_at(other).current == current) other++;
    words[slots + i] = epoch_seconds() + LB_EPOCH_MAX;
    store(words[i], std::bit_cast<std::uint32_t>(lb_slot{current, slot_at(other).current}));
  }
  service.epoch_open = 1;
}

}  // namespace

void add_epoch_services(Balancer& balancer, std::uint32_t ifindex) {
  for (const auto& changed : services) {
    ServiceChange options{Forward::l2};
    options.remember = changed.remember;
    options.epoch = LB_EPOCH_MAX;
    options.second_chance = changed.second_chance;
    balancer.state().add_service(id_of(changed), options);
    for (std::uint16_t number = 1; number <= backends; number++)
      balancer.add_backend(id_of(changed).to_string(), "10.0.0." + std::to_string(number), number,
                           1, ifindex);
    const auto number = balancer.state().service(id_of(changed)).number;
    if (changed.one_in != 0)
      open_slots(balancer, balancer.pins().services()[number], changed.one_in);
  }
}

// Like those of the balancer whose rows these are, to other VIPs.
std::vector<Row> epoch_rows(Balancer& balancer, const std::vector<Row>& path) {
  constexpr std::size_t vip_at = 33;
  std::vector<Row> rows;
  for (const auto& changed : services)
    for (const auto& like : path) {
      const bool few = like.flows == 1U << 16;
      if (like.series != "l2 v4" || (changed.one_in != 0 && !few)) continue;
      rows.push_back(like);
      rows.back().series = changed.series;
      rows.back().frame.at(vip_at) = changed.vip;
      rows.back().target = 0;
      rows.back().balancer = &balancer;
    }
  return rows;
}

}  // namespace xdplb::bench
