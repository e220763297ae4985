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

unsigned outer_bytes(Forward forward, const Address& backend) {
  const unsigned ip = backend.is_v4() ? 20 : 40;
  switch (forward) {
    case Forward::ipip:
      return ip;
    case Forward::gue:
      return ip + 12;
    case Forward::gre:
      return ip + 4;
    default:
      return 0;
  }
}

// What is wrong where the way can't carry packets that nobody may make smaller.
std::string mtu_problem(const std::vector<Interface>& all, unsigned ifindex, unsigned route_mtu,
                        Forward forward, const Address& backend) {
  constexpr unsigned least = 1280;  // of IPv6: RFC 8200 5
  const auto outer = outer_bytes(forward, backend);
  const auto interface = std::ranges::find(all, ifindex, &Interface::index);
  if (outer == 0 || interface == all.end()) return {};
  const auto mtu = route_mtu != 0 ? route_mtu : interface->mtu;
  if (mtu >= least + outer) return {};
  return (route_mtu != 0 ? "its route out of " : "its way out, ") + interface->name + ", has MTU " +
         std::to_string(mtu) + "; IPv6 needs " + std::to_string(least) + ", and mode " +
         std::string(to_string(forward)) + " " + std::to_string(outer) +
         " more: " + std::to_string(least + outer);
}

bool is_v6(const Pins& pins, const Backend& backend) {
  return load(pins.services()[backend.service].conf).family == LB_IPV6;
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
  auto problem = egress_problem(pins, *interface);
  if (!problem.empty() || !is_v6(pins, backend)) return problem;
  return mtu_problem(all, route->ifindex, route->mtu, backend.forward, address);
}

std::string attend(const Pins& pins, State& state, const std::vector<Interface>& all,
                   const Backend& backend) {
  try {
    if (!backend.hop) return attend_routed(pins, state, all, backend);
    const auto route = route_to(backend.id.address);
    state.set_local(backend, route && route->local);
    if (route && route->source) state.set_source(backend, *route->source);
    if (is_tunnel(backend.forward)) allow_egress(pins, backend.hop->ifindex);
    auto problem = attend_static(all, *backend.hop);
    if (!problem.empty() || !is_v6(pins, backend)) return problem;
    return mtu_problem(all, backend.hop->ifindex, 0, backend.forward, backend.id.address);
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

void resolve_ahead(const std::vector<Address>& addresses) {
  constexpr int tries = 20;
  constexpr auto pause = std::chrono::milliseconds(10);
  struct Wanted {
    Address neighbour;
    unsigned ifindex;
  };
  std::vector<Wanted> wanted;
  for (const auto& address : addresses) {
    try {
      const auto route = route_to(address);
      if (!route || route->local) continue;
      wanted.push_back({neighbour_of(*route, address), route->ifindex});
      keep_neighbour(wanted.back().neighbour, route->ifindex);
    } catch (const SystemError&) {  // attend_backends() says it
    }
  }
  const auto is_known = [](const auto& one) {
    try {
      return has_neighbour(one.neighbour, one.ifindex);
    } catch (const SystemError&) {  // likewise
      return true;
    }
  };
  for (int i = 0; i < tries && !wanted.empty(); i++) {
    std::erase_if(wanted, is_known);
    if (!wanted.empty()) std::this_thread::sleep_for(pause);
  }
}

void prepare_backends(const Pins& pins, State& state, std::vector<WantedService>& wanted) {
  std::vector<Address> fresh;
  for (auto& service : wanted) {
    const auto now = state.find_service(service.id);
    const auto members = now ? state.backends(now->number) : std::vector<Backend>{};
    for (auto& [id, change] : service.backends) {
      const auto forward = change.forward.value_or(std::nullopt).value_or(service.options.forward);
      const auto hop = change.hop && change.hop->ifindex != 0 ? change.hop : std::nullopt;
      const auto there = std::ranges::lower_bound(members, id, {}, &Backend::id);
      const bool known = there != members.end() && there->id == id;
      if (known && there->forward == forward && there->hop.has_value() == hop.has_value()) continue;
      require_mtu(service.id, id, forward, hop);
      if (is_tunnel(forward)) open_way(pins, id.address, hop);
      look_ahead(id.address, change);
      if (known && change.source) state.set_source(*there, *change.source);
      if (!hop) fresh.push_back(id.address);
    }
  }
  resolve_ahead(fresh);
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

void require_mtu(const ServiceId& service, const BackendId& backend, Forward forward,
                 const std::optional<lb_hop>& hop) {
  if (service.vip.is_v4() || !is_tunnel(forward)) return;
  const auto route = hop ? std::nullopt : route_to(backend.address);
  if (!hop && (!route || route->local)) return;
  const auto problem = mtu_problem(interfaces(), hop ? hop->ifindex : route->ifindex,
                                   hop ? 0 : route->mtu, forward, backend.address);
  if (!problem.empty())
    throw Error(
        "backend " + backend.to_string() + " of service " + service.to_string() + ": " + problem,
        "give the way a larger MTU, or use a mode with a smaller outer header");
}

void open_way(const Pins& pins, const Address& backend, const std::optional<lb_hop>& hop) {
  const auto route = hop ? std::nullopt : route_to(backend);
  if (!hop && (!route || route->local)) return;
  const auto all = interfaces();
  const auto* interface = egress(all, hop ? hop->ifindex : route->ifindex);
  if (interface != nullptr) allow_egress(pins, interface->index);
}

void open_way(const Pins& pins, State& state, const Backend& backend,
              const std::optional<lb_hop>& hop) {
  const auto route = route_to(backend.id.address);
  if (route && route->source) state.set_source(backend, *route->source);
  open_way(pins, backend.id.address, hop);
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

Notes release_gone(const State& state) {
  if (state.gone().empty()) return {};
  try {
    release_backends(backends_of(state, {}), state.gone());
    return {};
  } catch (const Failure& failure) {
    return {std::string("the kernel may go on resolving backends that are gone: ") +
            failure.what()};
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
