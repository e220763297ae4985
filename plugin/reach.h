// SPDX-License-Identifier: GPL-2.0-only
// How backends are reached: what the kernel is asked to keep ready for the data path, and what the
// administrator should know about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/address.h"
#include "plugin/interface.h"
#include "plugin/state.h"

namespace xdplb {

// What the administrator should know, though nothing failed.
using Notes = std::vector<std::string>;
void append(Notes& all, Notes more);

// Tells the data path of the VLAN devices there are, and has the kernel resolve the backends and
// keep them resolved: those of a service, or all. Notes are of one backend, or of all. Never
// throws what the kernel refuses: what was changed before is changed.
Notes attend_backends(const Pins& pins, State& state, std::optional<std::uint32_t> service,
                      std::optional<std::uint32_t> subject);

// For the backends of a service after a change of one, of which the notes are.
Notes attend_change(const Pins& pins, State& state, const ServiceId& service,
                    const BackendId& changed);

// What attend_backends() does for all backends, where nobody is told of any.
void open_ways(const Pins& pins, State& state);

// For the backends that are new or get another way: fills in what the kernel's route says of each,
// makes ready for packets in an outer header, has the kernel resolve the way and waits for that a
// fifth of a second at most: first packets come as soon as a table names the backend. Throws Error,
// as require_mtu(), before all that.
void prepare_backends(const Pins& pins, State& state, std::vector<WantedService>& wanted);

// Throws Error where the way to a backend can't carry IPv6's smallest packets of a service with
// their outer header.
void require_mtu(const std::vector<Interface>& all, const ServiceId& service,
                 const BackendId& backend, Forward forward, const std::optional<lb_hop>& hop);

// What require_mtu() says of the backends that are new or get another way, but for those of which
// a mistake is known.
void examine_ways(const State& now, const std::vector<WantedService>& wanted, Mistakes& mistakes);

// Makes ready for packets in an outer header, before a backend's mode asks for them: the egress
// program on its way out, and the address that outer headers come from.
void open_way(const std::vector<Interface>& all, const Pins& pins, State& state,
              const Backend& backend, const std::optional<lb_hop>& hop);

// Takes that back for backends that are gone, unless one that is left has the same address.
void release_backends(const std::vector<Backend>& left, const std::vector<Backend>& gone);

// For those that this State has seen go. Never throws what the kernel refuses.
Notes release_gone(const State& state);

// Those of a service, or of all.
std::vector<Backend> backends_of(const State& state, std::optional<std::uint32_t> service);

// A static next hop for the maps. Throws Error where its interface doesn't exist, or is a VLAN
// device: tags stay as they came.
lb_hop resolve(const std::vector<Interface>& all, const StaticHop& hop);

// As the administrator gave it; "kernel" where there is none.
StaticHop to_static(const lb_hop& hop);
std::string hop_text(const std::optional<lb_hop>& hop);

}  // namespace xdplb
