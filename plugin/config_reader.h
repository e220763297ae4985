// SPDX-License-Identifier: GPL-2.0-only
// Values of a TOML document, each with its name and its place; mistakes are gathered.
#pragma once

#include <toml++/toml.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/config.h"

namespace xdplb {

class ConfigValue {
 public:
  ConfigValue(Mistakes& mistakes, std::string name, const toml::node& node)
      : mistakes_(mistakes), name_(std::move(name)), node_(node) {}

  void wrong(const std::string& text, const std::string& hint = {}) const;
  [[nodiscard]] const toml::node& node() const { return node_; }
  [[nodiscard]] Position at() const;

  // These are nothing where the value isn't such, which is a mistake.
  [[nodiscard]] std::optional<std::string> text() const;
  [[nodiscard]] std::optional<bool> flag() const;
  [[nodiscard]] std::optional<std::uint64_t> number(std::uint64_t low, std::uint64_t high) const;
  // One of several words.
  template <typename Choice>
  [[nodiscard]] std::optional<Choice> word(
      std::optional<Choice> (*parse)(std::string_view),
      const std::string& words = alternatives<Choice>()) const {
    const auto given = text();
    if (!given) return std::nullopt;
    const auto choice = parse(*given);
    if (!choice) wrong(name_ + " '" + *given + "' is neither " + words);
    return choice;
  }
  // What a function makes of the text; that it throws Error is a mistake here.
  template <typename Parse>
  [[nodiscard]] auto parsed(Parse parse) const -> std::optional<decltype(parse(std::string()))> {
    const auto given = text();
    if (!given) return std::nullopt;
    try {
      return parse(*given);
    } catch (const Error& error) {
      wrong(error.what(), error.hint());
      return std::nullopt;
    }
  }

  // Each key of a table by its function; where: what the table is, in messages; heading: what its
  // keys are written below.
  using Keys = std::vector<std::pair<std::string_view, std::function<void(const ConfigValue&)>>>;
  Unclear table(const std::string& where, const Keys& keys, const std::string& heading) const;
  // The elements of an array; form: how it is written.
  [[nodiscard]] std::vector<ConfigValue> elements(const std::string& form) const;

 private:
  Mistakes& mistakes_;
  std::string name_;
  const toml::node& node_;
};

}  // namespace xdplb
