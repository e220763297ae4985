// SPDX-License-Identifier: GPL-2.0-only
// The words for forwarding modes, balances and other choices.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// Is it rewritten, and its replies come back through the balancer?
constexpr bool is_rewriting(Forward forward) {
  return forward == Forward::nat || forward == Forward::fullnat;
}

// What the outer header adds to a packet, to a backend of that family.
unsigned outer_bytes(Forward forward, bool backend_v4);

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

// Which flows of a service are remembered, what becomes of those of a backend that is down, and of
// packets when no backend takes new flows.
enum class Remember : std::uint8_t {
  changed = LB_REMEMBER_CHANGED,
  always = LB_REMEMBER_ALWAYS,
  none = LB_REMEMBER_NONE,
};
enum class OnDown : std::uint8_t { rehash = LB_ON_DOWN_REHASH, keep = LB_ON_DOWN_KEEP };
enum class LastResort : std::uint8_t {
  drop = LB_LAST_RESORT_DROP,
  reject = LB_LAST_RESORT_REJECT,
  pass = LB_LAST_RESORT_PASS,
  all = LB_LAST_RESORT_ALL,
};

std::string_view to_string(Remember remember);
std::string_view to_string(OnDown on_down);
std::string_view to_string(LastResort resort);
std::optional<Remember> parse_remember(std::string_view text);
std::optional<OnDown> parse_on_down(std::string_view text);
std::optional<LastResort> parse_last_resort(std::string_view text);

// The words that there are.
template <typename Choice>
std::vector<std::string_view> words_for();
template <>
std::vector<std::string_view> words_for<Forward>();
template <>
std::vector<std::string_view> words_for<Balance>();
template <>
std::vector<std::string_view> words_for<Fragments>();
template <>
std::vector<std::string_view> words_for<Remember>();
template <>
std::vector<std::string_view> words_for<OnDown>();
template <>
std::vector<std::string_view> words_for<LastResort>();

// As in "drop|pass|hash3", and as in "is neither drop, pass nor hash3".
std::string joined(const std::vector<std::string_view>& words, std::string_view between,
                   std::string_view last);
template <typename Choice>
std::string choices() {
  return joined(words_for<Choice>(), "|", "|");
}
template <typename Choice>
std::string alternatives() {
  return joined(words_for<Choice>(), ", ", " nor ");
}

enum class BackendState : std::uint8_t { up, drain, down, leaving };
std::string_view to_string(BackendState state);

}  // namespace xdplb
