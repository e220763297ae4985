// SPDX-License-Identifier: GPL-2.0-only
// What a plan says of flows and backends is what becomes of them.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <numeric>

#include "plugin/error.h"
#include "plugin/plan.h"
#include "tests/bpf/epoch_rig.h"

namespace xdplb::test {

namespace {

const auto planned_id = ServiceId::parse("192.0.2.10:80/tcp");

WantedService service_with(std::initializer_list<std::uint16_t> backends) {
  WantedService service{planned_id, default_options(planned_id), min_slots, {}};
  service.options.epoch = EpochRig::epoch;
  for (const auto number : backends) {
    BackendChange change;
    change.weight = 1;
    change.hop = hop_to(number);
    change.forward.emplace();
    service.backends.push_back({backend_id(number), change});
  }
  return service;
}

struct PlannedSite : EpochRig {
  PlannedSite() : EpochRig(1U << 20) {}

  void apply(const WantedService& wanted) { state().apply({wanted}); }
  // Nothing where nothing is to be done.
  [[nodiscard]] std::optional<ServicePlan> plan(const WantedService& wanted) const {
    const auto image = pins().image();
    State(image).apply({wanted});
    const auto plans = compare(pins(), image);
    return plans.empty() ? std::nullopt : std::optional(plans.at(0));
  }
  // Where flows go; one of each network.
  std::vector<std::uint16_t> send_all() {
    std::vector<std::uint16_t> all;
    for (unsigned i = 0; i < 256; i++)
      all.push_back(
          EpochRig::send(planned_id, {ip("198.51." + std::to_string(i) + ".7"), 5000}, Kind::data));
    return all;
  }
};

std::uint64_t moved(const std::vector<std::uint16_t>& before,
                    const std::vector<std::uint16_t>& after) {
  return std::inner_product(before.begin(), before.end(), after.begin(), std::uint64_t{0},
                            std::plus<>(), std::not_equal_to<>());
}

std::vector<BackendPlan> changed_backends(ServicePlan plan) {
  std::erase_if(plan.backends, [](const auto& one) { return one.what == Planned::same; });
  return plan.backends;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(plan)

BOOST_AUTO_TEST_CASE(another_hash_moves_flows_at_once) {
  for (const bool by_prefix : {false, true}) {
    PlannedSite site;
    auto wanted = service_with({1, 2, 3, 4});
    wanted.options.remember = Remember::always;
    site.apply(wanted);
    const auto before = site.send_all();
    BOOST_TEST_REQUIRE(site.entries().size() == before.size());
    if (by_prefix)
      wanted.options.source_prefix = 24;
    else
      wanted.options.fragments = Fragments::hash3;
    const auto plan = site.plan(wanted).value();
    BOOST_TEST(plan.new_hash);
    BOOST_TEST(plan.moves.empty());
    BOOST_TEST(plan.moved_slots() == 0.75 * plan.slots, boost::test_tools::tolerance(0.05));
    Plan whole;
    whole.services.push_back(plan);
    BOOST_CHECK_THROW(require_moves(whole, 70), Error);
    site.apply(wanted);
    constexpr double deviation = 7;
    const auto difference = static_cast<double>(moved(before, site.send_all())) -
                            static_cast<double>(plan.moved_flows());
    BOOST_TEST(std::abs(difference) < 5 * deviation);
  }
}

BOOST_AUTO_TEST_CASE(another_hash_moves_no_flow_of_a_single_backend) {
  PlannedSite site;
  auto wanted = service_with({1});
  site.apply(wanted);
  wanted.options.source_prefix = 24;
  const auto plan = site.plan(wanted).value();
  BOOST_TEST(plan.new_hash);
  BOOST_TEST(plan.moved_slots() == 0U);
  BOOST_TEST(plan.changes == std::vector<std::string>{"affinity flow -> 24"});
}

// Slots as before, but flows are remembered by another hash, and so no longer.
BOOST_AUTO_TEST_CASE(flows_that_are_no_longer_found_move) {
  PlannedSite site;
  auto wanted = service_with({1, 2});
  wanted.options.source_prefix = 32;
  wanted.options.fragments = Fragments::hash3;
  wanted.backends.pop_back();
  site.apply(wanted);
  const auto before = site.send_all();
  wanted.backends = service_with({1, 2}).backends;
  site.apply(wanted);
  for (int i = 0; i < 2; i++) {  // till slots no longer wait for flows
    BOOST_TEST(site.send_all() == before);
    site.age(600);
  }
  BOOST_TEST(site.send_all() == before);
  wanted.options.fragments = Fragments::drop;
  const auto plan = site.plan(wanted).value();
  BOOST_TEST(!plan.new_hash);
  site.apply(wanted);
  BOOST_TEST(plan.moved_flows() == moved(before, site.send_all()));
  BOOST_TEST(plan.moved_flows() > 0U);
}

// It was removed by the change before.
BOOST_AUTO_TEST_CASE(a_backend_whose_drain_is_over_is_no_change) {
  PlannedSite site;
  const auto both = service_with({1, 2});
  site.apply(service_with({1, 2, 3}));
  site.send_all();
  site.apply(both);
  site.send_all();
  BOOST_TEST(!site.plan(both));
  site.age(2 * EpochRig::epoch);
  BOOST_TEST_REQUIRE(site.state().backends(0).size() == 3U);
  BOOST_TEST(!site.plan(both));
  const auto again = changed_backends(site.plan(service_with({1, 2, 3})).value());
  BOOST_TEST_REQUIRE(again.size() == 1U);
  BOOST_TEST((again[0].what == Planned::changed));
  BOOST_TEST(again[0].changes == std::vector<std::string>{"state leaving -> up"});
}

BOOST_AUTO_TEST_CASE(a_backend_that_gets_anothers_handle_is_not_the_other) {
  PlannedSite site;
  site.apply(service_with({1, 2, 3, 4}));
  site.send_all();
  site.apply(service_with({1, 2}));
  site.age(2 * EpochRig::epoch);
  BOOST_TEST_REQUIRE(site.state().backends(0).size() == 4U);
  const auto wanted = service_with({1, 2, 5, 6});
  const auto plan = site.plan(wanted).value();
  const auto changed = changed_backends(plan);
  BOOST_TEST_REQUIRE(changed.size() == 2U);
  for (const auto& one : changed) {
    BOOST_TEST((one.what == Planned::added));
    BOOST_TEST(one.changes.empty());
  }
  BOOST_TEST((changed[0].id == backend_id(5)));
  BOOST_TEST((changed[1].id == backend_id(6)));
  for (const auto& move : plan.moves) BOOST_TEST((move.from && move.to && move.from < move.to));
  site.apply(wanted);
  for (const auto& one : site.state().backends(0)) BOOST_TEST(one.handle <= 4U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
