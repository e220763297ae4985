// SPDX-License-Identifier: GPL-2.0-only
// mistakes_of().
#include <algorithm>
#include <bit>
#include <map>

#include "plugin/arena.h"
#include "plugin/config.h"
#include "plugin/index.h"

namespace xdplb {

namespace {

class Check {
 public:
  std::vector<Mistake> operator()(const Config& config) {
    if (config.interfaces) check_interfaces(*config.interfaces);
    for (const auto& service : config.services) check_service(service);
    check_neighbours(config.services);
    if (config.arena && mistakes_.empty()) check_room(*config.arena, config.services);
    return std::move(mistakes_);
  }

 private:
  // That what is done throws Error is a mistake there.
  template <typename Action>
  void attempt(const Position& at, Action action) {
    try {
      action();
    } catch (const Error& error) {
      mistakes_.push_back({at, error.what(), error.hint()});
    }
  }

  void twice(const Position& at, const std::string& what, const Position& first) {
    mistakes_.push_back(
        {at, what + " is there twice", "line " + std::to_string(first.line) + " has it already"});
  }

  void check_interfaces(const std::vector<InterfaceConfig>& all) {
    std::map<std::string, Position> seen;
    for (const auto& one : all) {
      const auto [first, fresh] = seen.emplace(one.name, one.at);
      if (!fresh) twice(one.at, "interface " + one.name, first->second);
    }
  }

  void check_service(const ServiceConfig& service) {
    const auto [first, fresh] = services_.emplace(service.id, service.at);
    if (!fresh) return twice(service.at, "service " + service.id.to_string(), first->second);
    if (services_.size() == LB_SERVICES + 1)
      mistakes_.push_back({service.at, "more than " + std::to_string(LB_SERVICES) + " services",
                           "have other nodes for some of them"});
    attempt(service.at, [&] {
      require_service(service.id, service.options);
      require_slots(service.slots.value_or(default_slots));
    });
    std::map<BackendId, Position> seen;
    for (const auto& backend : service.backends) {
      const auto [place, first_time] = seen.emplace(backend.id, backend.at);
      if (!first_time)
        twice(backend.at,
              "backend " + backend.id.to_string() + " of service " + service.id.to_string(),
              place->second);
      check_backend(service, backend);
      if (++backends_ == max_table_backends + 1)
        mistakes_.push_back({backend.at,
                             "more than " + std::to_string(max_table_backends) +
                                 " backends, of all services together",
                             "have other nodes for some of the services"});
    }
  }

  void check_backend(const ServiceConfig& service, const BackendConfig& backend) {
    const auto forward = backend.forward.value_or(service.options.forward);
    attempt(backend.at, [&] {
      const auto id = member_id(service.id, backend.id);
      require_backend(service.id, service.options, id, forward);
      if (forward != Forward::nat) return;
      const auto [first, fresh] = replies_.emplace(reply_of(service.id, id), service.id);
      if (!fresh && first->second != service.id) throw_shared_nat(id, first->second);
    });
  }

  // Two services can only be in each other's way by a pool, or by fragments.
  void check_neighbours(const std::vector<ServiceConfig>& all) {
    const auto may = [](const auto& one) {
      return one.options.pool.count != 0 || one.options.fragments == Fragments::hash3;
    };
    for (const auto& one : all)
      for (const auto& other : all)
        if (may(one) && one.id != other.id && (!may(other) || &one < &other))
          attempt(one.at, [&] { require_apart(one.id, one.options, other.id, other.options); });
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
    attempt(all[one].at, [&] { throw_no_room(all[one].id, bytes[one] + 2 * index, arena); });
  }

  static IndexKey key_of(const ServiceConfig& service) {
    IndexKey key{service.id, LB_SERVICES};
    take_options(key, service.options);
    for (const auto& backend : service.backends)
      if (backend.forward.value_or(service.options.forward) == Forward::nat)
        key.replies.push_back(backend.id);
    return key;
  }

  std::vector<Mistake> mistakes_;
  std::size_t backends_ = 0;
  std::map<ServiceId, Position> services_;
  std::map<Reply, ServiceId> replies_;
};

}  // namespace

std::vector<Mistake> mistakes_of(const Config& config) { return Check()(config); }

}  // namespace xdplb
