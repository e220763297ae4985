// SPDX-License-Identifier: GPL-2.0-only
// Files of packets: any bytes are either refused with Error, or packets that can be written and
// read again.
#include "plugin/pcap.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "plugin/error.h"
#include "tests/fuzz/require.h"

namespace {

bool same(const xdplb::CapturedFrame& a, const xdplb::CapturedFrame& b) {
  return a.nanoseconds == b.nanoseconds && a.size == b.size && a.bytes == b.bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    const auto frames = xdplb::parse_pcap({bytes, size}, "file");
    for (const auto& frame : frames) REQUIRE(frame.bytes.size() <= frame.size);
    REQUIRE(std::ranges::equal(frames, xdplb::parse_pcap(xdplb::to_pcap(frames), "file"), same));
  } catch (const xdplb::Error& error) {
    REQUIRE(!std::string_view(error.what()).empty() && !error.hint().empty());
  }
  return 0;
}
