// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/upgrade.h"

#include <linux/bpf.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "plugin/actions.h"
#include "plugin/convert.h"
#include "plugin/egress.h"
#include "plugin/error.h"
#include "plugin/object.h"
#include "plugin/pins.h"
#include "plugin/privileges.h"
#include "plugin/programs.h"
#include "plugin/rest.h"

namespace xdplb {

namespace {

// The newest of ours that runs. All others, as a killed upgrade leaves them, are detached: the one
// that stays does with each packet what they would.
Component keep_newest(const Place& place) {
  std::vector<Component> ours;
  std::ranges::copy_if(place.chain.components, std::back_inserter(ours), &Component::ours);
  if (ours.empty()) return place.chain.main;  // alone
  auto newest = std::ranges::max(
      ours, {}, [](const auto& component) { return std::pair(component.running, component.id); });
  for (const auto& component : ours)
    if (component.id != newest.id) detach(place.interface, component);
  return newest;
}

bool is_current(const Component& old, Programs& programs, const Pins& pins) {
  return old.running && old.tag == programs.tag(old.name) &&
         (old.name != "xdp_lb" || has_egress(pins, programs.tag("xdp_lb_egress")));
}

// Those that came after the old one go again.
void take_back(const Interface& interface, const Component& old, std::uint32_t arena_id) {
  try {
    for (const auto& component : read_chain(interface, arena_id).components)
      if (component.ours && component.id != old.id) detach(interface, component);
  } catch (const Failure&) {  // the first failure is the one to be told
  }
}

// A packet that meets both meanwhile is balanced once: what the first forwards or drops ends the
// chain, and what it passes the second passes as well, since both decide by the same maps, and a
// reply that was rewritten for the stack is for no service.
void swap_in_chain(const Place& place, const Component& old, Programs& programs, const Pins& pins) {
  const auto& interface = place.interface;
  const auto actions = parse_actions(old.actions);
  if ((actions & (1U << XDP_TX | 1U << XDP_REDIRECT)) != 0)
    throw Error("the chain on " + interface.name + " goes on after packets that are forwarded (" +
                    old.actions + "): old and new would both balance them",
                "'xdp-lb unload --keep-maps " + interface.name +
                    "', then load: meanwhile packets pass the component by");
  try {
    programs.attach(interface, {place.chain.mode, old.priority, actions, false});
  } catch (const Failure&) {
    take_back(interface, old, pins.arena_id());
    throw;
  }
  detach(interface, old);
}

Upgraded upgrade_on(const Place& place, Programs& programs, const Pins& pins, bool force) {
  const auto old = keep_newest(place);
  if (!force && is_current(old, programs, pins)) return {place.interface.name, old, old};
  if (place.chain.kind == Chain::Kind::single)
    programs.replace(place.interface, place.chain.mode, old);
  else
    swap_in_chain(place, old, programs, pins);
  const auto chain = read_chain(place.interface, pins.arena_id());
  const auto* now = chain.ours();
  if (now == nullptr)
    throw NotLoaded("something else has just unloaded xdp-lb from " + place.interface.name,
                    "'xdp-lb status " + place.interface.name + "' shows what is there");
  return {place.interface.name, old, *now};
}

std::vector<Place> find_places(const std::vector<std::string>& ifnames, const std::string& pin_path,
                               Notes& notes) {
  auto all = places(ifnames, pin_path);
  if (!ifnames.empty()) {
    require_present(all, "'xdp-lb status' shows where it is");
    return all;
  }
  auto ours = with_component(all);
  if (ours.empty()) {
    std::ranges::for_each(all, require_readable);  // it may be there
    throw NotLoaded("xdp-lb is not loaded on any interface", "load it: xdp-lb load IFNAME");
  }
  for (const auto& place : all)
    if (!place.problem.empty()) notes.push_back(place.problem);
  return ours;
}

}  // namespace

Upgrade upgrade_component(const std::vector<std::string>& ifnames, const UpgradeOptions& options) {
  require_bpffs(options.pin_path);
  const auto file = find_object(options.object);
  require_privileges();
  const PinLock lock(options.pin_path, Access::change);
  convert_maps(options.pin_path);
  const auto arena_size = Pins(options.pin_path, Access::change).arena_size();
  Upgrade done;
  const auto from = find_places(ifnames, options.pin_path, done.notes);
  // plain xdp-loader has pinned no lb_egress
  make_maps(file, options.pin_path, static_cast<std::uint32_t>(arena_size));
  const Pins pins(options.pin_path, Access::change);
  Programs programs(file, pins);
  Rest rest;
  for (const auto& place : from)
    rest.attempt(
        [&] { done.interfaces.push_back(upgrade_on(place, programs, pins, options.force)); });
  try {
    rest.require();
  } catch (const Failure& failure) {
    std::string names;
    for (const auto& one : done.interfaces)
      if (one.changed()) names += ' ' + one.interface;
    if (names.empty()) throw;
    throw Halfway(std::string(failure.what()) + "; these are upgraded:" + names, failure.hint());
  }
  return done;
}

ChangeLock::ChangeLock(const std::string& pin_path, PinLock::Missing missing)
    : lock_(pin_path, Access::change, missing) {
  try {
    for (const auto& place : with_component(places({}, pin_path))) keep_newest(place);
  } catch (const Failure&) {  // it does no harm meanwhile
  }
}

}  // namespace xdplb
