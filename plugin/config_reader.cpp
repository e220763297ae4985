// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/config_reader.h"

#include <algorithm>
#include <numeric>

namespace xdplb {

namespace {

Position position_of(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

// Levenshtein's.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (const char c : a) {
    auto before = row[0]++;
    for (std::size_t j = 0; j < b.size(); j++) {
      const auto change = before + (c == b[j] ? 0 : 1);
      before = row[j + 1];
      row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, change});
    }
  }
  return row.back();
}

std::string advice(std::string_view key, const ConfigValue::Keys& known) {
  constexpr std::size_t near = 3;
  const auto far = [&](const auto& one) { return distance(key, one.first); };
  const auto best = std::ranges::min_element(known, {}, far);
  if (far(*best) <= std::min(near, key.size() / 2))
    return "did you mean '" + std::string(best->first) + "'?";
  std::string all;
  for (const auto& one : known) all += (all.empty() ? "known are " : ", ") + std::string(one.first);
  return all;
}

}  // namespace

Position ConfigValue::at() const { return position_of(node_.source()); }

void ConfigValue::wrong(const std::string& text, const std::string& hint) const {
  mistakes_.push_back({at(), text, hint});
}

std::optional<std::string> ConfigValue::text() const {
  if (const auto* value = node_.as_string()) return value->get();
  wrong(name_ + " is not a text", "write it in double quotes");
  return std::nullopt;
}

std::optional<bool> ConfigValue::flag() const {
  if (const auto* value = node_.as_boolean()) return value->get();
  wrong(name_ + " is neither true nor false", "write one of the two, without quotes");
  return std::nullopt;
}

std::optional<std::uint64_t> ConfigValue::number(std::uint64_t low, std::uint64_t high) const {
  const auto* value = node_.as_integer();
  if (value != nullptr && value->get() >= 0) {
    const auto given = static_cast<std::uint64_t>(value->get());
    if (given >= low && given <= high) return given;
  }
  wrong(name_ + " is not a number from " + std::to_string(low) + " to " + std::to_string(high));
  return std::nullopt;
}

void ConfigValue::table(const std::string& where, const Keys& keys) const {
  const auto* table = node_.as_table();
  if (table == nullptr)
    return wrong(name_ + " is not a table", "write its keys below [" + name_ + "]");
  for (const auto& [key, node] : *table) {
    const auto found =
        std::ranges::find(keys, key.str(), [](const auto& one) { return one.first; });
    if (found != keys.end())
      found->second(ConfigValue(mistakes_, std::string(key.str()), node));
    else
      mistakes_.push_back({position_of(key.source()),
                           "unknown key '" + std::string(key.str()) + "' in " + where,
                           advice(key.str(), keys)});
  }
}

std::vector<ConfigValue> ConfigValue::elements() const {
  std::vector<ConfigValue> all;
  if (const auto* array = node_.as_array())
    for (const auto& element : *array) all.emplace_back(mistakes_, name_, element);
  else
    wrong(name_ + " is not an array", "write [[" + name_ + "]] for each");
  return all;
}

}  // namespace xdplb
