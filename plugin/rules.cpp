// SPDX-License-Identifier: GPL-2.0-only
// What services and backends can't be: State's checks before a change.
#include <algorithm>

#include "plugin/error.h"
#include "plugin/state.h"

namespace xdplb {

namespace {

bool rewrites(Forward forward) { return forward == Forward::nat || forward == Forward::fullnat; }

void require_rewritable(const Service& service, const BackendId& backend, Forward forward) {
  const auto mode = std::string(to_string(forward));
  if (service.id.port == 0)
    throw Error(
        "service " + service.id.to_string() + " takes every port, which mode " + mode + " can't",
        "make a service for each port, or choose another forwarding mode");
  if (backend.address.is_v4() != service.id.vip.is_v4())
    throw Error("backend " + backend.to_string() + " of service " + service.id.to_string() +
                    " is of the other family, which mode " + mode + " can't reach",
                "give an address of the VIP's family, or choose ipip, gue or gre");
  if (forward != Forward::fullnat) return;
  if (service.pool.count == 0)
    throw Error(
        "service " + service.id.to_string() + " has no source addresses for mode fullnat",
        "give them with 'xdp-lb service set " + service.id.to_string() + " --pool FIRST-LAST'");
  if (service.fragments == Fragments::hash3)
    throw Error("service " + service.id.to_string() +
                    " takes fragments without ports (hash3), which mode fullnat can't",
                "set --fragments drop, or choose another forwarding mode");
}

void require_epoch(std::optional<unsigned> seconds) {
  if (seconds && (*seconds == 0 || *seconds > max_epoch))
    throw Error("an epoch of " + std::to_string(*seconds) + " seconds",
                "give a number of seconds from 1 to " + std::to_string(max_epoch));
}

}  // namespace

void require_backend(const Service& service, const BackendId& backend, Forward forward) {
  if (rewrites(forward)) return require_rewritable(service, backend, forward);
  if (backend.port != 0)
    throw Error("backend " + backend.to_string() + " of service " + service.id.to_string() +
                    ": mode " + std::string(to_string(forward)) +
                    " doesn't change the packet's port",
                "leave the backend's port out, or choose mode nat or fullnat");
}

// Throws where the service can't have these options beside those of others.
void State::require_options(const ServiceId& id, const ServiceChange& change) const {
  if (change.source_prefix && *change.source_prefix > all_bits(id))
    throw Error("affinity " + std::to_string(*change.source_prefix) + " of service " +
                    id.to_string() + " has more bits than its addresses",
                "give a length from 1 to " + std::to_string(all_bits(id)));
  require_epoch(change.epoch);
  const auto all = services();
  for (const auto& other : all) {
    if (change.fragments == Fragments::hash3 && other.fragments == Fragments::hash3 &&
        other.id != id && other.id.vip == id.vip && other.id.protocol == id.protocol)
      throw Error("service " + other.id.to_string() + " has the VIP's fragments already",
                  "those without ports can be for one service alone: set --fragments drop there");
    if (change.pool && change.pool->contains(other.id.vip))
      throw Error("pool " + change.pool->to_string() + " has the VIP of service " +
                      other.id.to_string() + " in it",
                  "give source addresses that no client connects to");
    if (other.pool.contains(id.vip))
      throw Error("VIP " + id.vip.to_string() + " is in the pool " + other.pool.to_string() +
                      " of service " + other.id.to_string(),
                  "give that service other source addresses");
  }
  if (change.pool && change.pool->contains(id.vip))
    throw Error("pool " + change.pool->to_string() + " has the service's own VIP in it",
                "give source addresses that no client connects to");
  if (change.pool && change.pool->count != 0 && change.pool->first.is_v4() != id.vip.is_v4())
    throw Error("pool " + change.pool->to_string() + " is of another family than the VIP",
                "give addresses of the VIP's family");
}

// Throws where the service, as it shall be, can't have the backends that it has.
void State::require_backends(const Service& service) const {
  if (service.forward == Forward::fullnat || service.forward == Forward::nat) {
    if (service.id.port == 0)
      throw Error("service " + service.id.to_string() + " takes every port, which mode " +
                      std::string(to_string(service.forward)) + " can't",
                  "make a service for each port, or choose another forwarding mode");
    if (service.forward == Forward::fullnat && service.pool.count == 0)
      throw Error("service " + service.id.to_string() + " has no source addresses for mode fullnat",
                  "give them with --pool FIRST-LAST");
  }
  for (const auto& backend : backends(service.number)) {
    const auto forward = backend.own_forward ? backend.forward : service.forward;
    require_backend(service, backend.id, forward);
    if (forward == Forward::nat) require_sole_nat(service, backend.id);
  }
}

// Throws where this backend can't be had in this mode.
void State::require_way(const Service& service, const BackendId& backend, Forward forward) const {
  require_backend(service, backend, forward);
  if (forward != Forward::nat) return;
  require_sole_nat(service, backend);
  auto keys = index_keys();
  const auto key = std::ranges::find(keys, service.id, &IndexKey::id);
  if (std::ranges::find(key->replies, backend) == key->replies.end())  // it may be leaving
    key->replies.push_back(backend);
  require_room(service.id, keys, 0);
}

// The service of a reply is known by its source alone.
void State::require_sole_nat(const Service& service, const BackendId& backend) const {
  const auto port = [](const BackendId& id, const Service& of) {
    return id.port != 0 ? id.port : of.id.port;
  };
  for (const auto& other : services()) {
    if (other.number == service.number || other.id.protocol != service.id.protocol) continue;
    for (const auto& its : backends(other.number))
      if (its.forward == Forward::nat && its.id.address == backend.address &&
          port(its.id, other) == port(backend, service))
        throw Error("backend " + backend.to_string() + " is one of service " +
                        other.id.to_string() +
                        " already, and mode nat can't tell whose replies "
                        "its are",
                    "give another port of it, or choose mode fullnat for one of the two");
  }
}

}  // namespace xdplb
