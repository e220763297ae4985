// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/picture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <sstream>

#include "plugin/error.h"
#include "plugin/map.h"
#include "tests/bpf/model.h"

namespace xdplb::test {

namespace {

template <typename T>
std::span<std::byte> bytes_of(std::span<T> records) {
  return std::as_writable_bytes(records);
}

std::array<std::span<std::byte>, 4> mapped(const Balancer& balancer) {
  const auto& pins = balancer.pins();
  return {bytes_of(std::span(&pins.meta(), 1)),
          bytes_of(pins.services()),
          bytes_of(pins.backends()),
          {pins.arena().data(), pins.arena().size()}};
}

struct CounterMap {
  int fd;
  std::uint32_t entries;
  std::size_t value_size;  // of all CPUs
};

std::array<CounterMap, 3> counter_maps(const Balancer& balancer) {
  static const auto cpus = static_cast<std::size_t>(::libbpf_num_possible_cpus());
  const auto& pins = balancer.pins();
  return {{{pins.reason_counters().get(), LB_FAMILIES, cpus * sizeof(lb_reason_counters)},
           {pins.service_counters().get(), LB_SERVICES, cpus * sizeof(lb_reason_counters)},
           {pins.next_hops().get(), LB_BACKENDS, cpus * sizeof(lb_next_hop)}}};
}

// Where tables and index lie, by first line and number of lines.
std::vector<Extent> extents(const Balancer& balancer) {
  std::vector<Extent> all{{0, 1}};
  const auto lines = [](std::uint64_t bytes) {
    return static_cast<std::uint32_t>((bytes + LB_LINE - 1) / LB_LINE);
  };
  const auto index = load(balancer.pins().arena().as<lb_arena_head>()[0].index);
  if (index.line != 0)
    all.push_back(
        {index.line, lines(2ULL << index.bucket_bits) +
                         lines(std::uint64_t{sizeof(lb_index_entry)} << index.entry_bits)});
  for (const auto& service : balancer.pins().services()) {
    const auto table = load(service.table);
    if (table.line != 0) all.push_back({table.line, lines(LB_TABLE_BYTES(table.k))});
  }
  std::ranges::sort(all, {}, &Extent::line);
  return all;
}

void describe_odd(std::ostream& text, const Balancer& balancer) {
  const auto all = extents(balancer);
  for (std::size_t i = 1; i < all.size(); i++)
    if (all[i - 1].line + all[i - 1].lines > all[i].line) text << "overlap in the arena\n";
  if (all.back().line + std::uint64_t{all.back().lines} > balancer.pins().arena_size() / LB_LINE)
    text << "beyond the arena\n";
  if (load(balancer.pins().meta().index_stale) != 0) text << "index is stale\n";
  for (const auto& service : balancer.pins().services())
    if (load(service.conf).state == LB_SERVICE_REMOVED) text << "service on its way out\n";
  for (const auto& backend : balancer.pins().backends()) {
    const auto conf = load(backend.conf);
    if (conf.state == LB_BACKEND_REMOVED) text << "backend on its way out\n";
    if (conf.state != LB_BACKEND_FREE &&
        load(balancer.pins().services()[conf.service].conf).state != LB_SERVICE_LIVE)
      text << "backend without a service\n";
  }
}

}  // namespace

Picture::Picture(const Balancer& balancer) {
  for (const auto& map : mapped(balancer)) maps_.emplace_back(map.begin(), map.end());
}

void Picture::put_back(const Balancer& balancer) const {
  const auto maps = mapped(balancer);
  for (std::size_t i = 0; i < maps.size(); i++) std::ranges::copy(maps_[i], maps[i].begin());
}

std::vector<std::byte> counter_bytes(const Balancer& balancer) {
  std::vector<std::byte> all;
  for (const auto& map : counter_maps(balancer)) {
    std::vector<std::uint32_t> keys(map.entries);
    std::vector<std::byte> values(map.entries * map.value_size);
    std::uint32_t next = 0;
    std::uint32_t count = map.entries;
    if (::bpf_map_lookup_batch(map.fd, nullptr, &next, keys.data(), values.data(), &count,
                               nullptr) != 0 &&
        errno != ENOENT)
      throw SystemError(errno, "reading counters");
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

void put_back_counters(const Balancer& balancer, const std::vector<std::byte>& bytes) {
  std::size_t at = 0;
  for (const auto& map : counter_maps(balancer)) {
    // No test of the kind that puts back counts beyond the first of them.
    const auto count = std::min(map.entries, Balancer::watched_services);
    for (std::uint32_t key = 0; key < count; key++)
      if (::bpf_map_update_elem(map.fd, &key, &bytes[at + key * map.value_size], BPF_ANY) != 0)
        throw SystemError(errno, "putting a counter back");
    at += map.entries * map.value_size;
  }
}

std::string meaning(Balancer& balancer) {
  std::ostringstream text;
  for (const auto& service : balancer.state().services()) {
    text << service.id.to_string() << ' ' << to_string(service.forward) << ' '
         << to_string(service.balance) << ' ' << service.slots
         << (service.settled ? "" : " not settled") << '\n';
    for (const auto& backend : balancer.state().backends(service.number)) {
      text << "  " << backend.id.to_string() << " weight " << backend.weight
           << (backend.state == BackendState::up ? std::string()
                                                 : " " + std::string(to_string(backend.state)));
      if (backend.hop)
        text << " hop " << to_string(std::to_array(backend.hop->dst)) << '%'
             << backend.hop->ifindex;
      text << '\n';
    }
    text << "  slots";
    for (const auto& [current, previous] : pairs_of(balancer, service.id)) {
      text << ' ' << current;
      if (previous != current) text << '/' << previous;
    }
    text << '\n';
  }
  describe_odd(text, balancer);
  return text.str();
}

}  // namespace xdplb::test
