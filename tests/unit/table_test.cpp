// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/table.h"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <functional>
#include <set>
#include <stdexcept>
#include <vector>

#include "plugin/prh.h"
#include "plugin/prh_sweep.h"
#include "tests/support/naive_table.h"

namespace xdplb {
namespace {

using Numbers = std::vector<unsigned>;

TableBackend ipv4(std::array<std::uint8_t, 4> a, std::uint32_t weight, std::uint16_t port = 0) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a[0], a[1], a[2], a[3]}, port, weight};
}

// The examples A and B of the specification; backend i is called i + 1 there.
TableSpec example_a() {
  return {.seed = 0,
          .k = 8,
          .second = true,
          .backends = {ipv4({10, 0, 0, 1}, 1), ipv4({10, 0, 0, 2}, 1), ipv4({10, 0, 0, 3}, 1)}};
}

TableSpec example_b() {
  const TableBackend ipv6 = {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0, 1};
  return {.seed = 0x0123456789abcdef,
          .k = 16,
          .second = true,
          .backends = {ipv4({10, 0, 0, 1}, 100), ipv4({10, 0, 0, 2}, 100),
                       ipv4({10, 0, 0, 3}, 200, 8080), ipv4({192, 168, 1, 10}, 50), ipv6}};
}

Numbers names(const std::vector<std::uint16_t>& indices, std::size_t count) {
  Numbers result;
  for (std::size_t slot = 0; slot < count; ++slot) result.push_back(indices[slot] + 1u);
  return result;
}

Numbers counts(const TableSpec& spec, const Table& table) {
  Numbers result(spec.backends.size());
  for (const std::uint16_t index : table.first) ++result.at(index);
  return result;
}

std::uint64_t digest_of_owners(const Table& table) {
  std::uint64_t d = 0;
  for (const std::uint16_t index : table.first) d = prh::mix(d ^ (index + 1u)) + 1;
  return d;
}

std::uint64_t digest_of_pairs(const Table& table) {
  std::uint64_t d = 0;
  for (std::size_t slot = 0; slot < table.first.size(); ++slot) {
    d = prh::mix(d ^ ((table.first[slot] + 1u) << 16 | (table.second[slot] + 1u))) + 1;
  }
  return d;
}

struct Expected {
  bool caps_binding;
  Numbers first;
  Numbers counts;
  std::uint64_t digest;
};

void check_owners(TableSpec spec, Balance balance, const Expected& expected) {
  spec.balance = balance;
  for (const bool second : {false, true}) {
    spec.second = second;
    const Table table = build_table(spec);
    BOOST_TEST(table.caps_binding == expected.caps_binding);
    BOOST_TEST(names(table.first, 16) == expected.first, boost::test_tools::per_element());
    BOOST_TEST(counts(spec, table) == expected.counts, boost::test_tools::per_element());
    BOOST_TEST(digest_of_owners(table) == expected.digest);
  }
}

void check_pairs(TableSpec spec, const Numbers& first, const Numbers& second,
                 const Numbers& expected_counts, std::uint64_t digest) {
  spec.balance = Balance::off;
  const Table table = build_table(spec);
  BOOST_TEST(!table.caps_binding);
  BOOST_TEST(names(table.first, 16) == first, boost::test_tools::per_element());
  BOOST_TEST(names(table.second, 16) == second, boost::test_tools::per_element());
  BOOST_TEST(counts(spec, table) == expected_counts, boost::test_tools::per_element());
  BOOST_TEST(digest_of_pairs(table) == digest);
}

void check_identities(const TableSpec& spec, const std::vector<std::uint64_t>& ids) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const TableBackend& b = spec.backends[i];
    BOOST_TEST(prh::identity(spec.seed, b.addr, b.port) == ids[i]);
  }
}

BOOST_AUTO_TEST_SUITE(table)

BOOST_AUTO_TEST_CASE(mixer) { BOOST_TEST(prh::mix(1) == 0x5692161d100b05e5); }

BOOST_AUTO_TEST_CASE(example_a_scores) {
  const TableSpec spec = example_a();
  check_identities(spec, {0x58d164e7eae58485, 0xc747e8af5fe859bc, 0x9e78d2855e4544c2});
  const prh::Canonical canonical = prh::canonical_order(spec.seed, spec.k, spec.backends);
  BOOST_TEST(canonical.order == (std::vector<std::uint16_t>{0, 2, 1}));
  const prh::Scale scale(spec.k);
  BOOST_TEST(scale.value_at(canonical.rankings[0], 0) == 0x05c5594400000000);
  BOOST_TEST(scale.value_at(canonical.rankings[2], 0) == 0x057ddd3400000002);
  BOOST_TEST(scale.value_at(canonical.rankings[1], 0) == 0x001450d000000001);
}

BOOST_AUTO_TEST_CASE(example_a_tables) {
  check_pairs(example_a(), {3, 1, 1, 2, 3, 3, 3, 1, 2, 1, 1, 2, 3, 2, 1, 2},
              {2, 3, 3, 1, 1, 1, 1, 2, 1, 3, 2, 1, 2, 3, 2, 3}, {90, 82, 84}, 0xa7b7e4cb28cf7560);
  check_owners(
      example_a(), Balance::exact,
      {true, {3, 1, 1, 2, 3, 3, 3, 1, 2, 2, 1, 2, 3, 2, 1, 2}, {86, 85, 85}, 0x40205e280a17a378});
  check_owners(
      example_a(), Balance::slack,
      {false, {3, 1, 1, 2, 3, 3, 3, 1, 2, 1, 1, 2, 3, 2, 1, 2}, {90, 82, 84}, 0x352823af6f500947});
}

BOOST_AUTO_TEST_CASE(example_b_scores) {
  check_identities(example_b(), {0xe11068956d5f2d02, 0xbc42f71c7dd9a1dc, 0x590c71f36ff10960,
                                 0xcbe5835eb01afb25, 0x7549707214a16b0a});
}

BOOST_AUTO_TEST_CASE(example_b_tables) {
  check_pairs(example_b(), {3, 3, 3, 3, 3, 3, 3, 3, 2, 3, 3, 3, 3, 4, 1, 1},
              {2, 1, 4, 1, 1, 2, 1, 2, 1, 1, 1, 4, 2, 3, 3, 3}, {14506, 14563, 29071, 7239, 157},
              0x6993df80f6d8f905);
  check_owners(example_b(), Balance::exact,
               {true,
                {3, 3, 3, 3, 3, 3, 3, 3, 2, 3, 3, 3, 3, 4, 1, 1},
                {14531, 14531, 29063, 7266, 145},
                0x9d971cd0b2ce809c});
  check_owners(example_b(), Balance::slack,
               {true,
                {3, 3, 3, 3, 3, 3, 3, 3, 2, 3, 3, 3, 3, 4, 1, 1},
                {14507, 14564, 29073, 7239, 153},
                0xc368bd70e8ad49c5});
}

BOOST_AUTO_TEST_CASE(ranks_and_slots_are_inverse_at_every_size) {
  for (unsigned k = min_table_bits; k <= max_table_bits; ++k) {
    const prh::Scale scale(k);
    const prh::Ranking b = prh::make_ranking(prh::mix(k), k, 1, 0);
    std::uint32_t wrong = 0;
    for (std::uint32_t rank = 0; rank < scale.slots(); ++rank) {
      wrong += scale.rank(b, scale.slot(b, rank)) != rank;
      wrong += scale.times()[rank] >= scale.times()[rank + 1];
    }
    BOOST_TEST(wrong == 0u, "k = " << k);
  }
}

BOOST_AUTO_TEST_CASE(time_bounds_are_exact) {
  for (std::uint32_t weight = 1; weight <= max_weight; weight = 3 * weight + 1) {
    const prh::Scale scale(8);
    const prh::Ranking b = prh::make_ranking(prh::mix(weight), 8, weight, 0);
    for (std::uint32_t rank = 1; rank < scale.slots(); ++rank) {
      const std::uint32_t time = scale.times()[rank];
      const prh::Value key = time * b.pace + b.phase;
      BOOST_TEST(scale.time_bound(b, key) == time);
      BOOST_TEST(scale.time_bound(b, key + 1) == time + 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_sweep_lists_each_pair_in_its_band) {
  const TableSpec spec = example_b();
  const prh::Scale scale(8);
  const prh::Canonical canonical = prh::canonical_order(spec.seed, 8, spec.backends);
  prh::Sweep sweep(scale, canonical.rankings, 0x0007'0000'0000'1234);
  const prh::Value start = sweep.limit();
  BOOST_TEST(start == 0x0007'0000'0000'0000u);
  std::set<prh::Value> listed;
  while (sweep.limit() < prh::no_value - prh::index_span) {
    const prh::Value from = sweep.limit();
    std::vector<prh::Value> band;
    sweep.next_band(
        5, [](std::uint32_t) {},
        [&](std::uint32_t slot, prh::Value value) {
          BOOST_TEST(value == scale.value_at(canonical.rankings[prh::index_of(value)], slot));
          band.push_back(value);
        });
    BOOST_TEST(sweep.limit() % prh::index_span == 0u);
    for (const prh::Value value : band) BOOST_TEST((value >= from && value < sweep.limit()));
    listed.insert(band.begin(), band.end());
  }
  std::size_t expected = 0;
  for (const prh::Ranking& b : canonical.rankings) {
    for (std::uint32_t slot = 0; slot < 256; ++slot) expected += scale.value_at(b, slot) >= start;
  }
  BOOST_TEST(listed.size() == expected);
}

// The largest table with the weights that make the smallest and the largest keys.
BOOST_AUTO_TEST_CASE(largest_table) {
  TableSpec spec = {.seed = 5,
                    .k = max_table_bits,
                    .balance = Balance::exact,
                    .second = true,
                    .backends = {ipv4({10, 0, 0, 1}, 1), ipv4({10, 0, 0, 2}, max_weight)}};
  BOOST_TEST((build_table(spec) == test::naive_table(spec)));
}

BOOST_AUTO_TEST_CASE(as_many_backends_as_there_can_be) {
  TableSpec spec = {.seed = 5, .k = min_table_bits, .balance = Balance::exact, .second = true};
  for (std::size_t i = 0; i < max_table_backends; ++i) {
    spec.backends.push_back(
        ipv4({10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}, 1));
  }
  const Table table = build_table(spec);
  BOOST_TEST(table.first.size() == 256u);
  const std::set<std::uint16_t> owners(table.first.begin(), table.first.end());
  BOOST_TEST(owners.size() == 256u);
  BOOST_TEST(*owners.rbegin() < max_table_backends);

  spec.backends.push_back(ipv4({11, 0, 0, 0}, 1));
  BOOST_CHECK_THROW(build_table(spec), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(no_backend_serves) {
  TableSpec spec = example_a();
  const std::vector<std::uint16_t> none(256, no_backend);
  const Table serving = build_table(spec);
  for (TableBackend& b : spec.backends) b.drain = true;
  const Table drained = build_table(spec);
  BOOST_TEST(drained.first == none);
  BOOST_TEST(drained.second == serving.first);
  BOOST_TEST(!drained.caps_binding);

  spec.backends.clear();
  const Table empty = build_table(spec);
  BOOST_TEST(empty.first == none);
  BOOST_TEST(empty.second == none);
}

BOOST_AUTO_TEST_CASE(one_backend_has_no_second) {
  TableSpec spec = example_a();
  spec.backends.resize(1);
  const Table table = build_table(spec);
  BOOST_TEST(table.first == std::vector<std::uint16_t>(256, 0));
  BOOST_TEST(table.second == std::vector<std::uint16_t>(256, no_backend));
  spec.second = false;
  BOOST_TEST(build_table(spec).second.empty());
}

BOOST_AUTO_TEST_CASE(refuses_what_the_specification_excludes) {
  const auto refused = [](const std::function<void(TableSpec&)>& change) {
    TableSpec spec = example_a();
    change(spec);
    try {
      build_table(spec);
    } catch (const std::invalid_argument&) {
      return true;
    }
    return false;
  };
  BOOST_TEST(!refused([](TableSpec&) {}));
  BOOST_TEST(refused([](TableSpec& s) { s.k = 7; }));
  BOOST_TEST(!refused([](TableSpec& s) { s.k = 20; }));
  BOOST_TEST(refused([](TableSpec& s) { s.k = 21; }));
  BOOST_TEST(refused([](TableSpec& s) { s.backends[1].weight = 0; }));
  BOOST_TEST(!refused([](TableSpec& s) { s.backends[1].weight = 65535; }));
  BOOST_TEST(refused([](TableSpec& s) { s.backends[1].weight = 65536; }));
  BOOST_TEST(!refused([](TableSpec& s) { s.slack_permille = 1'000'000; }));
  BOOST_TEST(refused([](TableSpec& s) { s.slack_permille = 1'000'001; }));
  BOOST_TEST(refused([](TableSpec& s) { s.backends.push_back(s.backends[0]); }));
  BOOST_TEST(!refused([](TableSpec& s) {
    s.backends.push_back(s.backends[0]);
    s.backends.back().port = 1;
  }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
