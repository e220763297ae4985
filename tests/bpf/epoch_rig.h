// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// A balancer whose slots change, with hands on what it remembers of flows.

#include <vector>

#include "tests/bpf/epoch_model.h"
#include "tests/support/bpf_fixture.h"

namespace xdplb::test {

// Of a flow to the service; not Kind::error.
PacketSpec packet_of(const ServiceId& id, const EpochModel::Flow& flow, Kind kind);

class EpochRig : public Balancer {
 public:
  static constexpr std::uint32_t epoch = 1000;
  using Balancer::Balancer;

  // With epochs of that length, without caps.
  void add_epoch_service(const ServiceId& id, ServiceChange options = {});
  // Where the packet goes: a backend's number; 0: nowhere.
  std::uint16_t send(const PacketSpec& spec);
  std::uint16_t send(const ServiceId& id, const EpochModel::Flow& flow, Kind kind);

  // All that is remembered, and all that waits, becomes that much older.
  void age(std::uint32_t seconds);
  [[nodiscard]] std::vector<std::uint64_t> entries() const;  // that are not empty
  [[nodiscard]] std::span<std::uint64_t> all_entries() const;
  [[nodiscard]] std::span<lb_slot> slots(const ServiceId& id);
  [[nodiscard]] std::size_t changed_slots(const ServiceId& id);
};

// Some of its slots are {2, 1} in phase 1; flows of the first backend.
class Changed : public EpochRig {
 public:
  explicit Changed(const ServiceId& service, const ServiceChange& options = {});

  [[nodiscard]] lb_slot slot(const EpochModel::Flow& flow);
  using EpochRig::send;
  std::uint16_t send(const EpochModel::Flow& flow, Kind kind) {
    return EpochRig::send(id, flow, kind);
  }
  [[nodiscard]] std::uint64_t entry_of(const EpochModel::Flow& flow) const;
  // Flows of changed slots that are all remembered in one set.
  [[nodiscard]] std::vector<EpochModel::Flow> crowd(std::size_t count);

  ServiceId id;
  std::vector<EpochModel::Flow> all;
  std::vector<EpochModel::Flow> moved;  // whose slot has changed

 private:
  [[nodiscard]] std::uint64_t hash_of(const EpochModel::Flow& flow) const;
};

// A backend's address and number are the same.
BackendId backend_id(std::uint16_t number);
BackendChange to(BackendState state);

}  // namespace xdplb::test
