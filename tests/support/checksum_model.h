// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The Internet checksum (RFC 1071) over all of what it covers, by its definition: the plain
// opposite of the data path's update in place. Values are in host order, the high byte first on
// the wire.

#include <cstdint>
#include <span>

namespace xdplb::test {

// The one's complement sum of 16-bit words, an odd last byte with a zero behind it.
std::uint16_t ones_sum(std::span<const std::uint8_t> bytes);

// What belongs in a checksum field that is zero in `bytes`.
std::uint16_t checksum(std::span<const std::uint8_t> bytes);

}  // namespace xdplb::test
