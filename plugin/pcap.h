// SPDX-License-Identifier: GPL-2.0-only
// Classic pcap files of Ethernet frames (draft-ietf-opsawg-pcap).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace xdplb {

using Frame = std::vector<std::uint8_t>;

struct CapturedFrame {
  std::uint64_t nanoseconds = 0;  // since 1970
  std::uint32_t size = 0;         // on the wire; the capture may have less of it
  Frame bytes{};
};

// Reads either byte order, micro- and nanoseconds. Throws Error where the file is anything else,
// or ends within a packet. name: the file's, for messages.
std::vector<CapturedFrame> parse_pcap(std::span<const std::uint8_t> file, const std::string& name);

// This machine's byte order, nanoseconds.
Frame to_pcap(const std::vector<CapturedFrame>& frames);

}  // namespace xdplb
