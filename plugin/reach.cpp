// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/reach.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <set>
#include <thread>

#include "plugin/egress.h"
#include "plugin/error.h"
#include "plugin/neighbour.h"
#include "plugin/rest.h"
#include "plugin/vlan.h"
#include "plugin/way.h"

namespace xdplb {

namespace {

constexpr std::size_t most_notes = 10;

// Has the kernel keep its neighbour resolved, and the data path know what it needs of the way.
Way lead_to(const Pins& pins, State& state, const std::vector<Interface>& all,
            const Backend& backend) {
  auto way = way_to(all, backend.id.address, backend.hop);
  const bool led = backend.hop || route_trouble(way, backend.forward).none();
  state.set_local(backend, way.local());
  if (led && way.route && way.route->source) state.set_source(backend, *way.route->source);
  if (led && !way.local()) {
    if (!backend.hop) keep_neighbour(way.neighbour(backend.id.address), way.route->ifindex);
    if (way.out != nullptr && is_tunnel(backend.forward)) allow_egress(pins, way.out->index);
  }
  return way;
}

std::string attend(const Pins& pins, State& state, const std::vector<Interface>& all,
                   const Backend& backend) {
  try {
    return way_trouble(pins, backend, lead_to(pins, state, all, backend)).text;
  } catch (const SystemError& error) {
    if (error.error() == ENOBUFS)
      return "the kernel's neighbour table is full: raise net.ipv4.neigh.default.gc_thresh3, and "
             "net.ipv6 likewise";
    return error.what();
  } catch (const Failure& failure) {  // an interface that has just gone
    return failure.what();
  }
}

}  // namespace

void append(Notes& all, Notes more) { std::ranges::move(more, std::back_inserter(all)); }

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

Notes attend_change(const Pins& pins, State& state, const ServiceId& service,
                    const BackendId& changed) {
  auto notes = release_gone(state);
  const auto there = state.service(service);
  const auto backend = state.find_backend(there, changed);
  if (backend) append(notes, attend_backends(pins, state, there.number, backend->handle));
  return notes;
}

void open_ways(const Pins& pins, State& state) {
  Rest rest;  // attend_backends() says what fails
  rest.attempt([&] {
    sync_vlans(pins);
    const auto all = interfaces();
    for (const auto& backend : backends_of(state, {}))
      rest.attempt([&] { lead_to(pins, state, all, backend); });
  });
}

void require_mtu(const std::vector<Interface>& all, const ServiceId& service,
                 const BackendId& backend, Forward forward, const std::optional<lb_hop>& hop) {
  if (service.vip.is_v4() || !is_tunnel(forward)) return;
  const auto trouble = mtu_trouble(way_to(all, backend.address, hop), backend.address, forward);
  if (!trouble.none())
    throw Error("backend " + backend.to_string() + " of service " + service.to_string() + ": " +
                    trouble.text,
                trouble.remedy);
}

namespace {

// Never throws.
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
      const Way way{.route = route_to(address)};
      if (!way.route || way.local()) continue;
      wanted.push_back({way.neighbour(address), way.route->ifindex});
      keep_neighbour(wanted.back().neighbour, wanted.back().ifindex);
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

// Likewise.
void look_ahead(const Address& address, BackendChange& change) {
  try {
    if (const auto route = route_to(address)) {
      change.source = route->source;
      change.local = route->local;
    }
  } catch (const SystemError&) {  // likewise
  }
}

void allow_out(const std::vector<Interface>& all, const Pins& pins, const Address& backend,
               const std::optional<lb_hop>& hop) {
  const auto way = way_to(all, backend, hop);
  if (way.out != nullptr && !way.local()) allow_egress(pins, way.out->index);
}

void require_way(const std::vector<Interface>& all, const WantedService& service,
                 const WantedBackend& backend) {
  require_mtu(all, service.id, backend.id, backend.change.mode(service.options.forward),
              backend.change.static_hop());
}

// A backend as it is; nothing where it isn't there, or is being deleted.
const Backend* find(const std::vector<Backend>& members, const BackendId& id) {
  const auto there = std::ranges::lower_bound(members, id, {}, &Backend::id);
  const bool known =
      there != members.end() && there->id == id && there->state != BackendState::leaving;
  return known ? &*there : nullptr;
}

// Calls with each wanted backend that is new or gets another way, with its service and with what it
// is now.
template <typename Services, typename Action>
void each_new_way(const State& now, Services& wanted, Action action) {
  const auto present = now.members();
  const std::vector<Backend> none;
  for (auto& service : wanted) {
    const auto there = now.find_service(service.id);
    const auto& members = there ? present[there->number] : none;
    for (auto& backend : service.backends) {
      const auto* known = find(members, backend.id);
      const auto forward = backend.change.mode(service.options.forward);
      if (known == nullptr || known->forward != forward ||
          known->hop.has_value() != backend.change.static_hop().has_value())
        action(service, backend, known);
    }
  }
}

}  // namespace

void examine_ways(const State& now, const std::vector<WantedService>& wanted, Mistakes& mistakes) {
  const auto all = interfaces();
  each_new_way(now, wanted, [&](const auto& service, const auto& backend, const Backend*) {
    if (!mistakes.has(backend.at))  // such as its next hop
      mistakes.attempt(backend.at, [&] { require_way(all, service, backend); });
  });
}

void prepare_backends(const Pins& pins, State& state, std::vector<WantedService>& wanted) {
  const auto all = interfaces();
  each_new_way(state, wanted, [&](const auto& service, const auto& backend, const Backend*) {
    require_way(all, service, backend);
  });
  std::vector<Address> fresh;
  each_new_way(state, wanted, [&](const auto& service, auto& backend, const Backend* known) {
    auto& change = backend.change;
    const auto hop = change.static_hop();
    if (is_tunnel(change.mode(service.options.forward)))
      allow_out(all, pins, backend.id.address, hop);
    look_ahead(backend.id.address, change);
    if (known != nullptr && change.source) state.set_source(*known, *change.source);
    if (!hop) fresh.push_back(backend.id.address);
  });
  resolve_ahead(fresh);
}

void open_way(const std::vector<Interface>& all, const Pins& pins, State& state,
              const Backend& backend, const std::optional<lb_hop>& hop) {
  const auto route = route_to(backend.id.address);
  if (route && route->source) state.set_source(backend, *route->source);
  allow_out(all, pins, backend.id.address, hop);
}

std::vector<Backend> backends_of(const State& state, std::optional<std::uint32_t> service) {
  if (service) return state.backends(*service);
  const auto members = state.members();
  std::vector<Backend> all;
  for (const auto& one : state.services())
    std::ranges::copy(members[one.number], std::back_inserter(all));
  return all;
}

void release_backends(const std::vector<Backend>& left, const std::vector<Backend>& gone) {
  std::set<Address> kept;
  for (const auto& backend : left) {
    if (backend.hop) continue;
    kept.insert(Way{.route = route_to(backend.id.address)}.neighbour(backend.id.address));
  }
  for (const auto& backend : gone) {
    const Way way{.route = backend.hop ? std::nullopt : route_to(backend.id.address)};
    if (!way.route) continue;
    const auto& neighbour = way.neighbour(backend.id.address);
    if (!kept.contains(neighbour)) release_neighbour(neighbour, way.route->ifindex);
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

lb_hop resolve(const std::vector<Interface>& all, const StaticHop& hop) {
  const auto& interface = find_interface(all, hop.ifname);
  if (interface.kind == "vlan")
    throw Error("next hop " + hop.to_string() + ": " + hop.ifname + " is a VLAN device",
                "give its parent, " + interface_name(interface.parent) +
                    ": packets keep the tags that they came with");
  lb_hop resolved{interface.index, {}, {}};
  std::ranges::copy(hop.mac, resolved.dst);
  std::ranges::copy(interface.mac, resolved.src);
  return resolved;
}

StaticHop to_static(const lb_hop& hop) {
  return {std::to_array(hop.dst), interface_name(hop.ifindex)};
}

std::string hop_text(const std::optional<lb_hop>& hop) {
  return hop ? to_static(*hop).to_string() : "kernel";
}

}  // namespace xdplb
