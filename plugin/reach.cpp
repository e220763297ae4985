// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/reach.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <set>
#include <thread>

#include "plugin/component.h"
#include "plugin/driver.h"
#include "plugin/egress.h"
#include "plugin/error.h"
#include "plugin/neighbour.h"
#include "plugin/vlan.h"

namespace xdplb {

namespace {

constexpr std::size_t most_notes = 10;

// XDP can't send out of every interface, and what it can't send is lost without a trace. Out of the
// one that a packet came in by it always can.
std::string egress_problem(const Pins& pins, const Interface& interface) {
  const auto features = xdp_features(interface.index);
  if (!features || features->redirect_target) return {};
  const auto loaded = places({interface.name}, pins.path());
  if (loaded[0].chain.ours() != nullptr) return {};
  return "its way out, " + interface.name +
         ", takes no packets from XDP; they are lost unless they came in by it";
}

// The interface that XDP sends through where a route leads to this one.
const Interface* egress(const std::vector<Interface>& all, unsigned index) {
  while (true) {
    const auto found = std::ranges::find(all, index, &Interface::index);
    if (found == all.end()) return nullptr;
    if (found->kind != "vlan") return &*found;
    index = found->parent;
  }
}

std::string attend_static(const std::vector<Interface>& all, const lb_hop& hop) {
  const auto* interface = egress(all, hop.ifindex);
  if (interface == nullptr)
    return "the interface of its next hop is gone; its packets are lost until --next-hop names "
           "another";
  if (!std::ranges::equal(interface->mac, hop.src))
    return "its packets have a source address that " + interface->name +
           " no longer has; give --next-hop again";
  return {};
}

// The one whose link address packets to this address need.
const Address& neighbour_of(const Route& route, const Address& address) {
  return route.gateway ? *route.gateway : address;
}

std::string attend_routed(const Pins& pins, State& state, const std::vector<Interface>& all,
                          const Backend& backend) {
  const auto& address = backend.id.address;
  const bool tunnel = is_tunnel(backend.forward);
  const auto route = route_to(address);
  state.set_local(backend, route && route->local);
  if (!route) return "no route; its packets are dropped (no-route) until there is one";
  if (route->local) return {};
  if (!route->on_link && backend.forward == Forward::l2)
    return "it is behind a gateway, which mode l2 can't pass; its packets are dropped (off-link) "
           "until its route leads to it directly";
  if (route->source) state.set_source(backend, *route->source);
  keep_neighbour(neighbour_of(*route, address), route->ifindex);
  const auto* interface = egress(all, route->ifindex);
  if (interface == nullptr) return {};
  if (tunnel) allow_egress(pins, interface->index);
  return egress_problem(pins, *interface);
}

std::string attend(const Pins& pins, State& state, const std::vector<Interface>& all,
                   const Backend& backend) {
  try {
    if (!backend.hop) return attend_routed(pins, state, all, backend);
    const auto route = route_to(backend.id.address);
    state.set_local(backend, route && route->local);
    if (route && route->source) state.set_source(backend, *route->source);
    if (is_tunnel(backend.forward)) allow_egress(pins, backend.hop->ifindex);
    return attend_static(all, *backend.hop);
  } catch (const SystemError& error) {
    if (error.error() == ENOBUFS)
      return "the kernel's neighbour table is full: raise net.ipv4.neigh.default.gc_thresh3, and "
             "net.ipv6 likewise";
    return error.what();
  }
}

}  // namespace

Notes attend_backends(const Pins& pins, State& state, std::optional<std::uint32_t> service,
                      std::optional<std::uint32_t> subject) {
  Notes notes;
  std::size_t left_out = 0;
  try {
    sync_vlans(pins);
    const auto all = interfaces();
    for (const auto& backend : backends_of(state, service)) {
      const auto note = attend(pins, state, all, backend);
      if (note.empty() || (subject && *subject != backend.handle)) continue;
      if (notes.size() < most_notes)
        notes.push_back("backend " + backend.id.to_string() + ": " + note);
      else
        left_out++;
    }
  } catch (const Failure& failure) {
    notes.emplace_back(failure.what());
  }
  if (left_out != 0) notes.push_back("and " + std::to_string(left_out) + " backends more");
  return notes;
}

void resolve_ahead(const Address& address) {
  constexpr int tries = 20;
  constexpr auto pause = std::chrono::milliseconds(10);
  try {
    const auto route = route_to(address);
    if (!route || route->local) return;
    const auto& neighbour = neighbour_of(*route, address);
    keep_neighbour(neighbour, route->ifindex);
    for (int i = 0; i < tries && !has_neighbour(neighbour, route->ifindex); i++)
      std::this_thread::sleep_for(pause);
  } catch (const SystemError&) {  // attend_backends() says it
  }
}

void look_ahead(const Address& address, BackendChange& change) {
  try {
    if (const auto route = route_to(address)) {
      change.source = route->source;
      change.local = route->local;
    }
  } catch (const SystemError&) {  // likewise
  }
}

std::vector<Backend> backends_of(const State& state, std::optional<std::uint32_t> service) {
  if (service) return state.backends(*service);
  std::vector<Backend> all;
  for (const auto& one : state.services())
    for (const auto& backend : state.backends(one.number)) all.push_back(backend);
  return all;
}

void release_backends(const std::vector<Backend>& left, const std::vector<Backend>& gone) {
  std::set<Address> kept;
  for (const auto& backend : left) {
    if (backend.hop) continue;
    const auto route = route_to(backend.id.address);
    kept.insert(route ? neighbour_of(*route, backend.id.address) : backend.id.address);
  }
  for (const auto& backend : gone) {
    const auto route = backend.hop ? std::nullopt : route_to(backend.id.address);
    if (!route) continue;
    const auto& neighbour = neighbour_of(*route, backend.id.address);
    if (!kept.contains(neighbour)) release_neighbour(neighbour, route->ifindex);
  }
}

lb_hop resolve(const StaticHop& hop) {
  const auto interface = find_interface(hop.ifname);
  if (interface.kind == "vlan")
    throw Error("next hop " + hop.to_string() + ": " + hop.ifname + " is a VLAN device",
                "give its parent, " + interface_name(interface.parent) +
                    ": packets keep the tags that they came with");
  lb_hop resolved{interface.index, {}, {}};
  std::ranges::copy(hop.mac, resolved.dst);
  std::ranges::copy(interface.mac, resolved.src);
  return resolved;
}

}  // namespace xdplb
