// SPDX-License-Identifier: GPL-2.0-only
// Other balancers' configurations: of any text something is made that can be applied, and what is
// left has its lines.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "plugin/import.h"
#include "tests/fuzz/require.h"

namespace {

void check(const xdplb::Imported& imported, std::string_view text) {
  const auto lines = static_cast<unsigned>(std::ranges::count(text, '\n')) + 1;
  for (const auto& left : imported.left)
    REQUIRE(0 < left.from && left.from <= left.to && left.to <= lines);
  const auto file = xdplb::to_text(imported.config);
  REQUIRE(xdplb::to_text(xdplb::parse_config(file, "file")) == file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  check(xdplb::import_ipvs(text), text);
  try {
    check(xdplb::import_keepalived(text, "file"), text);
  } catch (const xdplb::ConfigError&) {  // braces
  }
  return 0;
}
