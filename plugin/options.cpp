// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/options.h"

#include <bit>
#include <string>

#include "plugin/error.h"

namespace xdplb {

namespace {

void require_port(const ServiceId& id, Forward forward) {
  if (id.port == 0)
    throw Error("service " + id.to_string() + " takes every port, which mode " +
                    std::string(to_string(forward)) + " can't",
                "make a service for each port, or choose another forwarding mode");
}

void require_pool(const ServiceId& id, const ServiceOptions& options) {
  if (options.pool.count == 0)
    throw Error("service " + id.to_string() + " has no source addresses for mode fullnat",
                "give it a pool of them, as 'xdp-lb service set " + id.to_string() +
                    " --pool FIRST-LAST' does");
}

// A connection's socket has the VIP's address at a backend that is its own balancer, and the
// backend's at one that gets rewritten packets: no node can tell by its sockets who has it.
void require_no_second_chance(const ServiceId& id, const ServiceOptions& options, Forward forward) {
  if (options.second_chance)
    throw Error("service " + id.to_string() + " has second chances, which mode " +
                    std::string(to_string(forward)) + " can't give",
                "set second-chance to off, or choose l2, ipip, gue or gre");
}

void require_affinity(const ServiceId& id, const ServiceOptions& options) {
  if (options.source_prefix > all_bits(id))
    throw Error("affinity " + std::to_string(options.source_prefix) + " of service " +
                    id.to_string() + " has more bits than its addresses",
                "give a length from 1 to " + std::to_string(all_bits(id)));
}

void require_epoch(const ServiceId&, const ServiceOptions& options) {
  if (options.epoch == 0 || options.epoch > max_epoch)
    throw Error("an epoch of " + std::to_string(options.epoch) + " seconds",
                "give a number of seconds from 1 to " + std::to_string(max_epoch));
}

void require_clients(const ServiceId& id, const ServiceOptions& options) {
  const auto& pool = options.pool;
  if (pool.count == 0) return;
  if (pool.contains(id.vip))
    throw Error("pool " + pool.to_string() + " has the service's own VIP in it",
                "give source addresses that no client connects to");
  if (pool.first.is_v4() != id.vip.is_v4())
    throw Error("pool " + pool.to_string() + " is of another family than the VIP",
                "give addresses of the VIP's family");
}

void require_ports(const ServiceId& id, const ServiceOptions&, const BackendId& backend,
                   Forward forward) {
  if (is_rewriting(forward)) return require_port(id, forward);
  if (backend.port != 0)
    throw Error("backend " + backend.to_string() + " of service " + id.to_string() + ": mode " +
                    std::string(to_string(forward)) + " doesn't change the packet's port",
                "leave the backend's port out, or choose mode nat or fullnat");
}

void require_family(const ServiceId& id, const ServiceOptions&, const BackendId& backend,
                    Forward forward) {
  if (is_rewriting(forward) && backend.address.is_v4() != id.vip.is_v4())
    throw Error("backend " + backend.to_string() + " of service " + id.to_string() +
                    " is of the other family, which mode " + std::string(to_string(forward)) +
                    " can't reach",
                "give an address of the VIP's family, or choose ipip, gue or gre");
}

void require_whole(const ServiceId& id, const ServiceOptions& options, const BackendId&,
                   Forward forward) {
  if (forward == Forward::fullnat && options.fragments == Fragments::hash3)
    throw Error("service " + id.to_string() +
                    " takes fragments without ports (hash3), which mode fullnat can't",
                "set fragments to drop, or choose another forwarding mode");
}

constexpr std::array rules_of_services{
    ServiceRule{{"affinity"}, require_affinity},
    ServiceRule{{"epoch"}, require_epoch},
    ServiceRule{{"pool"}, require_clients},
    ServiceRule{{"forward"},
                [](const ServiceId& id, const ServiceOptions& options) {
                  if (is_rewriting(options.forward)) require_port(id, options.forward);
                }},
    ServiceRule{{"forward", "second-chance"},
                [](const ServiceId& id, const ServiceOptions& options) {
                  if (is_rewriting(options.forward))
                    require_no_second_chance(id, options, options.forward);
                }},
    ServiceRule{{"forward", "pool"}, [](const ServiceId& id, const ServiceOptions& options) {
                  if (options.forward == Forward::fullnat) require_pool(id, options);
                }}};

constexpr std::array rules_of_backends{
    BackendRule{{"forward"}, require_ports},
    BackendRule{
        {"forward", "second-chance"},
        [](const ServiceId& id, const ServiceOptions& options, const BackendId&, Forward forward) {
          if (is_rewriting(forward) && forward != options.forward)
            require_no_second_chance(id, options, forward);
        }},
    BackendRule{{"forward"}, require_family},
    BackendRule{
        {"forward", "pool"},
        [](const ServiceId& id, const ServiceOptions& options, const BackendId&, Forward forward) {
          if (forward == Forward::fullnat) require_pool(id, options);
        }},
    BackendRule{{"forward", "fragments"}, require_whole}};

}  // namespace

unsigned default_epoch(Protocol protocol) {
  return protocol == Protocol::udp ? LB_EPOCH_UDP : LB_EPOCH_TCP;
}

ServiceOptions default_options(const ServiceId& id) {
  ServiceOptions options;
  options.epoch = default_epoch(id.protocol);
  return options;
}

ServiceOptions changed(ServiceOptions options, const ServiceChange& change) {
  options.forward = change.forward.value_or(options.forward);
  options.balance = change.balance.value_or(options.balance);
  options.gue_port = change.gue_port.value_or(options.gue_port);
  options.fragments = change.fragments.value_or(options.fragments);
  options.source_prefix = change.source_prefix.value_or(options.source_prefix);
  options.ping = change.ping.value_or(options.ping);
  options.pool = change.pool.value_or(options.pool);
  options.remember = change.remember.value_or(options.remember);
  options.epoch = change.epoch.value_or(options.epoch);
  options.on_down = change.on_down.value_or(options.on_down);
  options.last_resort = change.last_resort.value_or(options.last_resort);
  options.second_chance = change.second_chance.value_or(options.second_chance);
  return options;
}

unsigned all_bits(const ServiceId& id) { return id.vip.is_v4() ? 32 : 128; }

std::vector<Reply> replies_of(const ServiceId& service, Fragments fragments,
                              const BackendId& backend) {
  const auto port = backend.port != 0 ? backend.port : service.port;
  std::vector<Reply> all{{backend.address, port, service.protocol, false}};
  if (fragments == Fragments::hash3) all.push_back({backend.address, 0, service.protocol, true});
  return all;
}

BackendId member_id(const ServiceId& service, BackendId backend) {
  if (backend.address == service.vip)
    throw Error("backend " + backend.to_string() + " has the VIP as its address",
                "give the address that the backend itself answers to on its network");
  if (backend.port == service.port) backend.port = 0;
  return backend;
}

void require_slots(unsigned slots) {
  if (!std::has_single_bit(slots) || slots < min_slots || slots > max_slots)
    throw Error(std::to_string(slots) + " slots: not a power of two from " +
                    std::to_string(min_slots) + " to " + std::to_string(max_slots),
                "leave them out for " + std::to_string(default_slots));
}

std::span<const ServiceRule> service_rules() { return rules_of_services; }
std::span<const BackendRule> backend_rules() { return rules_of_backends; }

void require_service(const ServiceId& id, const ServiceOptions& options) {
  for (const auto& rule : service_rules()) rule.require(id, options);
}

void require_backend(const ServiceId& id, const ServiceOptions& options, const BackendId& backend,
                     Forward forward) {
  for (const auto& rule : backend_rules()) rule.require(id, options, backend, forward);
}

void require_apart(const ServiceId& id, const ServiceOptions& options, const ServiceId& other,
                   const ServiceOptions& its) {
  if (options.fragments == Fragments::hash3 && its.fragments == Fragments::hash3 &&
      other.vip == id.vip && other.protocol == id.protocol)
    throw Error("service " + other.to_string() + " has the VIP's fragments already",
                "those without ports can be for one service alone: set fragments to drop there");
  if (options.pool.contains(other.vip))
    throw Error("pool " + options.pool.to_string() + " has the VIP of service " +
                    other.to_string() + " in it",
                "give source addresses that no client connects to");
  if (its.pool.contains(id.vip))
    throw Error("VIP " + id.vip.to_string() + " is in the pool " + its.pool.to_string() +
                    " of service " + other.to_string(),
                "give that service other source addresses");
}

void throw_no_room(const ServiceId& id, std::uint64_t needed, std::uint64_t arena) {
  throw Error("service " + id.to_string() + " needs " + std::to_string(needed) +
                  " bytes, and the arena of " + std::to_string(arena) +
                  " bytes has no room for them",
              "give services fewer slots, or unload and load again with a larger --arena");
}

void throw_shared_nat(const BackendId& backend, const Reply& reply, const ServiceId& other) {
  throw Error("backend " + backend.to_string() + " is one of service " + other.to_string() +
                  " already, and mode nat can't tell whose " +
                  (reply.fragment ? "fragments" : "replies") + " its are",
              reply.fragment
                  ? "set fragments to drop, or choose mode fullnat, for one of the two"
                  : "give another port of it, or choose mode fullnat for one of the two");
}

}  // namespace xdplb
