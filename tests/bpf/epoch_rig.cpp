// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/epoch_rig.h"

#include "plugin/map.h"
#include "tests/bpf/icmp_frames.h"

namespace xdplb::test {

PacketSpec packet_of(const ServiceId& id, const EpochModel::Flow& flow, Kind kind) {
  PacketSpec spec{.from = flow.from,
                  .to = id.vip,
                  .proto = static_cast<std::uint8_t>(id.protocol),
                  .sport = flow.sport,
                  .dport = id.port};
  if (kind == Kind::syn) spec.flags = 0x02;
  if (kind == Kind::reset) spec.flags = 0x14;
  return spec;
}

BackendId backend_id(std::uint16_t number) {
  return BackendId::parse("10.0.0." + std::to_string(number));
}

BackendChange to(BackendState state) {
  BackendChange change;
  change.state = state;
  return change;
}

void EpochRig::add_epoch_service(const ServiceId& id, ServiceChange options) {
  if (!options.slots) options.slots = min_slots;
  if (!options.epoch) options.epoch = epoch;
  options.balance = Balance::off;
  state().add_service(id, options);
}

std::uint16_t EpochRig::send(const PacketSpec& spec) {
  const auto run = this->run(build(spec));
  return run.verdict == XDP_TX ? backend_of(run.out) : std::uint16_t{0};
}

std::uint16_t EpochRig::send(const ServiceId& id, const EpochModel::Flow& flow, Kind kind) {
  if (kind != Kind::error) return send(packet_of(id, flow, kind));
  const auto run = this->run(router_error(id, flow.from, flow.sport));
  return run.verdict == XDP_TX ? backend_of(run.out) : std::uint16_t{0};
}

std::span<std::uint64_t> EpochRig::all_entries() const { return pins().exceptions(); }

std::vector<std::uint64_t> EpochRig::entries() const {
  std::vector<std::uint64_t> found;
  std::ranges::copy_if(all_entries(), std::back_inserter(found),
                       [](auto entry) { return entry != 0; });
  return found;
}

void EpochRig::age(std::uint32_t seconds) {
  for (auto& entry : all_entries())
    if (entry != 0) entry -= std::uint64_t{seconds} << 49;  // modulo 2^15
  for (const auto& service : state().services()) {
    const auto all = slots(service.id);
    auto* deadlines = reinterpret_cast<std::uint32_t*>(all.data() + all.size());
    for (std::size_t i = 0; i < all.size(); i++) deadlines[i] -= seconds;
  }
}

std::span<lb_slot> EpochRig::slots(const ServiceId& id) { return words_of(*this, id); }

std::size_t EpochRig::changed_slots(const ServiceId& id) {
  return static_cast<std::size_t>(std::ranges::count_if(
      slots(id), [](const auto& slot) { return slot.current != slot.previous; }));
}

Changed::Changed(const ServiceId& service, const ServiceChange& options) : id(service) {
  add_epoch_service(id, options);
  add_backend(id.to_string(), "10.0.0.1", 1);
  for (std::uint16_t i = 0; i < 4000; i++) {
    const EpochModel::Flow flow{ip("198.51.100.7"), static_cast<std::uint16_t>(1024 + i)};
    if (send(flow, Kind::data) == 1) all.push_back(flow);
  }
  add_backend(id.to_string(), "10.0.0.2", 2);
  std::ranges::copy_if(all, std::back_inserter(moved),
                       [&](const auto& flow) { return !is_clean(slot(flow)); });
}

std::uint64_t Changed::hash_of(const EpochModel::Flow& flow) const {
  const ModelService model{id, min_slots, Balance::off};
  return model.hash_of(flow.from, flow.sport, id.port);
}

lb_slot Changed::slot(const EpochModel::Flow& flow) {
  const ModelService model{id, min_slots, Balance::off};
  return slots(id)[model.slot_of(flow.from, flow.sport, id.port)];
}

std::uint64_t Changed::entry_of(const EpochModel::Flow& flow) const {
  const auto tag = static_cast<std::uint32_t>(hash_of(flow));
  for (const auto entry : entries())
    if (static_cast<std::uint32_t>(entry) == tag) return entry;
  return 0;
}

std::vector<EpochModel::Flow> Changed::crowd(std::size_t count) {
  constexpr std::uint64_t set = 77;
  const auto sets = all_entries().size() / LB_EXCEPTION_WAYS;
  std::vector<EpochModel::Flow> found;
  for (std::uint32_t i = 0; found.size() < count && i < count * 65536 * 16; i++) {
    auto bytes = ip("198.0.0.0").bytes();
    bytes[13] = static_cast<std::uint8_t>(i >> 24);
    bytes[14] = static_cast<std::uint8_t>(i >> 16);
    bytes[15] = static_cast<std::uint8_t>(i >> 20);
    const EpochModel::Flow flow{Address(bytes), static_cast<std::uint16_t>(i)};
    if ((hash_of(flow) >> 32 & (sets - 1)) == set && !is_clean(slot(flow))) found.push_back(flow);
  }
  return found;
}

}  // namespace xdplb::test
