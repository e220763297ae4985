// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/announce.h"

#include <algorithm>
#include <map>

#include "plugin/component.h"
#include "plugin/vip_route.h"

namespace xdplb {

namespace {

// Why no VIP can be served here, or nothing.
std::string why_none(const std::string& pin_path, const std::vector<std::string>& ifnames) {
  const auto there = ifnames.empty() ? std::vector<Interface>{} : interfaces();
  for (const auto& name : ifnames)
    if (std::ranges::find(there, name, &Interface::name) == there.end())
      return "there is no interface " + name;
  const auto all = places(ifnames, pin_path);
  bool any = false;
  for (const auto& place : all) {
    const auto* ours = place.chain.ours();
    if (ours == nullptr && ifnames.empty()) continue;
    if (ours == nullptr) require_readable(place);
    if (ours == nullptr || !ours->running) return "xdp-lb doesn't run on " + place.interface.name;
    any = true;
  }
  if (any) return {};
  for (const auto& place : all) require_readable(place);
  return "xdp-lb runs on no interface";
}

// Each VIP, and why it can't be served, or nothing.
std::map<Address, std::string> judged(const std::string& pin_path,
                                      const std::vector<std::string>& ifnames) {
  const PinLock lock(pin_path, Access::read);
  const auto trouble = why_none(pin_path, ifnames);
  const Pins pins(pin_path, Access::read);
  const State state(pins);
  const auto members = state.members();
  std::map<Address, std::string> vips;
  for (const auto& service : state.services()) {
    auto& why = vips.emplace(service.id.vip, "no backend is up").first->second;
    if (std::ranges::find(members[service.number], BackendState::up, &Backend::state) !=
        members[service.number].end())
      why = trouble;
  }
  for (const auto& hidden : set_routes())
    if (const auto vip = vips.find(hidden); vip != vips.end() && vip->second.empty())
      vip->second = "another route to it goes first: delete that";
  return vips;
}

std::map<Address, std::string> wanted(const std::string& pin_path, Announce what,
                                      const std::vector<std::string>& ifnames) {
  if (what == Announce::withdraw) return {};
  try {
    return judged(pin_path, ifnames);
  } catch (const NotLoaded&) {
    return {};
  }
}

}  // namespace

std::vector<Announcement> announce(const std::string& pin_path, Announce what,
                                   const std::vector<std::string>& ifnames) {
  auto vips = wanted(pin_path, what, ifnames);
  const auto there = vip_routes();
  for (const auto& vip : there)
    vips.emplace(vip, what == Announce::withdraw ? "withdrawn" : "no service has it");
  std::vector<Announcement> all;
  for (const auto& [vip, why] : vips) {
    const bool serves = why.empty();
    const bool changed = serves != there.contains(vip);
    if (changed && serves) add_vip_route(vip);
    if (changed && !serves) delete_vip_route(vip);
    all.push_back({vip, why, changed});
  }
  return all;
}

}  // namespace xdplb
