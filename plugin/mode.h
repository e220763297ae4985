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
  nat = LB_FORWARD_NAT,
  fullnat = LB_FORWARD_FULLNAT,
};

// Does the packet travel in another one?
constexpr bool is_tunnel(Forward forward) {
  return forward == Forward::ipip || forward == Forward::gue || forward == Forward::gre;
}

std::string_view to_string(Forward forward);
std::string_view to_string(Balance balance);
std::optional<Forward> parse_forward(std::string_view text);
std::optional<Balance> parse_balance(std::string_view text);

// What becomes of a service's fragments.
enum class Fragments : std::uint8_t {
  drop = LB_FRAGMENTS_DROP,
  pass = LB_FRAGMENTS_PASS,
  hash3 = LB_FRAGMENTS_HASH3,
};

std::string_view to_string(Fragments fragments);
std::optional<Fragments> parse_fragments(std::string_view text);

}  // namespace xdplb
