// SPDX-License-Identifier: GPL-2.0-only
// What a configuration file would change of what runs.
#include <algorithm>
#include <cstdio>

#include "plugin/actions.h"
#include "plugin/component.h"
#include "plugin/error.h"
#include "plugin/members.h"
#include "plugin/peers.h"
#include "plugin/plan.h"

namespace xdplb {

namespace {

std::string percent(double share) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%.2f %%", share);
  return text.data();
}

void plan_interfaces(const std::vector<InterfaceConfig>& wanted, const std::string& pin_path,
                     Plan& plan, Mistakes& mistakes) {
  const auto there = interfaces();
  const auto loaded = with_component(places({}, pin_path));
  for (const auto& one : wanted) {
    mistakes.attempt(one.at, [&] { require_attachable(find_interface(there, one.name)); });
    const auto place =
        std::ranges::find(loaded, one.name, [](const auto& place) { return place.interface.name; });
    if (place == loaded.end()) {
      plan.load.push_back(one.name);
      continue;
    }
    if (auto note = settings_note(one, place->chain)) plan.notes.push_back(std::move(*note));
  }
  for (const auto& place : loaded)
    if (std::ranges::none_of(wanted,
                             [&](const auto& one) { return one.name == place.interface.name; }))
      plan.unload.push_back(place.interface.name);
}

// What was decided when the maps were made.
void plan_sizes(const Config& config, const Pins& pins, Plan& plan) {
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

void warn_of_shares(const State& state, Notes& notes) {
  constexpr std::size_t most_named = 10;
  const auto members = state.members();
  auto coarse = state.services();
  std::erase_if(coarse,
                [&](const auto& one) { return !are_coarse(one.slots, members[one.number]); });
  for (std::size_t i = 0; i < std::min(coarse.size(), most_named); i++)
    notes.push_back("service " + coarse[i].id.to_string() +
                    ": a fair share is below 10 slots: shares are coarse; more slots take deleting "
                    "it, and adding it again");
  if (coarse.size() > most_named)
    notes.push_back("and " + std::to_string(coarse.size() - most_named) + " services more");
}

// interfaces: nothing where next hops aren't asked for.
std::vector<WantedService> wanted_services(const Config& config,
                                           const std::vector<Interface>& interfaces,
                                           Mistakes& mistakes) {
  std::vector<WantedService> all;
  for (const auto& service : config.services) {
    auto& wanted =
        all.emplace_back(WantedService{service.id, service.options, service.slots, {}, service.at});
    for (const auto& backend : service.backends) {
      auto& change = wanted.backends.emplace_back(WantedBackend{backend.id, {}, backend.at}).change;
      change.weight = backend.weight;
      change.forward = backend.forward;
      change.hop = lb_hop{};
      change.state = backend.state;
      if (backend.next_hop && !interfaces.empty())
        mistakes.attempt(backend.at, [&] { change.hop = resolve(interfaces, *backend.next_hop); });
    }
  }
  return all;
}

// Of whatever order; none of them is a mask as well.
unsigned mask_of(std::string_view actions) { return actions.empty() ? 0 : parse_actions(actions); }

}  // namespace

std::optional<std::string> settings_note(const InterfaceConfig& wanted, const Chain& there) {
  const auto& ours = *there.ours();
  std::string text;
  const auto differ = [&](const char* what, const std::string& is, const std::string& shall) {
    text += (text.empty() ? "" : ", ") + std::string(what) + " " + is + " -> " + shall;
  };
  if (there.mode != mode_of(wanted))
    differ("mode", std::string(to_string(there.mode)), std::string(to_string(mode_of(wanted))));
  if (there.kind == Chain::Kind::dispatcher) {  // alone it has neither
    const auto priority = wanted.priority.value_or(default_priority);
    if (ours.priority != priority)
      differ("priority", std::to_string(ours.priority), std::to_string(priority));
    const auto actions = wanted.actions.value_or(std::string(default_actions));
    if (mask_of(ours.actions) != mask_of(actions)) differ("actions", ours.actions, actions);
  }
  if (text.empty()) return std::nullopt;
  return "interface " + wanted.name + ": " + text +
         ": counts when it is loaded there, after 'xdp-lb unload --keep-maps " + wanted.name + "'";
}

Mode mode_of(const InterfaceConfig& interface) { return interface.skb ? Mode::skb : Mode::native; }

std::vector<WantedService> wanted_services(const Config& config, bool resolve) {
  Mistakes mistakes;
  auto all = wanted_services(config, resolve ? interfaces() : std::vector<Interface>{}, mistakes);
  mistakes.require(config.name);
  return all;
}

void take_key(const Config& config, const Pins& pins, State& state,
              const std::vector<WantedService>& wanted) {
  if (!config.cluster_key || std::ranges::equal(*config.cluster_key, pins.meta().cluster_key))
    return;
  if (wanted.empty()) state.apply(wanted);
  take_cluster_key(pins, *config.cluster_key);
}

namespace {

// Of what the file says, all mistakes are told at once.
void plan_maps(const Config& config, const Pins& before, Plan& plan, Mistakes& mistakes) {
  const auto wanted = wanted_services(config, interfaces(), mistakes);
  const State now(before);
  examine_ways(now, wanted, mistakes);
  plan.unfinished = !now.is_settled();
  if (config.peers) plan_peers(*config.peers, peers_of(before), plan);
  const auto after = before.image();
  State state(after);
  mistakes.attempt(config.key_at, [&] { take_key(config, after, state, wanted); });
  state.settle();
  state.examine(wanted, mistakes);
  mistakes.require(config.name);
  plan.new_key = !std::ranges::equal(before.meta().cluster_key, after.meta().cluster_key);
  try {
    state.apply(wanted);
  } catch (const ConfigError& error) {  // it doesn't know the file
    throw ConfigError(config.name, error.mistakes());
  }
  plan.services = compare(before, after);
  warn_of_shares(state, plan.notes);
}

}  // namespace

void plan_maps(const Config& config, const Pins& before, Plan& plan) {
  Mistakes mistakes;
  plan_maps(config, before, plan, mistakes);
}

Plan plan_config(const Config& config, const std::string& pin_path) {
  Plan plan;
  Mistakes mistakes;
  if (config.interfaces) plan_interfaces(*config.interfaces, pin_path, plan, mistakes);
  const bool nothing = config.interfaces && config.services.empty() &&
                       config.peers.value_or(std::vector<Peer>{}).empty();
  if (!nothing && plan.load.empty() && !has_whole_maps(pin_path))
    throw NotLoaded("no maps of xdp-lb are pinned in " + pin_path,
                    "name an interface in the file, or load the component first");
  if (has_whole_maps(pin_path)) {
    const auto before = Pins(pin_path, Access::read).image();
    plan_sizes(config, before, plan);
    plan_maps(config, before, plan, mistakes);
  } else {
    plan_maps(config, Pins::empty(config.arena.value_or(LB_ARENA_SIZE), LB_EXCEPTION_SETS), plan,
              mistakes);
    plan.new_key = false;
  }
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

}  // namespace xdplb
