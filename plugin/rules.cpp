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
    if (forward == Forward::nat) require_sole_nat(id, backend.id);
  }
}

// Throws where this backend can't be had in this mode.
void State::require_way(const Service& service, const BackendId& backend, Forward forward) const {
  require_backend(service.id, service, backend, forward);
  if (forward != Forward::nat) return;
  require_sole_nat(service.id, backend);
  auto keys = index_keys();
  const auto key = std::ranges::find(keys, service.id, &IndexKey::id);
  if (std::ranges::find(key->replies, backend) == key->replies.end())  // it may be leaving
    key->replies.push_back(backend);
  require_room(service.id, keys, 0);
}

// The service of a reply is known by its source alone.
void State::require_sole_nat(const ServiceId& id, const BackendId& backend) const {
  const auto reply = reply_of(id, backend);
  for (const auto& other : services()) {
    if (other.id == id || other.id.protocol != id.protocol) continue;
    for (const auto& its : backends(other.number))
      if (its.forward == Forward::nat && reply_of(other.id, its.id) == reply)
        throw_shared_nat(backend, other.id);
  }
}

}  // namespace xdplb
