// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/mistake.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "plugin/hex.h"

namespace xdplb {

namespace {

// What was given can have any characters, those that break a line or move a cursor among them.
std::string in_one_line(std::string_view given) {
  std::string line;
  for (const auto c : given) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte < 0x20 || byte == 0x7f)
      line += "\\x" + hex(std::array{byte});
    else
      line += c;
  }
  return line;
}

std::string described(const std::string& name, std::vector<Mistake>& mistakes) {
  std::ranges::stable_sort(mistakes, {},
                           [](const auto& one) { return std::pair(one.at.line, one.at.column); });
  std::string text;
  for (const auto& [at, what, hint] : mistakes) {
    if (!text.empty()) text += "\n";
    text += name;
    if (!name.empty() && at.line != 0)
      text += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
    text += (name.empty() ? "" : ": ") + in_one_line(what);
    if (!hint.empty()) text += "; " + in_one_line(hint);
  }
  return text;
}

}  // namespace

ConfigError::ConfigError(const std::string& name, std::vector<Mistake> mistakes)
    : Error(described(name, mistakes)), mistakes_(std::move(mistakes)) {}

bool Mistakes::has(const Position& at) const {
  return at.line != 0 && std::ranges::find(all_, at, &Mistake::at) != all_.end();
}

}  // namespace xdplb
