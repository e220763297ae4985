// SPDX-License-Identifier: GPL-2.0-only
// What administrators write: any text is either refused with Error, or names something whose own
// text names the same thing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "plugin/address.h"
#include "plugin/error.h"

namespace {

template <typename T>
void round_trip(std::string_view text) {
  try {
    const auto parsed = T::parse(text);
    const auto again = T::parse(parsed.to_string());
    if (again.to_string() != parsed.to_string()) std::abort();
  } catch (const xdplb::Error& error) {
    if (std::string_view(error.what()).empty() || error.hint().empty()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  round_trip<xdplb::Address>(text);
  round_trip<xdplb::ServiceId>(text);
  round_trip<xdplb::BackendId>(text);
  round_trip<xdplb::StaticHop>(text);
  return 0;
}
