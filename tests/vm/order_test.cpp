// SPDX-License-Identifier: GPL-2.0-only
// A chain of xdp-filter, ours and a counter: who sees which packets, in whatever order they come
// and go.
#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <iostream>
#include <set>
#include <utility>

#include "tests/support/bpf_fixture.h"
#include "tests/vm/lab.h"

namespace xdplb::test {
namespace {

BOOST_AUTO_TEST_SUITE(order)

enum Who : unsigned { filter, ours, counter };
constexpr std::array everyone{filter, ours, counter};

bool& member(Members& members, Who who) {
  return who == filter ? members.filter : who == ours ? members.ours : members.counter;
}

// One chain, in which programs come and go. The services stay: maps are kept.
class Chain {
 public:
  Chain() {
    lab.require("xdp-lb load v0");
    lab.add_services("v0");
    lab.require("xdp-lb unload -k v0");
  }

  void toggle(Who who) {
    auto& in = member(members_, who);
    if (who == filter) in ? void(lab.require("xdp-filter unload v0")) : lab.load_filter("v0");
    if (who == ours) lab.require(in ? "xdp-lb unload -k v0" : "xdp-lb load v0");
    if (who == counter) in ? lab.unload_counter("v0") : lab.load_counter("v0");
    in = !in;
    check();
  }

  Lab lab;

 private:
  void check() {
    check_traffic(lab, "v0", members_);
    check_runs(lab, "v0", members_.ours);
    Words wanted;
    if (members_.filter) wanted.push_back("xdpfilt_alw_tcp");
    if (members_.ours) wanted.push_back("xdp_lb");
    if (members_.counter) wanted.push_back("xdp_count");
    BOOST_TEST(lab.names("v0") == wanted, boost::test_tools::per_element());
  }

  Members members_;
};

std::uint64_t forwarded(const Lab& lab, const std::string& service) {
  const auto stats = nlohmann::json::parse(lab.require("xdp-lb stats -j " + service));
  for (const auto& row : stats.at("services"))
    if (row.at("what") == "forwarded") return row.at("packets");
  return 0;
}

BOOST_AUTO_TEST_CASE(each_sees_what_those_before_it_leave, *boost::unit_test::label("smoke")) {
  Lab lab;
  lab.load_filter("v0");
  lab.require("xdp-lb load v0");
  lab.load_counter("v0");
  lab.add_services("v0");
  check_traffic(lab, "v0", {.filter = true, .ours = true, .counter = true});

  std::cout << lab.require("xdp-lb status") << lab.require("xdp-loader status")
            << lab.require("xdp-lb stats");
  const auto reasons =
      nlohmann::json::parse(lab.require("xdp-lb status -j")).at("reasons").at("ipv4");
  BOOST_TEST(reasons.at("forwarded").at("packets") == Lab::burst);
  BOOST_TEST(reasons.at("not-service").at("packets") == Lab::burst);
  BOOST_TEST(forwarded(lab, "192.0.2.10:80/tcp") == Lab::burst);
  BOOST_TEST(forwarded(lab, "192.0.2.10:81/tcp") == 0U);

  lab.require("xdp-filter unload v0");  // what it kept from us, we balance
  check_traffic(lab, "v0", {.filter = false, .ours = true, .counter = true});
  BOOST_TEST(forwarded(lab, "192.0.2.10:81/tcp") == Lab::burst);
}

// From every one of the eight chains that these three can make, every one comes or goes: 24
// changes in one walk.
BOOST_AUTO_TEST_CASE(every_change_of_every_chain) {
  constexpr std::array walk{filter,  filter, ours,    filter, filter,  ours,    counter, filter,
                            filter,  ours,   filter,  ours,   ours,    counter, ours,    counter,
                            counter, ours,   counter, filter, counter, counter, ours,    counter};
  Chain chain;
  std::set<std::pair<unsigned, Who>> changes;
  unsigned members = 0;
  for (const auto who : walk) {
    changes.emplace(members, who);
    members ^= 1U << who;
    chain.toggle(who);
  }
  BOOST_TEST(changes.size() == 24U);
}

boost::test_tools::assertion_result full(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result asked = full_counts();
  asked.message() << "XDPLB_TEST_FULL is not 1";
  return asked;
}

BOOST_AUTO_TEST_CASE(every_order_of_coming_and_going, *boost::unit_test::precondition(full)) {
  Chain chain;
  auto coming = everyone;
  do {
    auto going = everyone;
    do {
      for (const auto who : coming) chain.toggle(who);
      for (const auto who : going) chain.toggle(who);
    } while (std::ranges::next_permutation(going).found);
  } while (std::ranges::next_permutation(coming).found);
}

// What the other cases rely on: a change is seen where there is one.
BOOST_AUTO_TEST_CASE(the_checks_can_fail) {
  Lab lab;
  const auto empty = lab.world();
  lab.require("xdp-lb load v0");
  lab.add_services("v0");
  const auto loaded = lab.world();
  BOOST_TEST((loaded.pins != empty.pins));
  BOOST_TEST(loaded.programs[0] != empty.programs[0]);
  constexpr unsigned packets = 4;
  const auto wanted = expected({.ours = true}, packets);
  for (const Members& others :
       {Members{}, Members{.filter = true, .ours = true}, Members{.counter = true}}) {
    const auto seen = lab.exchange("v0", expected(others, packets), packets);
    BOOST_TEST(seen == wanted);
    BOOST_TEST(!(seen == expected(others, packets)));
  }
}

BOOST_AUTO_TEST_CASE(priority_and_actions_are_as_asked) {
  Lab lab;
  lab.load_filter("v0");
  lab.require("xdp-lb load -P 5 -A XDP_PASS,XDP_TX v0");  // before the filter
  lab.add_services("v0");
  BOOST_TEST(lab.names("v0") == (Words{"xdp_lb", "xdpfilt_alw_tcp"}),
             boost::test_tools::per_element());
  const auto first = lab.chain("v0").at("components").at(0);
  BOOST_TEST(first.at("priority") == 5U);
  BOOST_TEST(first.at("actions") == "XDP_PASS,XDP_TX");
  BOOST_TEST(first.at("ours") == true);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
