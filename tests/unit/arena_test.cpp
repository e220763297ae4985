// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/arena.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

namespace xdplb {
namespace {

// The definition, line by line: of the free runs that are long enough the shortest, and of several
// such the first.
class Bitmap {
 public:
  explicit Bitmap(std::uint32_t total) : used_(total) {}

  void use(const Extent& extent) {
    for (std::uint32_t i = 0; i < extent.lines; i++) used_[extent.line + i] = true;
  }
  [[nodiscard]] bool is_free(const Extent& extent) const {
    for (std::uint32_t i = 0; i < extent.lines; i++)
      if (used_.at(extent.line + i)) return false;
    return true;
  }
  [[nodiscard]] std::optional<std::uint32_t> find(std::uint32_t lines) const {
    std::optional<Extent> best;
    for (std::uint32_t start = 0; start < used_.size(); start++) {
      if (used_[start] || (start > 0 && !used_[start - 1])) continue;
      std::uint32_t end = start;
      while (end < used_.size() && !used_[end]) end++;
      if (end - start >= lines && (!best || end - start < best->lines)) best = {start, end - start};
    }
    if (!best) return std::nullopt;
    return best->line;
  }

 private:
  std::vector<bool> used_;
};

BOOST_AUTO_TEST_SUITE(arena)

BOOST_AUTO_TEST_CASE(empty_and_full) {
  BOOST_TEST((find_free({}, 8, 1) == 0U));
  BOOST_TEST((find_free({}, 8, 8) == 0U));
  BOOST_TEST(!find_free({}, 8, 9).has_value());
  BOOST_TEST(!find_free({{0, 8}}, 8, 1).has_value());
  BOOST_TEST(!find_free({{0, 4}, {4, 4}}, 8, 1).has_value());
  BOOST_TEST(!find_free({}, 0, 1).has_value());
}

BOOST_AUTO_TEST_CASE(best_fit_and_the_first_of_equals) {
  // free: 1-3, 5, 7-8, 10-11, 13-
  const std::vector<Extent> used{{0, 1}, {4, 1}, {6, 1}, {9, 1}, {12, 1}};
  BOOST_TEST((find_free(used, 20, 1) == 5U));
  BOOST_TEST((find_free(used, 20, 2) == 7U));
  BOOST_TEST((find_free(used, 20, 3) == 1U));
  BOOST_TEST((find_free(used, 20, 4) == 13U));
  BOOST_TEST((find_free(used, 20, 7) == 13U));
  BOOST_TEST(!find_free(used, 20, 8).has_value());
}

BOOST_AUTO_TEST_CASE(order_and_overlap_of_what_is_used_make_no_difference) {
  BOOST_TEST((find_free({{6, 2}, {0, 2}, {3, 1}}, 8, 2) == 4U));
  BOOST_TEST((find_free({{0, 6}, {1, 1}, {0, 2}}, 8, 2) == 6U));
}

BOOST_AUTO_TEST_CASE(is_what_the_bitmap_says) {
  std::mt19937 engine(20);
  int found = 0;
  for (int round = 0; round < 20000; round++) {
    const std::uint32_t total = 1 + engine() % 96;
    Bitmap bitmap(total);
    std::vector<Extent> used;
    for (auto count = engine() % 12; count > 0; count--) {
      const auto line = static_cast<std::uint32_t>(engine() % total);
      const auto most = std::min<std::uint32_t>(total - line, 16);
      const Extent extent{line, static_cast<std::uint32_t>(1 + engine() % most)};
      used.push_back(extent);
      bitmap.use(extent);
    }
    const std::uint32_t lines = 1 + engine() % (total + 2);
    const auto place = find_free(used, total, lines);
    BOOST_TEST_REQUIRE((place == bitmap.find(lines)), "round " << round);
    found += place.has_value() ? 1 : 0;
  }
  BOOST_TEST(found > 5000);
  BOOST_TEST(found < 15000);
}

// Taken and given back at random, as tables and indexes are: nothing overlaps, nothing leaks.
BOOST_AUTO_TEST_CASE(life_of_an_arena) {
  constexpr std::uint32_t total = 4096;
  std::mt19937 engine(20);
  std::vector<Extent> used{{0, 1}};
  int refused = 0;
  for (int round = 0; round < 5000; round++) {
    if (engine() % 5 < 2 && used.size() > 1) {
      used.erase(used.begin() + 1 + static_cast<std::ptrdiff_t>(engine() % (used.size() - 1)));
      continue;
    }
    Bitmap bitmap(total);
    for (const auto& extent : used) bitmap.use(extent);
    const std::uint32_t lines = 1U << engine() % 9;
    const auto place = find_free(used, total, lines);
    BOOST_TEST_REQUIRE((place == bitmap.find(lines)));
    if (!place) {
      refused++;
      continue;
    }
    BOOST_TEST_REQUIRE(*place + lines <= total);
    BOOST_TEST_REQUIRE(bitmap.is_free({*place, lines}));
    used.push_back({*place, lines});
  }
  BOOST_TEST(refused > 0);
  used.resize(1);
  BOOST_TEST((find_free(used, total, total - 1) == 1U));
}

BOOST_AUTO_TEST_CASE(part_of_an_arena) {
  // free: 1, 3-4, 6-9
  const std::vector<Extent> used{{0, 1}, {2, 1}, {5, 1}};
  BOOST_TEST((find_free(used, 10, 1, 2) == 3U));
  BOOST_TEST((find_free(used, 10, 1, 4) == 4U));
  BOOST_TEST((find_free(used, 4, 1, 3) == 3U));
  BOOST_TEST((find_free(used, 8, 2, 4) == 6U));
  BOOST_TEST(!find_free(used, 5, 2, 4).has_value());
  BOOST_TEST(!find_free(used, 2, 1, 2).has_value());
}

// Two elements: nothing lies in both, and the index is in the first.
BOOST_AUTO_TEST_CASE(elements) {
  constexpr std::uint32_t total = LB_ARENA_MAX / LB_LINE;
  constexpr std::uint32_t half = total / 2;
  const std::vector<Extent> fresh{{0, 1}};
  BOOST_TEST((find_for_table(fresh, total, 100) == half));
  BOOST_TEST((find_for_table(fresh, half, 100) == 1U));
  BOOST_TEST((find_for_index(fresh, total, 100) == 1U));
  BOOST_TEST((find_for_table({{0, 1}, {half, half}}, total, 100) == 1U));
  const std::vector<Extent> across{{0, half - 99}, {half + 99, half - 99}};
  BOOST_TEST(!find_for_table(across, total, 100).has_value());
  BOOST_TEST((find_for_table(across, total, 99) == half));
  BOOST_TEST((find_for_index(across, total, 99) == half - 99));
  BOOST_TEST(!find_for_index(across, total, 100).has_value());
  BOOST_TEST(!find_for_index({{0, half}}, total, 1).has_value());
}

// The largest arena of one element.
BOOST_AUTO_TEST_CASE(large) {
  constexpr std::uint32_t total = (1U << 29) / 64;
  const std::vector<Extent> used{{0, 1}, {total / 2, total / 4}};
  BOOST_TEST((find_free(used, total, total / 4) == total / 4 * 3));
  BOOST_TEST((find_free(used, total, total / 2 - 1) == 1U));
  BOOST_TEST(!find_free(used, total, total / 2).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
