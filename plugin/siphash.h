// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// SipHash-2-4 with 64 bits of output: Aumasson and Bernstein, "SipHash: a fast short-input PRF",
// INDOCRYPT 2012. The key is 16 bytes; key, message and result are little-endian as in the paper,
// so the result is the same number on every machine.

#include <cstdint>
#include <span>

namespace xdplb {

std::uint64_t siphash24(std::span<const std::uint8_t, 16> key,
                        std::span<const std::uint8_t> message);

}  // namespace xdplb
