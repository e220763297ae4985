// SPDX-License-Identifier: GPL-2.0-only
// What a service's table is made of: its members, with their states.
#pragma once

#include <algorithm>
#include <cstdint>
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

// Is a fair share, of a member that takes new flows, too few slots to be kept well?
template <typename Member>
bool are_coarse(unsigned slots, const std::vector<Member>& members) {
  constexpr unsigned few_slots = 10;
  std::uint64_t total = 0;
  std::uint64_t least = max_weight;
  for (const auto& member : members) {
    if (member.state != BackendState::up) continue;
    total += member.weight;
    least = std::min<std::uint64_t>(least, member.weight);
  }
  return slots * least < few_slots * total;
}

}  // namespace xdplb
