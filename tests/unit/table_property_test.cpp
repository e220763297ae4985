// SPDX-License-Identifier: GPL-2.0-only

// What holds for every table, tried on random ones. A failure prints the seed of its case;
// TABLE_TEST_SEED=N in the environment runs the comparison with the naive table for that one
// alone.

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstdlib>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "plugin/table.h"
#include "tests/support/naive_table.h"

namespace xdplb {

std::ostream& operator<<(std::ostream& out, const TableSpec& spec) {
  constexpr std::array balances = {"slack", "exact", "off"};
  out << "k " << spec.k << ", " << balances[static_cast<std::size_t>(spec.balance)] << " "
      << spec.slack_permille << ", second " << spec.second << ", " << spec.backends.size()
      << " backends:";
  for (const TableBackend& b : spec.backends) {
    out << " " << b.weight << (b.drain ? "d" : "") << (b.healthy ? "" : "u");
  }
  return out;
}

namespace {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t any() { return engine_(); }
  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(engine_() % end); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

  template <class T, std::size_t N>
  T pick(const std::array<T, N>& choices) {
    return choices[below(N)];
  }

 private:
  std::mt19937_64 engine_;
};

std::uint32_t random_weight(Random& random, std::uint32_t kind, std::size_t i) {
  switch (kind) {
    case 0:
      return 1;
    case 1:
      return 1 + random.below(4);
    case 2:
      return std::uint32_t{1} << random.below(16);
    case 3:
      return i == 0 ? max_weight : 1;
    default:
      return 1 + random.below(max_weight);
  }
}

// Addresses in a row, IPv6 ones at random, or one address with many ports.
TableBackend random_backend(Random& random, std::uint32_t kind, std::size_t i) {
  TableBackend b{{}, 0, 1};
  b.addr[10] = b.addr[11] = 0xff;
  b.addr[12] = 10;
  if (kind == 0) {
    b.addr[14] = static_cast<std::uint8_t>(i >> 8);
    b.addr[15] = static_cast<std::uint8_t>(i);
  } else if (kind == 1) {
    for (std::uint8_t& byte : b.addr) byte = static_cast<std::uint8_t>(random.any());
  } else {
    b.port = static_cast<std::uint16_t>(i);
  }
  return b;
}

void add_backends(TableSpec& spec, Random& random, std::size_t count) {
  const std::uint32_t weights = random.below(5);
  const std::uint32_t addresses = random.below(3);
  const std::uint32_t drains = random.pick(std::array{0u, 0u, 2u, 20u});
  const std::uint32_t failures = random.pick(std::array{0u, 0u, 1u, 2u, 20u});
  for (std::size_t i = 0; i < count; ++i) {
    TableBackend b = random_backend(random, addresses, i);
    b.weight = random_weight(random, weights, i);
    b.drain = drains != 0 && random.one_in(drains);
    b.healthy = failures == 0 || !random.one_in(failures);
    spec.backends.push_back(b);
  }
}

TableSpec random_spec(Random& random) {
  TableSpec spec{random.any(), 8};
  while (spec.k < 14 && random.one_in(3)) ++spec.k;
  spec.balance = random.pick(std::array{Balance::slack, Balance::exact, Balance::off});
  spec.slack_permille = random.pick(std::array{0u, 1u, 10u, 50u, 50u, 250u, 1000u, 1'000'000u});
  spec.second = random.one_in(2);
  // As many backends as keep the naive table quick.
  const std::uint32_t most = std::min(400u, 400'000u >> spec.k);
  add_backends(spec, random, 1 + random.below(random.one_in(2) ? 12 : most));
  return spec;
}

// A spec in which every backend serves and that has no caps.
TableSpec random_serving_spec(Random& random, std::uint32_t most) {
  TableSpec spec{random.any(), 10 + random.below(3)};
  spec.balance = Balance::off;
  spec.second = true;
  add_backends(spec, random, 2 + random.below(most - 1));
  for (TableBackend& b : spec.backends) {
    b.drain = false;
    b.healthy = true;
  }
  return spec;
}

struct Moves {
  std::size_t all = 0;
  std::size_t needless = 0;
  std::size_t lost = 0;  // moved, but the second backend is not the old or new first as promised
};

// Tables before and after a change of the last backend. A move must be to it if it gains, from it
// if not. A moved slot's new second is its old first, or if the backend left for good, its new
// first is the old second.
Moves moves(const TableSpec& before, const TableSpec& after, bool gains) {
  const Table x = build_table(before);
  const Table y = build_table(after);
  const auto changed =
      static_cast<std::uint16_t>(std::max(before.backends.size(), after.backends.size()) - 1);
  const bool removed = after.backends.size() < before.backends.size();
  Moves result;
  for (std::size_t slot = 0; slot < x.first.size(); ++slot) {
    if (x.first[slot] == y.first[slot]) continue;
    ++result.all;
    result.needless += (gains ? y.first[slot] : x.first[slot]) != changed;
    result.lost += removed ? y.first[slot] != x.second[slot] : y.second[slot] != x.first[slot];
  }
  return result;
}

std::string difference(const Table& built, const Table& naive) {
  for (std::size_t slot = 0; slot < naive.first.size(); ++slot) {
    if (built.first[slot] != naive.first[slot]) return "first of slot " + std::to_string(slot);
  }
  for (std::size_t slot = 0; slot < naive.second.size(); ++slot) {
    if (built.second[slot] != naive.second[slot]) return "second of slot " + std::to_string(slot);
  }
  return "caps_binding or a size";
}

void compare_with_naive(std::uint64_t seed) {
  Random random(seed);
  const TableSpec spec = random_spec(random);
  const Table built = build_table(spec);
  const Table naive = test::naive_table(spec);
  BOOST_TEST((built == naive), "TABLE_TEST_SEED=" << seed << ": " << spec << ": differ in "
                                                  << difference(built, naive));
}

BOOST_AUTO_TEST_SUITE(table_property)

BOOST_AUTO_TEST_CASE(equals_the_naive_table) {
  if (const char* seed = std::getenv("TABLE_TEST_SEED")) {
    compare_with_naive(std::strtoull(seed, nullptr, 10));
    return;
  }
  for (std::uint64_t seed = 1; seed <= 1600; ++seed) compare_with_naive(seed);
}

BOOST_AUTO_TEST_CASE(order_of_configuration_is_irrelevant) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    TableSpec spec = random_spec(random);
    const Table table = build_table(spec);

    std::vector<std::uint16_t> order(spec.backends.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint16_t>(i);
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
    }
    TableSpec shuffled = spec;
    for (std::size_t i = 0; i < order.size(); ++i) shuffled.backends[i] = spec.backends[order[i]];
    Table again = build_table(shuffled);
    for (auto* entries : {&again.first, &again.second}) {
      for (std::uint16_t& index : *entries) {
        if (index != no_backend) index = order[index];
      }
    }
    BOOST_TEST((again == table), "seed " << seed << ": " << spec);
  }
}

BOOST_AUTO_TEST_CASE(no_needless_move_without_caps) {
  Moves added, removed, drained, raised, lowered;
  const auto sum = [](Moves& total, const Moves& m) {
    total = {total.all + m.all, total.needless + m.needless, total.lost + m.lost};
  };
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    TableSpec many = random_serving_spec(random, 150);
    TableBackend& last = many.backends.back();
    last.weight = 1 + last.weight / 2;
    TableSpec few = many, heavy = many, drain = many;
    few.backends.pop_back();
    heavy.backends.back().weight = std::min(2 * last.weight, max_weight);
    drain.backends.back().drain = true;
    sum(added, moves(few, many, true));
    sum(removed, moves(many, few, false));
    sum(drained, moves(many, drain, false));
    sum(raised, moves(many, heavy, true));
    sum(lowered, moves(heavy, many, false));
  }
  for (const Moves& m : {added, removed, drained, raised, lowered}) {
    BOOST_TEST(m.all > 1000u);
    BOOST_TEST(m.needless == 0u);
  }
  for (const Moves& m : {added, removed, drained, raised}) BOOST_TEST(m.lost == 0u);
}

// Few equal backends stay within 5 % of slack, and the promise is kept by the default balance.
BOOST_AUTO_TEST_CASE(no_needless_move_while_caps_do_not_bind) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    TableSpec few{seed, 16};
    Random random(seed);
    for (std::size_t i = 0; i < 5; ++i) few.backends.push_back(random_backend(random, 0, i));
    few.second = true;
    TableSpec many = few;
    many.backends.push_back(random_backend(random, 0, 5));
    BOOST_TEST(!build_table(few).caps_binding);
    BOOST_TEST(!build_table(many).caps_binding);
    const Moves m = moves(few, many, true);
    BOOST_TEST(m.all > 10'000u);
    BOOST_TEST(m.needless == 0u);
    BOOST_TEST(m.lost == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_failed_backend_moves_its_own_slots_alone) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    TableSpec spec = random_serving_spec(random, 40);
    spec.balance = random.pick(std::array{Balance::slack, Balance::exact, Balance::off});
    const Table before = build_table(spec);
    const auto failed =
        static_cast<std::uint16_t>(random.below(static_cast<std::uint32_t>(spec.backends.size())));
    spec.backends[failed].healthy = false;
    const Table after = build_table(spec);

    std::size_t wrong = 0;
    for (std::size_t slot = 0; slot < before.first.size(); ++slot) {
      wrong += (before.first[slot] != after.first[slot]) != (before.first[slot] == failed);
      wrong += after.first[slot] == after.second[slot];
    }
    BOOST_TEST(wrong == 0u, "seed " << seed << ": " << spec);

    for (TableBackend& b : spec.backends) b.healthy = false;
    BOOST_TEST((build_table(spec) == before), "seed " << seed << ": none is healthy");
  }
}

BOOST_AUTO_TEST_CASE(caps_hold) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    TableSpec spec = random_serving_spec(random, 150);
    for (const Balance balance : {Balance::slack, Balance::exact}) {
      spec.balance = balance;
      const Table table = build_table(spec);
      std::vector<std::uint64_t> counts(spec.backends.size());
      for (const std::uint16_t index : table.first) ++counts.at(index);
      std::uint64_t total = 0;
      for (const TableBackend& b : spec.backends) total += b.weight;
      for (std::size_t i = 0; i < counts.size(); ++i) {
        const std::uint64_t share = table.first.size() * spec.backends[i].weight;
        if (balance == Balance::exact) {
          BOOST_TEST(counts[i] >= share / total);
          BOOST_TEST(counts[i] <= share / total + 1);
        } else {
          BOOST_TEST(counts[i] <= share * 1050 / (1000 * total) + 1);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
