// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/siphash.h"

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace xdplb {
namespace {

struct Sequence {
  std::array<std::uint8_t, 16> key;
  std::vector<std::uint8_t> message;

  // Both count up from 0, as in the test vectors of the paper's authors.
  explicit Sequence(std::size_t length) : key{}, message(length) {
    std::iota(key.begin(), key.end(), std::uint8_t{0});
    std::iota(message.begin(), message.end(), std::uint8_t{0});
  }
};

BOOST_AUTO_TEST_SUITE(siphash)

BOOST_AUTO_TEST_CASE(example_of_the_papers_appendix) {
  const Sequence s(15);
  BOOST_TEST(siphash24(s.key, s.message) == 0xa129ca6149be45e5);
}

BOOST_AUTO_TEST_CASE(every_length_up_to_a_whole_word) {
  constexpr std::array<std::uint64_t, 9> expected = {
      0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
      0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
      0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462};
  for (std::size_t length = 0; length < expected.size(); ++length) {
    const Sequence s(length);
    BOOST_TEST_CONTEXT("length " << length) {
      BOOST_TEST(siphash24(s.key, s.message) == expected[length]);
    }
  }
}

BOOST_AUTO_TEST_CASE(zeros_of_different_lengths_differ) {
  const Sequence s(0);
  const std::array<std::uint8_t, 24> zeros{};
  const std::span<const std::uint8_t> all(zeros);
  for (std::size_t x = 0; x <= zeros.size(); ++x) {
    for (std::size_t y = 0; y < x; ++y) {
      BOOST_TEST(siphash24(s.key, all.first(x)) != siphash24(s.key, all.first(y)));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
