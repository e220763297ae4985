// SPDX-License-Identifier: GPL-2.0-only
// Two nodes have the same hash of tables exactly when they send every new flow to the same backend.
#include "plugin/digest.h"

#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/bpf/epoch_rig.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(digest)

namespace {

const auto id = ServiceId::parse("192.0.2.10:80/tcp");

struct Node : EpochRig {
  explicit Node(std::uint8_t key = 7) : EpochRig(1U << 18) {
    std::ranges::fill(pins().meta().cluster_key, key);
  }
  void add(const std::vector<std::uint16_t>& numbers, bool second_chance = false) {
    ServiceChange options;
    options.second_chance = second_chance;
    add_epoch_service(id, options);
    for (const auto number : numbers)
      add_backend(id.to_string(), backend_id(number).to_string(), number);
  }
  [[nodiscard]] Digest digest() const { return digest_of(pins()); }
  [[nodiscard]] unsigned wrong() const { return digest().services.at(0).wrong; }

  // Where each of many new flows goes.
  std::vector<std::uint16_t> decisions() {
    std::vector<std::uint16_t> all;
    for (std::uint16_t sport = 1; sport < 500; sport++)
      all.push_back(send(id, {ip("198.51.100.9"), sport}, Kind::syn));
    return all;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(equal_where_decisions_are) {
  Node one;
  Node two;
  one.add({1, 2, 3});
  two.add({3, 9, 1, 2});
  BOOST_TEST(one.digest().tables != two.digest().tables);
  BOOST_TEST((one.decisions() != two.decisions()));
  two.state().delete_backend(id, backend_id(9), Removal::now);  // by another way, other handles
  BOOST_TEST(one.digest().tables == two.digest().tables);
  BOOST_TEST((one.decisions() == two.decisions()));
  BackendChange weight;
  weight.weight = 2;
  one.state().set_backend(id, backend_id(1), weight);
  BOOST_TEST(one.digest().tables != two.digest().tables);
  two.state().set_backend(id, backend_id(1), weight);
  BOOST_TEST(one.digest().tables == two.digest().tables);
  one.state().set_backend(id, backend_id(1), to(BackendState::drain));
  two.state().set_backend(id, backend_id(1), to(BackendState::down));
  BOOST_TEST(one.digest().tables == two.digest().tables);
  BOOST_TEST((one.decisions() == two.decisions()));
}

BOOST_AUTO_TEST_CASE(another_key_decides_otherwise) {
  Node one;
  Node two(8);
  one.add({1});
  two.add({1});
  BOOST_TEST(one.digest().tables != two.digest().tables);
}

BOOST_AUTO_TEST_CASE(epochs_are_told_apart) {
  Node one;
  Node two;
  one.add({1, 2});
  two.add({1});
  two.send(id, {ip("198.51.100.9"), 1}, Kind::syn);
  two.add_backend(id.to_string(), "10.0.0.2", 2);
  BOOST_TEST(two.changed_slots(id) > 0U);
  BOOST_TEST(one.digest().tables == two.digest().tables);
  BOOST_TEST(one.digest().epochs != two.digest().epochs);
}

// Nor is a backend that has left a second choice.
BOOST_AUTO_TEST_CASE(second_choices_follow_the_backends) {
  Node one;
  Node two;
  Node without;
  one.add({1, 2, 3}, true);
  two.add({1, 2, 3, 4}, true);
  without.add({1, 2, 3});
  two.send(id, {ip("198.51.100.9"), 1}, Kind::syn);
  two.state().delete_backend(id, backend_id(4), Removal::drained);
  BOOST_TEST(one.digest().epochs != two.digest().epochs);
  two.age(2 * EpochRig::epoch);
  two.state().settle();
  BOOST_TEST(two.state().backends(0).size() == 3U);
  BOOST_TEST(one.digest().tables == two.digest().tables);
  BOOST_TEST(one.digest().epochs == two.digest().epochs);
  BOOST_TEST(one.digest().tables == without.digest().tables);
  BOOST_TEST(one.digest().epochs != without.digest().epochs);
  const auto seconds = two.state().seconds_of(two.state().service(id));
  BOOST_TEST(seconds.size() == two.state().service(id).slots);
  BOOST_TEST(std::ranges::count(seconds, 0) == 0);
}

BOOST_AUTO_TEST_CASE(a_wrong_slot_is_found) {
  Node node;
  node.add({1, 2});
  BOOST_TEST(node.wrong() == 0U);
  const auto before = node.digest();
  auto& slot = node.slots(id)[17];
  const auto kept = slot;
  slot.current = slot.previous = static_cast<std::uint16_t>(slot.current == 1 ? 2 : 1);
  BOOST_TEST(node.wrong() == 1U);
  BOOST_TEST(node.digest().tables != before.tables);
  slot = kept;
  BOOST_TEST(node.digest().tables == before.tables);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
