// SPDX-License-Identifier: GPL-2.0-only
// Configuration files: any text is either refused with ConfigError, a line for each mistake, or
// means the same as what it is written as.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "plugin/config.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string text;
  try {
    text =
        xdplb::to_text(xdplb::parse_config({reinterpret_cast<const char*>(bytes), size}, "file"));
  } catch (const xdplb::ConfigError& error) {
    const std::string_view what = error.what();
    REQUIRE(!error.mistakes().empty());
    REQUIRE(static_cast<std::size_t>(std::ranges::count(what, '\n')) + 1 ==
            error.mistakes().size());
    return 0;
  }
  REQUIRE(xdplb::to_text(xdplb::parse_config(text, "file")) == text);
  return 0;
}
