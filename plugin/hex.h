// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace xdplb {

inline std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

// Its first digit is the highest.
inline std::string hex(std::uint64_t number) {
  std::array<std::uint8_t, sizeof(number)> big{};
  for (auto byte = big.rbegin(); byte != big.rend(); ++byte, number >>= 8)
    *byte = static_cast<std::uint8_t>(number);
  return hex(big);
}

}  // namespace xdplb
