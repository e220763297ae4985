// SPDX-License-Identifier: GPL-2.0-only
// A configuration file against what runs.
#include <algorithm>
#include <cstdio>
#include <set>

#include "plugin/component.h"
#include "plugin/error.h"
#include "plugin/peers.h"
#include "plugin/plan.h"
#include "plugin/rest.h"
#include "plugin/upgrade.h"

namespace xdplb {

namespace {

std::string percent(double share) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%.2f %%", share);
  return text.data();
}

Mode mode_of(const InterfaceConfig& interface) { return interface.skb ? Mode::skb : Mode::native; }

void plan_interfaces(const std::vector<InterfaceConfig>& wanted, const std::string& pin_path,
                     Plan& plan) {
  const auto there = interfaces();
  const auto loaded = with_component(places({}, pin_path));
  for (const auto& one : wanted) {
    const auto place =
        std::ranges::find(loaded, one.name, [](const auto& place) { return place.interface.name; });
    if (place == loaded.end()) {
      plan.load.push_back(one.name);
      if (std::ranges::find(there, one.name, &Interface::name) == there.end())
        plan.notes.push_back("there is no network interface '" + one.name +
                             "': apply does all else, and fails");
      continue;
    }
    const auto& ours = *place->chain.ours();
    if (place->chain.mode != mode_of(one) || one.priority.value_or(ours.priority) != ours.priority)
      plan.notes.push_back("interface " + one.name + " has the component in " +
                           std::string(to_string(place->chain.mode)) + " mode with priority " +
                           std::to_string(ours.priority) +
                           ": another takes effect when it is unloaded and loaded");
  }
  for (const auto& place : loaded)
    if (std::ranges::none_of(wanted,
                             [&](const auto& one) { return one.name == place.interface.name; }))
      plan.unload.push_back(place.interface.name);
}

// What was decided when the maps were made.
void require_maps(const Config& config, const Pins& pins, Plan& plan) {
  if (config.cluster_key && !std::ranges::equal(*config.cluster_key, pins.meta().cluster_key) &&
      !State(pins).services().empty())
    throw Error("the maps in " + pins.path() + " have another cluster key than the file",
                "unload from all interfaces first: a new key moves every flow");
  const auto differ = [&](const char* key, std::optional<std::uint32_t> wanted,
                          std::uint64_t there) {
    if (wanted && *wanted != there)
      plan.notes.push_back(std::string(key) + " is " + std::to_string(there) +
                           " until the component is unloaded from all interfaces");
  };
  differ("arena", config.arena, pins.arena_size());
  differ("exceptions", config.exceptions, pins.exceptions().size());
  if (const auto keys = pinned_entries(pins.path(), "lb_flows"))
    differ("flows", config.flows, *keys / 2);
}

void plan_peers(std::vector<Peer> wanted, const std::vector<Peer>& there, Plan& plan) {
  std::ranges::sort(wanted);
  std::ranges::set_difference(wanted, there, std::back_inserter(plan.new_peers));
  std::ranges::set_difference(there, wanted, std::back_inserter(plan.old_peers));
}

// interfaces: nothing where next hops aren't asked for.
BackendChange to_change(const BackendConfig& config, const std::vector<Interface>& interfaces) {
  BackendChange change;
  change.weight = config.weight;
  change.forward = config.forward;
  change.hop =
      config.next_hop && !interfaces.empty() ? resolve(interfaces, *config.next_hop) : lb_hop{};
  change.state = config.state;
  return change;
}

LoadOptions load_options(const Config& config, const InterfaceConfig& interface,
                         const ApplyOptions& options) {
  LoadOptions load;
  load.pin_path = options.pin_path;
  load.object = options.object;
  load.chain.single_ok = options.single_ok;
  load.chain.mode = mode_of(interface);
  load.chain.priority = interface.priority;
  if (interface.actions) load.chain.actions = parse_actions(*interface.actions);
  if (has_maps(options.pin_path)) return load;
  load.arena_size = config.arena;
  load.flows = config.flows;
  load.exceptions = config.exceptions;
  load.cluster_key = config.cluster_key;
  return load;
}

void load_missing(const Config& config, const Plan& plan, const ApplyOptions& options, Notes& notes,
                  Rest& rest) {
  for (const auto& interface : config.interfaces.value_or(std::vector<InterfaceConfig>{}))
    if (std::ranges::find(plan.load, interface.name) != plan.load.end())
      rest.attempt([&] {
        append(notes, load_component({interface.name}, load_options(config, interface, options)));
      });
}

// With the maps that there are.
Notes apply_services(const Config& config, const std::string& pin_path) {
  const PinLock lock(pin_path, Access::change);
  finish_upgrades(pin_path);
  const Pins pins(pin_path, Access::change);
  auto wanted = wanted_services(config, true);
  const auto image = pins.image();
  State(image).apply(wanted);  // throws what this would throw, before anything is changed
  if (config.peers) set_peers(pins, *config.peers);
  State state(pins);
  prepare_backends(pins, state, wanted);
  state.apply(wanted);
  auto notes = release_gone(state);
  append(notes, attend_backends(pins, state, {}, {}));
  return notes;
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
  if (backend.hop) one.next_hop = to_static(*backend.hop);
  return one;
}

}  // namespace

std::vector<WantedService> wanted_services(const Config& config, bool resolve) {
  const auto present = resolve ? interfaces() : std::vector<Interface>{};
  std::vector<WantedService> all;
  for (const auto& service : config.services) {
    auto& wanted = all.emplace_back(WantedService{service.id, service.options, service.slots, {}});
    for (const auto& backend : service.backends)
      wanted.backends.push_back({backend.id, to_change(backend, present)});
  }
  return all;
}

Config running_config(const Pins& pins, Detail detail) {
  Config config;
  if (detail == Detail::full) config.cluster_key = std::to_array(pins.meta().cluster_key);
  add_sizes(pins, config);
  if (auto peers = peers_of(pins); !peers.empty()) config.peers = std::move(peers);
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

Plan plan_config(const Config& config, const std::string& pin_path) {
  Plan plan;
  if (config.interfaces) plan_interfaces(*config.interfaces, pin_path, plan);
  const auto wanted = wanted_services(config, true);
  const bool there = has_maps(pin_path);
  const auto before = there ? Pins(pin_path, Access::read).image()
                            : Pins::empty(config.arena.value_or(LB_ARENA_SIZE), LB_EXCEPTION_SETS);
  if (there) require_maps(config, before, plan);
  if (config.peers) plan_peers(*config.peers, peers_of(before), plan);
  const auto after = before.image();
  State(after).apply(wanted);
  plan.services = compare(before, after);
  return plan;
}

void require_moves(const Plan& plan, double most) {
  for (const auto& service : plan.services) {
    const auto share = 100.0 * service.moved_slots() / service.slots;
    if (share > most)
      throw Error("service " + service.id.to_string() + ": " + percent(share) +
                      " of its slots would move, which is more than " + percent(most),
                  "change it in smaller steps, or raise --max-move");
  }
}

Applied apply_config(const Config& config, const ApplyOptions& options) {
  Applied applied;
  require_bpffs(options.pin_path);
  {
    const PinLock lock(options.pin_path, Access::read);
    applied.plan = plan_config(config, options.pin_path);
  }
  const auto& plan = applied.plan;
  if (options.max_move) require_moves(plan, *options.max_move);
  const bool fresh = !has_maps(options.pin_path);
  if (fresh && plan.load.empty())
    throw NotLoaded("no maps of xdp-lb are pinned in " + options.pin_path,
                    "name an interface in the file, or load the component first");
  // Maps come with the first interface; other interfaces get what is configured already.
  Rest rest;
  if (fresh) {
    load_missing(config, plan, options, applied.notes, rest);
    if (!has_maps(options.pin_path)) rest.require();
  }
  append(applied.notes, apply_services(config, options.pin_path));
  if (!fresh) load_missing(config, plan, options, applied.notes, rest);
  rest.require();  // what runs is not taken away where its successor doesn't
  for (const auto& name : plan.unload)
    rest.attempt([&] {
      append(applied.notes, unload_component({name}, {options.pin_path, false, true}));
    });
  rest.require();
  return applied;
}

}  // namespace xdplb
