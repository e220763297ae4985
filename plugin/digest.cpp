// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/digest.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "plugin/hex.h"
#include "plugin/plan.h"
#include "plugin/siphash.h"

namespace xdplb {

namespace {

class Hash {
 public:
  void add(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
  }
  void add(const BackendId& id) {
    add(id.address.bytes().data(), id.address.bytes().size());
    add(&id.port, sizeof(id.port));
  }
  void add(const std::string& text) { bytes_ += text + '\0'; }

  [[nodiscard]] std::string text() const {
    std::string text;
    for (const std::uint8_t part : {1, 2}) {
      const std::array<std::uint8_t, 16> key{part};
      const auto hash =
          siphash24(key, {reinterpret_cast<const std::uint8_t*>(bytes_.data()), bytes_.size()});
      text += hex(hash);
    }
    return text;
  }

 private:
  std::string bytes_;
};

// The addresses of a service's backends, by handle; ports as packets get them.
class Names {
 public:
  Names(const Service& service, const std::vector<Backend>& backends) {
    for (auto backend : backends) {
      if (backend.id.port == 0) backend.id.port = service.id.port;
      all_[static_cast<std::uint16_t>(backend.handle)] = backend.id;
    }
  }
  [[nodiscard]] BackendId of(std::uint16_t handle) const {
    const auto found = all_.find(handle);
    return found == all_.end() ? BackendId{} : found->second;
  }

 private:
  std::map<std::uint16_t, BackendId> all_;
};

void add_decisions(Hash& hash, const Pins& pins, const Service& service) {
  const auto& record = pins.services()[service.number];
  const auto table = load(record.table);
  hash.add(service.id.to_string());
  for (const auto key : record.key) hash.add(&key, sizeof(key));
  const std::array<std::uint8_t, 3> rest{table.k, table.source_prefix, record.fragments};
  hash.add(rest.data(), rest.size());
}

// Do new flows go where those do that nothing is remembered of? No packet tells that one is new,
// or none that counts (bpf/recall.h).
bool are_taken_for_old(const Service& service) {
  return service.id.protocol == Protocol::udp || service.fragments == Fragments::hash3;
}

ServiceDigest digest_of(const Pins& pins, const State& state, const Service& service,
                        const Names& names) {
  Hash tables;
  Hash new_flows;
  Hash epochs;
  for (auto* hash : {&tables, &new_flows, &epochs}) add_decisions(*hash, pins, service);
  const auto slots = state.words_of(service);
  const auto phase_1 = state.phase_1_of(service, slots);
  const auto seconds = state.seconds_of(service);
  for (std::size_t i = 0; i < slots.size(); i++) {
    const auto current = names.of(slots[i].current);
    const auto base = names.of(base_of(slots[i], phase_1[i] != 0));
    tables.add(current);
    new_flows.add(are_taken_for_old(service) ? base : current);
    epochs.add(base);
    if (!seconds.empty()) epochs.add(names.of(slots[i].previous));
  }
  for (const auto second : seconds) epochs.add(names.of(second));
  const auto longest = std::ranges::max_element(phase_1);
  return {service.id.to_string(), tables.text(), new_flows.text(), epochs.text(),
          longest == phase_1.end() ? 0 : *longest};
}

}  // namespace

Digest digest_of(const Pins& pins) {
  const auto image = Pins::empty(pins.arena_size(), 1);
  std::ranges::copy(pins.meta().cluster_key, image.meta().cluster_key);
  State(image).apply(wanted_services(running_config(pins, Detail::full), false));
  const State now(pins);
  const State meant(image);
  Digest digest;
  Hash tables;
  Hash epochs;
  const auto members = now.members();
  const auto meant_members = meant.members();
  for (const auto& service : now.services()) {
    const auto other = meant.service(service.id);
    const Names names(service, members[service.number]);
    const Names meant_names(other, meant_members[other.number]);
    auto& one = digest.services.emplace_back(digest_of(pins, now, service, names));
    const auto slots = now.current_of(service);
    const auto wanted = meant.current_of(other);
    for (std::size_t i = 0; i < slots.size(); i++)
      one.wrong += names.of(slots[i]) != meant_names.of(wanted[i]) ? 1 : 0;
    tables.add(one.tables);
    epochs.add(one.epochs);
  }
  digest.tables = tables.text();
  digest.epochs = epochs.text();
  return digest;
}

}  // namespace xdplb
