// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/mode.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace xdplb {

namespace {

template <typename Choice>
using Spellings = std::span<const std::pair<Choice, std::string_view>>;

template <typename Choice>
std::string_view word_of(Spellings<Choice> words, Choice choice) {
  const auto found = std::ranges::find(words, choice, [](const auto& word) { return word.first; });
  return found == words.end() ? words.front().second : found->second;
}

template <typename Choice>
std::optional<Choice> choice_of(Spellings<Choice> words, std::string_view text) {
  const auto found = std::ranges::find(words, text, [](const auto& word) { return word.second; });
  if (found == words.end()) return std::nullopt;
  return found->first;
}

template <typename Choice>
using Word = std::pair<Choice, std::string_view>;

constexpr std::array all_forwards{
    Word<Forward>{Forward::l2, "l2"},   Word<Forward>{Forward::ipip, "ipip"},
    Word<Forward>{Forward::gue, "gue"}, Word<Forward>{Forward::gre, "gre"},
    Word<Forward>{Forward::nat, "nat"}, Word<Forward>{Forward::fullnat, "fullnat"}};
constexpr std::array all_balances{Word<Balance>{Balance::slack, "slack"},
                                  Word<Balance>{Balance::exact, "exact"},
                                  Word<Balance>{Balance::off, "off"}};
constexpr std::array all_fragments{Word<Fragments>{Fragments::drop, "drop"},
                                   Word<Fragments>{Fragments::pass, "pass"},
                                   Word<Fragments>{Fragments::hash3, "hash3"}};
constexpr std::array memories{Word<Remember>{Remember::changed, "changed"},
                              Word<Remember>{Remember::always, "always"},
                              Word<Remember>{Remember::none, "none"}};
constexpr std::array downs{Word<OnDown>{OnDown::rehash, "rehash"},
                           Word<OnDown>{OnDown::keep, "keep"}};
constexpr std::array resorts{
    Word<LastResort>{LastResort::drop, "drop"}, Word<LastResort>{LastResort::reject, "reject"},
    Word<LastResort>{LastResort::pass, "pass"}, Word<LastResort>{LastResort::all, "all"}};
constexpr std::array states{Word<BackendState>{BackendState::up, "up"},
                            Word<BackendState>{BackendState::drain, "drain"},
                            Word<BackendState>{BackendState::down, "down"},
                            Word<BackendState>{BackendState::leaving, "leaving"}};

template <typename Choice>
std::vector<std::string_view> all_of(Spellings<Choice> words) {
  std::vector<std::string_view> all;
  for (const auto& word : words) all.push_back(word.second);
  return all;
}

}  // namespace

template <>
std::vector<std::string_view> words_for<Forward>() {
  return all_of<Forward>(all_forwards);
}
template <>
std::vector<std::string_view> words_for<Balance>() {
  return all_of<Balance>(all_balances);
}
template <>
std::vector<std::string_view> words_for<Fragments>() {
  return all_of<Fragments>(all_fragments);
}
template <>
std::vector<std::string_view> words_for<Remember>() {
  return all_of<Remember>(memories);
}
template <>
std::vector<std::string_view> words_for<OnDown>() {
  return all_of<OnDown>(downs);
}
template <>
std::vector<std::string_view> words_for<LastResort>() {
  return all_of<LastResort>(resorts);
}

std::string joined(const std::vector<std::string_view>& words, std::string_view between,
                   std::string_view last) {
  std::string text(words.front());
  for (std::size_t i = 1; i < words.size(); i++)
    text.append(i + 1 == words.size() ? last : between).append(words[i]);
  return text;
}

unsigned outer_bytes(Forward forward, bool backend_v4) {
  const unsigned ip = backend_v4 ? 20 : 40;
  switch (forward) {
    case Forward::ipip:
      return ip;
    case Forward::gue:
      return ip + 12;
    case Forward::gre:
      return ip + 4;
    default:
      return 0;
  }
}

std::string_view to_string(Forward forward) { return word_of<Forward>(all_forwards, forward); }
std::string_view to_string(Balance balance) { return word_of<Balance>(all_balances, balance); }
std::string_view to_string(Fragments fragments) {
  return word_of<Fragments>(all_fragments, fragments);
}
std::string_view to_string(Remember remember) { return word_of<Remember>(memories, remember); }
std::string_view to_string(OnDown on_down) { return word_of<OnDown>(downs, on_down); }
std::string_view to_string(LastResort resort) { return word_of<LastResort>(resorts, resort); }
std::string_view to_string(BackendState state) { return word_of<BackendState>(states, state); }

std::optional<Forward> parse_forward(std::string_view text) {
  return choice_of<Forward>(all_forwards, text);
}
std::optional<Balance> parse_balance(std::string_view text) {
  return choice_of<Balance>(all_balances, text);
}
std::optional<Fragments> parse_fragments(std::string_view text) {
  return choice_of<Fragments>(all_fragments, text);
}
std::optional<Remember> parse_remember(std::string_view text) {
  return choice_of<Remember>(memories, text);
}
std::optional<OnDown> parse_on_down(std::string_view text) {
  return choice_of<OnDown>(downs, text);
}
std::optional<LastResort> parse_last_resort(std::string_view text) {
  return choice_of<LastResort>(resorts, text);
}

}  // namespace xdplb
