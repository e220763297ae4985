// SPDX-License-Identifier: GPL-2.0-only
// The words for forwarding modes and balances.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bpf/abi.h"
#include "plugin/table.h"

namespace xdplb {

enum class Forward : std::uint8_t {
  l2 = LB_FORWARD_L2,
  ipip = LB_FORWARD_IPIP,
  gue = LB_FORWARD_GUE,
  gre = LB_FORWARD_GRE,
};

std::string_view to_string(Forward forward);
std::string_view to_string(Balance balance);
std::optional<Forward> parse_forward(std::string_view text);
std::optional<Balance> parse_balance(std::string_view text);

}  // namespace xdplb
