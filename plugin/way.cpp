// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/way.h"

#include <algorithm>

#include "plugin/component.h"
#include "plugin/driver.h"

namespace xdplb {

namespace {

const Interface* find(const std::vector<Interface>& all, unsigned index) {
  const auto found = std::ranges::find(all, index, &Interface::index);
  return found == all.end() ? nullptr : &*found;
}

// XDP can't send out of every interface, and what it can't send is lost without a trace. Out of the
// one that a packet came in by it always can.
Trouble egress_trouble(const Pins& pins, const Interface& interface) {
  const auto features = xdp_features(interface.index);
  if (!features || features->redirect_target) return {};
  const auto loaded = places({interface.name}, pins.path());
  if (loaded[0].chain.ours() != nullptr) return {};
  return {"its way out, " + interface.name +
              ", takes no packets from XDP; they are lost unless they came in by it",
          "reach it by an interface that takes them, or load the component on " + interface.name};
}

Trouble hop_trouble(const Way& way, const lb_hop& hop) {
  if (way.device == nullptr)
    return {"the interface of its next hop is gone; its packets are lost until --next-hop names "
            "another",
            "'xdp-lb backend set' with --next-hop"};
  if (!std::ranges::equal(way.device->mac, hop.src))
    return {"its packets have a source address that " + way.device->name +
                " no longer has; give --next-hop again",
            "'xdp-lb backend set' with the same --next-hop"};
  return {};
}

}  // namespace

Way way_to(const std::vector<Interface>& all, const Address& backend,
           const std::optional<lb_hop>& hop) {
  Way way;
  way.route = route_to(backend);
  if (!hop && !way.route) return way;
  way.device = way.out = find(all, hop ? hop->ifindex : way.route->ifindex);
  if (way.device == nullptr) return way;
  way.mtu = !hop && way.route->mtu != 0 ? way.route->mtu : way.device->mtu;
  while (way.out != nullptr && way.out->kind == "vlan") way.out = find(all, way.out->parent);
  return way;
}

Trouble route_trouble(const Way& way, Forward forward) {
  if (!way.route)
    return {"no route; its packets are dropped (no-route) until there is one",
            "'ip route add' one"};
  if (!way.local() && !way.route->on_link && forward == Forward::l2)
    return {"it is behind a gateway, which mode l2 can't pass; its packets are dropped (off-link) "
            "until its route leads to it directly",
            "choose another forwarding mode, or give the balancer an address in its network"};
  return {};
}

Trouble mtu_trouble(const Way& way, const Address& backend, Forward forward) {
  constexpr unsigned least = 1280;  // of IPv6: RFC 8200 5
  const auto outer = outer_bytes(forward, backend.is_v4());
  if (outer == 0 || way.local() || way.mtu == 0 || way.mtu >= least + outer) return {};
  const bool of_route = way.mtu != way.device->mtu;
  return {(of_route ? "its route out of " : "its way out, ") + way.device->name + ", has MTU " +
              std::to_string(way.mtu) + "; IPv6 needs " + std::to_string(least) + ", and mode " +
              std::string(to_string(forward)) + " " + std::to_string(outer) +
              " more: " + std::to_string(least + outer),
          "give the way a larger MTU, or use a mode with a smaller outer header"};
}

Trouble way_trouble(const Pins& pins, const Backend& backend, const Way& way) {
  auto trouble = backend.hop ? hop_trouble(way, *backend.hop) : route_trouble(way, backend.forward);
  if (!trouble.none() || way.local() || way.out == nullptr) return trouble;
  if (!backend.hop) trouble = egress_trouble(pins, *way.out);
  const bool v4 = load(pins.services()[backend.service].conf).family == LB_IPV4;
  return !trouble.none() || v4 ? trouble : mtu_trouble(way, backend.id.address, backend.forward);
}

}  // namespace xdplb
