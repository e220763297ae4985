// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// What a service's configuration means for each flow, without the maps: the flow hash of
// tests/support/flow_model.h and the table of plugin/table.h.

#include <span>
#include <string>
#include <vector>

#include "plugin/table.h"
#include "tests/support/bpf_fixture.h"

namespace xdplb::test {

struct ModelBackend {
  std::string address;
  std::uint16_t number;  // as for Balancer::add_backend()
  unsigned weight = 1;
  bool drain = false;
  std::uint16_t port = 0;  // 0: the service's
  bool healthy = true;
};

struct ModelService {
  ServiceId id;
  unsigned slots;
  Balance balance;
  std::vector<ModelBackend> backends{};

  // The backend of each slot, by its number; 0: none.
  [[nodiscard]] std::vector<std::uint16_t> owners() const;
  [[nodiscard]] std::uint64_t hash_of(const Address& from, std::uint16_t sport,
                                      std::uint16_t dport) const;
  [[nodiscard]] std::uint32_t slot_of(const Address& from, std::uint16_t sport,
                                      std::uint16_t dport) const;
};

// Makes the service with its backends.
void make(Balancer& balancer, const ModelService& service);

// The service's slots in the maps.
std::span<lb_slot> words_of(Balancer& balancer, const ServiceId& id);
// The same, by the backends' numbers: the current one, and the previous one or
// LB_SLOT_KEEPS.
using SlotPair = std::pair<std::uint16_t, std::uint16_t>;
std::vector<SlotPair> pairs_of(Balancer& balancer, const ServiceId& id);
// The current ones, of a service whose slots are all clean: else it throws.
std::vector<std::uint16_t> slots_of(Balancer& balancer, const ServiceId& id);

}  // namespace xdplb::test
