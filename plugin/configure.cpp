// SPDX-License-Identifier: GPL-2.0-only
// A configuration file and what runs: the one from the other.
#include <algorithm>

#include "plugin/actions.h"
#include "plugin/component.h"
#include "plugin/error.h"
#include "plugin/peers.h"
#include "plugin/plan.h"
#include "plugin/rest.h"
#include "plugin/upgrade.h"

namespace xdplb {

namespace {

LoadOptions load_options(const Config& config, const InterfaceConfig& interface,
                         const ApplyOptions& options) {
  LoadOptions load;
  load.pin_path = options.pin_path;
  load.object = options.object;
  load.chain.single_ok = options.single_ok;
  load.chain.mode = mode_of(interface);
  load.chain.priority = interface.priority;
  if (interface.actions) load.chain.actions = parse_actions(*interface.actions);
  if (has_whole_maps(options.pin_path)) return load;
  load.arena_size = config.arena;
  load.flows = config.flows;
  load.exceptions = config.exceptions;
  load.cluster_key = config.cluster_key;
  return load;
}

void add_sizes(const Pins& pins, Config& config) {
  constexpr std::size_t usual = std::size_t{LB_EXCEPTION_SETS} * LB_EXCEPTION_WAYS;
  if (pins.arena_size() != LB_ARENA_SIZE)
    config.arena = static_cast<std::uint32_t>(pins.arena_size());
  if (const auto entries = pins.exceptions().size(); entries != usual)
    config.exceptions = static_cast<std::uint32_t>(entries);
  if (const auto keys = pinned_entries(pins.path(), "lb_flows"); keys && *keys != LB_FLOWS)
    config.flows = *keys / 2;
}

InterfaceConfig to_config(const Place& place) {
  InterfaceConfig one{place.interface.name, place.chain.mode == Mode::skb, {}, {}, {}};
  if (place.chain.kind != Chain::Kind::dispatcher) return one;
  const auto& ours = *place.chain.ours();
  if (ours.priority != default_priority) one.priority = ours.priority;
  if (ours.actions != default_actions) one.actions = ours.actions;
  return one;
}

BackendConfig to_config(const Backend& backend, Detail detail) {
  BackendConfig one{backend.id, backend.weight, {}, {}, {}, {}};
  if (detail == Detail::full || backend.state != BackendState::up) one.state = backend.state;
  if (backend.own_forward) one.forward = backend.forward;
  if (backend.hop && is_there(backend.hop->ifindex)) one.next_hop = to_static(*backend.hop);
  return one;
}

// In steps, of which each changes nothing where it can't be done whole.
class Application {
 public:
  Application(const Config& config, const ApplyOptions& options)
      : config_(config), options_(options) {}

  Applied run() {
    try {
      apply();
    } catch (const Failure& failure) {
      if (!changed_) throw;
      throw Halfway(failure.what(), failure.hint());
    }
    return std::move(applied_);
  }

 private:
  void apply() {
    require_bpffs(options_.pin_path);
    make_plan();
    if (options_.max_move) require_moves(applied_.plan, *options_.max_move);
    if (fresh_ && applied_.plan.load.empty()) return;  // nothing shall run, and nothing does
    // Maps come with the first interface; other interfaces get what is configured already.
    if (fresh_) load_missing();
    if (fresh_ && !changed_) rest_.require();
    apply_maps();
    if (!fresh_) load_missing();
    rest_.require();  // what runs is not taken away where its successor doesn't
    unload_others();
    rest_.require();
  }

  void make_plan() {
    const PinLock lock(options_.pin_path, Access::read);
    applied_.plan = plan_config(config_, options_.pin_path);
    fresh_ = !has_whole_maps(options_.pin_path);
  }

  void load_missing() {
    for (const auto& one : config_.interfaces.value_or(std::vector<InterfaceConfig>{}))
      if (std::ranges::find(applied_.plan.load, one.name) != applied_.plan.load.end())
        rest_.attempt([&] {
          append(applied_.notes, load_component({one.name}, load_options(config_, one, options_)));
          changed_ = true;
        });
  }

  // Others may have changed something since the plan was made: it is made again.
  void apply_maps() {
    const ChangeLock lock(options_.pin_path);
    const Pins pins(options_.pin_path, Access::change);
    Plan now;
    plan_maps(config_, pins.image(), now);  // throws what this would throw
    if (options_.max_move) require_moves(now, *options_.max_move);
    changed_ |= !now.is_empty();
    auto wanted = wanted_services(config_, true);
    State state(pins);
    take_key(config_, pins, state, wanted);
    if (config_.peers) set_peers(pins, *config_.peers);
    prepare_backends(pins, state, wanted);
    state.apply(wanted);
    append(applied_.notes, release_gone(state));
    append(applied_.notes, attend_backends(pins, state, {}, {}));
    applied_.plan.take_maps(std::move(now));
  }

  void unload_others() {
    for (const auto& name : applied_.plan.unload)
      rest_.attempt([&] {
        append(applied_.notes, unload_component({name}, {options_.pin_path, false, true}));
        changed_ = true;
      });
  }

  const Config& config_;
  const ApplyOptions& options_;
  bool fresh_ = false;  // there are no maps yet
  bool changed_ = false;
  Rest rest_;
  Applied applied_;
};

}  // namespace

Notes lost_next_hops(const Pins& pins) {
  Notes notes;
  for (const auto& backend : backends_of(State(pins), {}))
    if (backend.hop && !is_there(backend.hop->ifindex))
      notes.push_back("the interface of the next hop " + hop_text(backend.hop) + " of backend " +
                      backend.id.to_string() + " is gone: it is left out");
  return notes;
}

Config running_config(const Pins& pins, Detail detail) {
  Config config;
  if (detail == Detail::full) config.cluster_key = std::to_array(pins.meta().cluster_key);
  add_sizes(pins, config);
  if (auto peers = peers_of(pins); detail == Detail::full || !peers.empty())
    config.peers = std::move(peers);
  auto& interfaces = config.interfaces.emplace();
  for (const auto& place : with_component(places({}, pins.path())))
    interfaces.push_back(to_config(place));
  const State state(pins);
  const auto members = state.members();
  for (const auto& service : state.services()) {
    auto& into =
        config.services.emplace_back(ServiceConfig{service.id, service, service.slots, {}, {}});
    for (const auto& backend : members[service.number])
      if (backend.state != BackendState::leaving)
        into.backends.push_back(to_config(backend, detail));
  }
  return config;
}

Applied apply_config(const Config& config, const ApplyOptions& options) {
  return Application(config, options).run();
}

}  // namespace xdplb
