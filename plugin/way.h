// SPDX-License-Identifier: GPL-2.0-only
// The way to a backend, and what is wrong with it. Looks, and changes nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugin/interface.h"
#include "plugin/neighbour.h"
#include "plugin/state.h"

namespace xdplb {

struct Trouble {
  std::string text;  // empty: there is none
  std::string remedy;
  [[nodiscard]] bool none() const { return text.empty(); }
};

struct Way {
  std::optional<Route> route;
  const Interface* device = nullptr;  // of the static next hop, or of the route
  const Interface* out = nullptr;     // what XDP sends through: a VLAN device's parent
  unsigned mtu = 0;                   // 0: there is no way

  [[nodiscard]] bool local() const { return route && route->local; }
  // The one whose link address packets to this address need.
  [[nodiscard]] const Address& neighbour(const Address& address) const {
    return route && route->gateway ? *route->gateway : address;
  }
};

// It points into all.
Way way_to(const std::vector<Interface>& all, const Address& backend,
           const std::optional<lb_hop>& hop);

// Does the route, where there is one, lead to the backend?
Trouble route_trouble(const Way& way, Forward forward);
// Can it carry packets that nobody may make smaller: IPv6's smallest, with their outer header?
Trouble mtu_trouble(const Way& way, const Address& backend, Forward forward);
// All of it, of a backend that there is; but for its link address.
Trouble way_trouble(const Pins& pins, const Backend& backend, const Way& way);

}  // namespace xdplb
