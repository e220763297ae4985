// SPDX-License-Identifier: GPL-2.0-only
// What services and backends can't be: State's checks before a change.
#include <algorithm>

#include "plugin/error.h"
#include "plugin/state.h"

namespace xdplb {

// Throws where the service, as it shall be, can't be: by itself, beside others, with its backends.
void State::require_options(const ServiceId& id, const ServiceOptions& options,
                            std::uint32_t number) const {
  require_service(id, options);
  for (const auto& other : services())
    if (other.id != id) require_apart(id, options, other.id, other);
  if (number == LB_SERVICES) return;
  for (const auto& backend : backends(number)) {
    const auto forward = backend.own_forward ? backend.forward : options.forward;
    require_backend(id, options, backend.id, forward);
    if (forward == Forward::nat) require_sole_nat(id, options.fragments, backend.id);
  }
}

// Throws where this backend can't be had in this mode.
void State::require_way(const Service& service, const BackendId& backend, Forward forward) const {
  require_backend(service.id, service, backend, forward);
  if (forward != Forward::nat) return;
  require_sole_nat(service.id, service.fragments, backend);
  auto keys = index_keys();
  const auto key = std::ranges::find(keys, service.id, &IndexKey::id);
  if (std::ranges::find(key->replies, backend) == key->replies.end())  // it may be leaving
    key->replies.push_back(backend);
  require_room(service.id, keys, 0);
}

// The service of a reply is known by its source alone.
void State::require_sole_nat(const ServiceId& id, Fragments fragments,
                             const BackendId& backend) const {
  const auto replies = replies_of(id, fragments, backend);
  const auto members = this->members();
  for (const auto& other : services()) {
    if (other.id == id || other.id.protocol != id.protocol) continue;
    for (const auto& its : members[other.number])
      if (its.forward == Forward::nat)
        for (const auto& reply : replies_of(other.id, other.fragments, its.id))
          if (std::ranges::find(replies, reply) != replies.end())
            throw_shared_nat(backend, reply, other.id);
  }
}

}  // namespace xdplb
