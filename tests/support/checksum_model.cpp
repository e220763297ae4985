// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/checksum_model.h"

#include <cstddef>

namespace xdplb::test {

std::uint16_t ones_sum(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i++) {
    sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
    if (sum > 0xffff) sum -= 0xffff;  // the carry comes back in at the low end
  }
  return static_cast<std::uint16_t>(sum);
}

std::uint16_t checksum(std::span<const std::uint8_t> bytes) {
  return static_cast<std::uint16_t>(0xffff - ones_sum(bytes));
}

}  // namespace xdplb::test
