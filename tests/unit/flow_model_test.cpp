// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/flow_model.h"

#include <array>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <cstdint>

namespace xdplb::test {
namespace {

using V4 = std::array<std::uint8_t, 4>;
using V6 = std::array<std::uint8_t, 16>;

// 10.0.0.1:443 over TCP with the key 00, 01, ... 0f.
FlowKeys example_keys() {
  constexpr ClusterKey key = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  constexpr V6 vip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
  return derive_flow_keys(key, vip, 443, 6);
}

BOOST_AUTO_TEST_SUITE(flow_model)

BOOST_AUTO_TEST_CASE(ipv4_vectors) {
  struct Vector {
    V4 saddr;
    std::uint16_t sport, dport;
    std::uint64_t hash;
    std::uint32_t slot;
  };
  constexpr std::array<Vector, 5> vectors = {{
      {{192, 0, 2, 1}, 1024, 443, 0x5e9959490b97510d, 20749},
      {{192, 0, 2, 1}, 1025, 443, 0x9aed8279cfb4f867, 63591},
      {{192, 0, 2, 2}, 1024, 443, 0xf2b39833f5882b9c, 11164},
      {{255, 255, 255, 255}, 65535, 443, 0x484102c0b828815b, 33115},
      {{0, 0, 0, 0}, 0, 0, 0xfbfd8ad0bb4549bd, 18877},
  }};
  const FlowKeys keys = example_keys();
  for (const Vector& v : vectors) {
    const std::uint64_t hash = km3_v4(keys, v.saddr, v.sport, v.dport);
    BOOST_TEST(hash == v.hash);
    BOOST_TEST(km3_slot(hash, 16) == v.slot);
  }
}

BOOST_AUTO_TEST_CASE(ipv6_vectors) {
  struct Vector {
    V6 saddr;
    std::uint64_t hash;
    std::uint32_t slot;
  };
  constexpr std::array<Vector, 3> vectors = {{
      {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0x60c440078299ab0f, 43791},
      {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}, 0x81d5c5930e6dfda6, 64934},
      {{0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0x2d0960576fc0d269, 53865},
  }};
  const FlowKeys keys = example_keys();
  for (const Vector& v : vectors) {
    const std::uint64_t hash = km3_v6(keys, v.saddr, 1024, 443);
    BOOST_TEST(hash == v.hash);
    BOOST_TEST(km3_slot(hash, 16) == v.slot);
  }
}

// The weakness of chained hashes that made the definition choose NH for IPv6: flipping bit 63 of
// the first half together with bits 63 and 31 of the second must not cancel out.
BOOST_AUTO_TEST_CASE(ipv6_top_bits_do_not_cancel) {
  const FlowKeys keys = example_keys();
  for (std::uint8_t last = 0; last < 64; ++last) {
    V6 saddr = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
    const std::uint64_t hash = km3_v6(keys, saddr, 1024, 443);
    for (const std::size_t byte : {7, 11, 15}) saddr[byte] ^= 0x80;
    BOOST_TEST(km3_v6(keys, saddr, 1024, 443) != hash);
  }
}

BOOST_AUTO_TEST_CASE(each_input_bit_reaches_the_slot_bits) {
  const FlowKeys keys = example_keys();
  constexpr V6 base = {0x20, 1, 0x0d, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const std::uint64_t hash = km3_v6(keys, base, 1024, 443);
  int changed = 0;
  for (std::size_t bit = 0; bit < 128; ++bit) {
    V6 saddr = base;
    saddr[bit / 8] = static_cast<std::uint8_t>(saddr[bit / 8] ^ 1u << bit % 8);
    const std::uint32_t difference = km3_slot(hash ^ km3_v6(keys, saddr, 1024, 443), 16);
    BOOST_TEST(difference != 0u);
    changed += std::popcount(difference);
  }
  // Half of 128 * 16 bits, standard deviation 23.
  BOOST_TEST(changed > 1024 - 150);
  BOOST_TEST(changed < 1024 + 150);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
