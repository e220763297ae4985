// SPDX-License-Identifier: GPL-2.0-only
// The XDP actions on which a chain goes on.
#pragma once

#include <array>
#include <string_view>

namespace xdplb {

inline constexpr std::array<std::string_view, 5> action_names{"XDP_ABORTED", "XDP_DROP", "XDP_PASS",
                                                              "XDP_TX", "XDP_REDIRECT"};

// XDP_PASS,XDP_TX -> bit mask, 1 << XDP_PASS. Throws Error.
unsigned parse_actions(std::string_view text);

}  // namespace xdplb
