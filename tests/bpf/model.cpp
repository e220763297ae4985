// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/model.h"

#include <algorithm>
#include <bit>
#include <map>
#include <stdexcept>

#include "plugin/cluster_key.h"
#include "plugin/map.h"
#include "tests/support/flow_model.h"

namespace xdplb::test {

namespace {

FlowKeys keys_of(const ServiceId& id) {
  return derive_flow_keys(test_key, id.vip.bytes(), id.port,
                          static_cast<std::uint8_t>(id.protocol));
}

unsigned bits(unsigned slots) { return static_cast<unsigned>(std::countr_zero(slots)); }

}  // namespace

std::vector<std::uint16_t> ModelService::owners() const {
  TableSpec spec{keys_of(id).table_seed, bits(slots), balance};
  for (const auto& backend : backends)
    spec.backends.push_back({ip(backend.address).bytes(), backend.port, backend.weight,
                             backend.drain, backend.healthy});
  std::vector<std::uint16_t> owners;
  for (const auto choice : build_table(spec).first)
    owners.push_back(choice == no_backend ? std::uint16_t{0} : backends.at(choice).number);
  return owners;
}

std::uint32_t ModelService::slot_of(const Address& from, std::uint16_t sport,
                                    std::uint16_t dport) const {
  return km3_slot(hash_of(from, sport, dport), bits(slots));
}

std::uint64_t ModelService::hash_of(const Address& from, std::uint16_t sport,
                                    std::uint16_t dport) const {
  const auto keys = keys_of(id);
  if (!id.vip.is_v4()) return km3_v6(keys, from.bytes(), sport, dport);
  std::array<std::uint8_t, 4> source{};
  std::copy_n(from.bytes().begin() + 12, source.size(), source.begin());
  return km3_v4(keys, source, sport, dport);
}

void make(Balancer& balancer, const ModelService& service) {
  balancer.add_service(service.id.to_string(), service.slots, service.balance);
  for (const auto& backend : service.backends)
    balancer.add_backend(service.id.to_string(), backend.address, backend.number, backend.weight);
}

std::span<lb_slot> words_of(Balancer& balancer, const ServiceId& id) {
  const auto service = balancer.state().service(id);
  const auto table = load(balancer.pins().services()[service.number].table);
  return balancer.pins().arena().as<lb_slot>().subspan(
      std::size_t{table.line} * LB_LINE / sizeof(lb_slot), service.slots);
}

std::vector<SlotPair> pairs_of(Balancer& balancer, const ServiceId& id) {
  const auto service = balancer.state().service(id);
  std::map<std::uint16_t, std::uint16_t> numbers{{0, 0}, {LB_SLOT_KEEPS, LB_SLOT_KEEPS}};
  for (const auto& backend : balancer.state().backends(service.number))
    numbers[static_cast<std::uint16_t>(backend.handle)] =
        backend.hop ? static_cast<std::uint16_t>(backend.hop->dst[4] << 8 | backend.hop->dst[5])
                    : std::uint16_t{0};
  std::vector<SlotPair> slots;
  for (const auto& slot : words_of(balancer, id))
    slots.emplace_back(numbers.at(slot.current), numbers.at(slot.previous));
  return slots;
}

std::vector<std::uint16_t> slots_of(Balancer& balancer, const ServiceId& id) {
  std::vector<std::uint16_t> slots;
  for (const auto& [current, previous] : pairs_of(balancer, id)) {
    if (current != previous) throw std::logic_error("a slot that isn't clean");
    slots.push_back(current);
  }
  return slots;
}

}  // namespace xdplb::test
