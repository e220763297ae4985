// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/mode.h"

namespace xdplb {

std::string_view to_string(Forward forward) {
  switch (forward) {
    case Forward::ipip:
      return "ipip";
    case Forward::gue:
      return "gue";
    case Forward::gre:
      return "gre";
    case Forward::nat:
      return "nat";
    case Forward::fullnat:
      return "fullnat";
    default:
      return "l2";
  }
}

std::optional<Forward> parse_forward(std::string_view text) {
  for (const auto forward :
       {Forward::l2, Forward::ipip, Forward::gue, Forward::gre, Forward::nat, Forward::fullnat})
    if (text == to_string(forward)) return forward;
  return std::nullopt;
}

std::string_view to_string(Balance balance) {
  switch (balance) {
    case Balance::exact:
      return "exact";
    case Balance::off:
      return "off";
    default:
      return "slack";
  }
}

std::optional<Balance> parse_balance(std::string_view text) {
  for (const auto balance : {Balance::slack, Balance::exact, Balance::off})
    if (text == to_string(balance)) return balance;
  return std::nullopt;
}

std::string_view to_string(Fragments fragments) {
  switch (fragments) {
    case Fragments::pass:
      return "pass";
    case Fragments::hash3:
      return "hash3";
    default:
      return "drop";
  }
}

std::optional<Fragments> parse_fragments(std::string_view text) {
  for (const auto fragments : {Fragments::drop, Fragments::pass, Fragments::hash3})
    if (text == to_string(fragments)) return fragments;
  return std::nullopt;
}

}  // namespace xdplb
