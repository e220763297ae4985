// SPDX-License-Identifier: GPL-2.0-only
// mistakes_of().
#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <set>

#include "plugin/arena.h"
#include "plugin/config.h"
#include "plugin/index.h"

namespace xdplb {

namespace {

bool is_clear(const Unclear& unclear, std::string_view key) { return !unclear.contains(key); }

class Check {
 public:
  std::vector<Mistake> operator()(const Config& config) {
    if (config.interfaces) check_interfaces(*config.interfaces);
    for (const auto& service : config.services) check_service(service);
    check_neighbours(config.services);
    // Of services that can't be so there is nothing to add up.
    if (config.arena && mistakes_.all().empty() && are_sized(config.services))
      check_room(*config.arena, config.services);
    return mistakes_.all();
  }

 private:
  void twice(const Position& at, const std::string& what, const Position& first) {
    mistakes_.add(at, what + " is there twice",
                  "line " + std::to_string(first.line) + " has it already");
  }

  // Does it hold? once: what is told of the service already isn't told again.
  template <typename Action>
  bool holds(const Position& at, bool once, Action action) {
    try {
      action();
      return true;
    } catch (const Error& error) {
      if (told_.insert(error.what()).second || !once) mistakes_.add(at, error.what(), error.hint());
      return false;
    }
  }

  void check_interfaces(const std::vector<InterfaceConfig>& all) {
    std::map<std::string, Position> seen;
    for (const auto& one : all) {
      const auto [first, fresh] = seen.emplace(one.name, one.at);
      if (!fresh) twice(one.at, "interface " + one.name, first->second);
    }
  }

  void check_service(const ServiceConfig& service) {
    const bool named = is_clear(service.unclear, "address");
    if (named) {
      const auto [first, fresh] = seen_.emplace(service.id, service.at);
      if (!fresh) return twice(service.at, "service " + service.id.to_string(), first->second);
    }
    if (++services_ == LB_SERVICES + 1)
      mistakes_.add(service.at, "more than " + std::to_string(LB_SERVICES) + " services",
                    "have other nodes for some of them");
    told_.clear();
    if (named) check_options(service);
    mistakes_.attempt(service.at, [&] { require_slots(service.slots.value_or(default_slots)); });
    check_backends(service, named);
  }

  void check_options(const ServiceConfig& service) {
    for (const auto& rule : service_rules())
      if (std::ranges::all_of(rule.about, [&](auto key) { return is_clear(service.unclear, key); }))
        holds(service.at, false, [&] { rule.require(service.id, service.options); });
  }

  void check_backends(const ServiceConfig& service, bool named) {
    std::map<BackendId, Position> seen;
    for (const auto& backend : service.backends) {
      if (++backends_ == max_table_backends + 1)
        mistakes_.add(backend.at,
                      "more than " + std::to_string(max_table_backends) +
                          " backends, of all services together",
                      "have other nodes for some of the services");
      if (!is_clear(backend.unclear, "address")) continue;
      const auto [first, fresh] = seen.emplace(backend.id, backend.at);
      if (!fresh)
        twice(backend.at,
              "backend " + backend.id.to_string() +
                  (named ? " of service " + service.id.to_string() : ""),
              first->second);
      else if (named)
        check_backend(service, backend);
    }
  }

  void check_backend(const ServiceConfig& service, const BackendConfig& backend) {
    const bool own = backend.forward || !is_clear(backend.unclear, "forward");
    const auto forward = backend.forward.value_or(service.options.forward);
    const auto clear = [&](std::string_view key) {
      return is_clear(own && key == "forward" ? backend.unclear : service.unclear, key);
    };
    BackendId id = backend.id;
    bool good = holds(backend.at, false, [&] { id = member_id(service.id, backend.id); });
    if (!good) return;
    for (const auto& rule : backend_rules())
      if (std::ranges::all_of(rule.about, clear))
        good &= holds(backend.at, !own,
                      [&] { rule.require(service.id, service.options, id, forward); });
    if (!good || forward != Forward::nat || !clear("forward")) return;
    for (const auto& reply : replies_of(service.id, service.options.fragments, id)) {
      const auto whose = replies_.emplace(reply, service.id).first->second;
      if (whose == service.id) continue;
      mistakes_.attempt(backend.at, [&] { throw_shared_nat(id, reply, whose); });
      return;
    }
  }

  // Two services can only be in each other's way by a pool, or by fragments.
  void check_neighbours(const std::vector<ServiceConfig>& all) {
    const auto may = [](const auto& one) {
      return is_clear(one.unclear, "address") &&
             (one.options.pool.count != 0 || one.options.fragments == Fragments::hash3);
    };
    for (const auto& one : all)
      for (const auto& other : all)
        if (may(one) && is_clear(other.unclear, "address") && one.id != other.id &&
            (!may(other) || &one < &other))
          mistakes_.attempt(one.at,
                            [&] { require_apart(one.id, one.options, other.id, other.options); });
  }

  static bool are_sized(const std::vector<ServiceConfig>& all) {
    constexpr std::array<std::string_view, 7> keys{"address", "slots", "backend",  "forward",
                                                   "pool",    "ping",  "fragments"};
    return std::ranges::all_of(all, [&](const auto& one) {
      return std::ranges::all_of(keys, [&](auto key) { return is_clear(one.unclear, key); });
    });
  }

  // When the maps are made.
  void check_room(std::uint32_t arena, const std::vector<ServiceConfig>& all) {
    std::vector<IndexKey> keys;
    std::vector<std::uint64_t> bytes;
    std::vector<std::uint32_t> tables;
    for (const auto& service : all) {
      keys.push_back(key_of(service));
      bytes.push_back(LB_TABLE_BYTES(std::countr_zero(service.slots.value_or(default_slots))));
      tables.push_back(lines_of(bytes.back()));
    }
    if (all.empty()) return;
    const std::uint64_t index = build_index(keys).bytes.size();
    const auto found = first_without_room({{0, lines_of(sizeof(lb_arena_head))}}, lines_of(arena),
                                          tables, lines_of(index));
    if (!found) return;
    const auto one = std::min(*found, all.size() - 1);
    mistakes_.attempt(all[one].at,
                      [&] { throw_no_room(all[one].id, bytes[one] + 2 * index, arena); });
  }

  static IndexKey key_of(const ServiceConfig& service) {
    IndexKey key{service.id, LB_SERVICES};
    take_options(key, service.options);
    for (const auto& backend : service.backends)
      if (backend.forward.value_or(service.options.forward) == Forward::nat)
        key.replies.push_back(backend.id);
    return key;
  }

  Mistakes mistakes_;
  std::size_t services_ = 0;
  std::size_t backends_ = 0;
  std::map<ServiceId, Position> seen_;
  std::set<std::string> told_;  // of the service that is looked at
  std::map<Reply, ServiceId> replies_;
};

}  // namespace

std::vector<Mistake> mistakes_of(const Config& config) { return Check()(config); }

}  // namespace xdplb
