// SPDX-License-Identifier: GPL-2.0-only
// What a service's table is made of: its members, with their states.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "plugin/address.h"
#include "plugin/mode.h"
#include "plugin/table.h"

namespace xdplb {

// spec, with the members as its backends, in their order; nothing where none of them takes new
// flows. A member has an id, a weight and a state.
template <typename Member>
std::optional<TableSpec> with_members(TableSpec spec, const std::vector<Member>& members,
                                      LastResort last_resort) {
  const bool all = std::ranges::none_of(
      members, [](const auto& member) { return member.state == BackendState::up; });
  if (all && last_resort != LastResort::all) return std::nullopt;
  for (const auto& member : members) {
    TableBackend one{member.id.address.bytes(), member.id.port, member.weight};
    one.drain =
        member.state == BackendState::leaving || (!all && member.state == BackendState::drain);
    one.healthy = all || member.state != BackendState::down;
    spec.backends.push_back(one);
  }
  return spec;
}

}  // namespace xdplb
