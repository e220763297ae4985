// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// A frame in another one, byte by byte from the RFCs, every checksum computed over all that it
// covers: what a packet must be when it leaves for a backend in mode ipip, gue or gre.

#include "plugin/state.h"
#include "tests/support/packet.h"

namespace xdplb::test {

struct Outer {
  Forward forward;
  Address from{};
  Address to{};
  std::uint16_t entropy;  // 16 bits of the flow
  std::uint16_t gue_port = default_gue_port;
  bool checksum = true;  // of UDP in IPv6
};

// The frame's packet, which starts at l3 and ends at end, behind the outer header and the frame's
// own link header. Bytes behind the packet stay behind it.
Bytes wrap(const Bytes& frame, std::size_t l3, std::size_t end, const Outer& outer);

}  // namespace xdplb::test
