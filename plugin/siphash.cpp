// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/siphash.h"

#include <bit>
#include <cstddef>

namespace xdplb {
namespace {

std::uint64_t little_endian(std::span<const std::uint8_t> bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) word |= std::uint64_t{bytes[i]} << (8 * i);
  return word;
}

// v0..v3 of the paper; the constants spell "somepseudorandomlygeneratedbytes".
struct SipState {
  std::uint64_t v0, v1, v2, v3;

  SipState(std::uint64_t k0, std::uint64_t k1)
      : v0(k0 ^ 0x736f6d6570736575),
        v1(k1 ^ 0x646f72616e646f6d),
        v2(k0 ^ 0x6c7967656e657261),
        v3(k1 ^ 0x7465646279746573) {}

  void round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32) + v3;
    v2 += v1;
    v3 = std::rotl(v3, 21) ^ v0;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void compress(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }

  std::uint64_t finish() {
    v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

std::uint64_t siphash24(std::span<const std::uint8_t, 16> key,
                        std::span<const std::uint8_t> message) {
  SipState state(little_endian(key.first<8>()), little_endian(key.last<8>()));
  const std::uint64_t length = message.size();
  while (message.size() >= 8) {
    state.compress(little_endian(message.first(8)));
    message = message.subspan(8);
  }
  state.compress(little_endian(message) | length << 56);
  return state.finish();
}

}  // namespace xdplb
