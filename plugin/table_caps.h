// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Caps on the number of slots a backend owns, and the owners under caps (definition in
// plugin/table.h).

#include <cstdint>
#include <span>
#include <vector>

#include "plugin/prh.h"
#include "plugin/table.h"
#include "plugin/table_choice.h"

namespace xdplb::prh {

struct Owners {
  std::vector<std::uint16_t> index;  // a slot: the canonical index of its owner
  bool caps_binding;
};

// `best` is best_choices<1>(scale, serving); `serving` may not be empty. slack_permille is used by
// Balance::slack alone.
Owners capped_owners(const Scale& scale, std::span<const Ranking> serving, const Choices<1>& best,
                     Balance balance, unsigned slack_permille);

}  // namespace xdplb::prh
