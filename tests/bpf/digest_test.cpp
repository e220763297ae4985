// SPDX-License-Identifier: GPL-2.0-only
// Whether two nodes send every new flow to the same backend, for good and now, is in their hashes.
#include "plugin/digest.h"

#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <tuple>

#include "tests/bpf/epoch_rig.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(digest)

namespace {

const auto id = ServiceId::parse("192.0.2.10:80/tcp");
const auto dns = ServiceId::parse("192.0.2.10:53/udp");

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

  // A service without connections, whose slots change for a second backend while it has flows.
  void change(const ServiceId& service, ServiceChange options = {}) {
    add_epoch_service(service, std::move(options));
    add_backend(service.to_string(), "10.0.0.1", 1);
    send(service, {ip("198.51.100.9"), 1}, Kind::syn);
    add_backend(service.to_string(), "10.0.0.2", 2);
  }

  // Where each of many new flows goes; others for each net.
  std::vector<std::uint16_t> decisions(const ServiceId& service = id, int net = 0) {
    std::vector<std::uint16_t> all;
    for (std::uint16_t i = 1; i < 500; i++) {
      const auto host = std::to_string(net) + "." + std::to_string(i % 250 + 1);
      all.push_back(send(service, {ip("198.18." + host), i}, Kind::syn));
    }
    return all;
  }
};

}  // namespace

// It is no second choice any more, of the table that is made while it leaves.
BOOST_AUTO_TEST_CASE(equal_when_a_backend_without_flows_is_gone) {
  Node one;
  Node two;
  one.add({1, 2, 3}, true);
  two.add({1, 2}, true);
  one.state().delete_backend(id, backend_id(3), Removal::drained);
  BOOST_TEST(one.state().is_settled());
  BOOST_TEST(one.digest().epochs == two.digest().epochs);
}

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

// Of these protocols' new flows, those of TCP go by the tables in an epoch too, but without ports.
BOOST_AUTO_TEST_CASE(new_flows_in_an_epoch) {
  ServiceChange hash3;
  hash3.fragments = Fragments::hash3;
  for (const auto& [service, options, differ] :
       {std::tuple{id, ServiceChange{}, false}, {dns, ServiceChange{}, true}, {id, hash3, true}}) {
    Node fresh;
    Node changed;
    fresh.add_epoch_service(service, options);
    for (const std::string backend : {"1", "2"})
      fresh.add_backend(service.to_string(), "10.0.0." + backend, backend[0] - '0');
    changed.change(service, options);
    const auto one = fresh.digest();
    const auto two = changed.digest();
    BOOST_TEST(one.tables == two.tables);
    BOOST_TEST(one.epochs != two.epochs);
    BOOST_TEST((one.services[0].new_flows != two.services[0].new_flows) == differ);
    BOOST_TEST(one.services[0].seconds == 0U);
    BOOST_TEST(two.services[0].seconds >= EpochRig::epoch);
    BOOST_TEST((fresh.decisions(service, 1) != changed.decisions(service, 1)) == differ);
  }
}

// Nothing is written when a slot's deadline passes.
BOOST_AUTO_TEST_CASE(an_epoch_that_is_over_differs_from_one_that_is_not) {
  ServiceChange longer;
  longer.epoch = 5 * EpochRig::epoch;
  Node one;
  Node two;
  one.change(dns);
  two.change(dns, longer);
  BOOST_TEST(one.digest().epochs == two.digest().epochs);
  BOOST_TEST((one.decisions(dns, 1) == two.decisions(dns, 1)));
  for (auto* node : {&one, &two}) node->age(2 * EpochRig::epoch);
  BOOST_TEST((one.decisions(dns, 2) != two.decisions(dns, 2)));
  BOOST_TEST(one.digest().tables == two.digest().tables);
  BOOST_TEST(one.digest().epochs != two.digest().epochs);
  BOOST_TEST(one.digest().services[0].new_flows != two.digest().services[0].new_flows);
  for (auto* node : {&one, &two}) node->age(6 * EpochRig::epoch);
  BOOST_TEST((one.decisions(dns, 3) == two.decisions(dns, 3)));
  BOOST_TEST(one.digest().epochs == two.digest().epochs);
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
