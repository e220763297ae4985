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

// The key that this one is likely to be; end() where none is near.
ConfigValue::Keys::const_iterator nearest(std::string_view key, const ConfigValue::Keys& known) {
  constexpr std::size_t near = 3;
  const auto far = [&](const auto& one) { return distance(key, one.first); };
  const auto best = std::ranges::min_element(known, {}, far);
  return far(*best) <= std::min(near, key.size() / 2) ? best : known.end();
}

std::string advice(std::string_view key, const ConfigValue::Keys& known) {
  const auto best = nearest(key, known);
  if (best != known.end()) return "did you mean '" + std::string(best->first) + "'?";
  std::string all;
  for (const auto& one : known) all += (all.empty() ? "known are " : ", ") + std::string(one.first);
  return all;
}

// What an unknown key may be meant for: the nearest, or any that the table lacks.
void add_meant(std::string_view key, const toml::table& table, const ConfigValue::Keys& known,
               Unclear& unclear) {
  const auto best = nearest(key, known);
  const bool lacks_best = best != known.end() && !table.contains(best->first);
  for (const auto& [one, read] : known)
    if (lacks_best ? one == best->first : !table.contains(one)) unclear.emplace(one);
}

}  // namespace

Position ConfigValue::at() const { return position_of(node_.source()); }

void ConfigValue::wrong(const std::string& text, const std::string& hint) const {
  mistakes_.add(at(), text, hint);
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

Unclear ConfigValue::table(const std::string& where, const Keys& keys,
                           const std::string& heading) const {
  Unclear unclear;
  const auto* table = node_.as_table();
  if (table == nullptr) {
    wrong(name_ + " is not a table", "write its keys below " + heading);
    for (const auto& [key, read] : keys) unclear.emplace(key);
    return unclear;
  }
  for (const auto& [key, node] : *table) {
    const auto found =
        std::ranges::find(keys, key.str(), [](const auto& one) { return one.first; });
    if (found == keys.end()) {
      mistakes_.add(position_of(key.source()),
                    "unknown key '" + std::string(key.str()) + "' in " + where,
                    advice(key.str(), keys));
      add_meant(key.str(), *table, keys, unclear);
      continue;
    }
    const auto before = mistakes_.all().size();
    found->second(ConfigValue(mistakes_, std::string(key.str()), node));
    if (mistakes_.all().size() != before) unclear.emplace(key.str());
  }
  return unclear;
}

std::vector<ConfigValue> ConfigValue::elements(const std::string& form) const {
  std::vector<ConfigValue> all;
  if (const auto* array = node_.as_array())
    for (const auto& element : *array) all.emplace_back(mistakes_, name_, element);
  else
    wrong(name_ + " is not an array", "write " + form);
  return all;
}

}  // namespace xdplb
