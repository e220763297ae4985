// SPDX-License-Identifier: GPL-2.0-only
// A configuration is applied to an image of the maps and to the maps: the plan that the first gives
// is what the second does, and it is what the same changes do one by one.
#include "plugin/plan.h"

#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <random>

#include "plugin/error.h"
#include "tests/bpf/epoch_rig.h"
#include "tests/bpf/picture.h"
#include "tests/bpf/store_trap.h"

namespace xdplb::test {

namespace {

constexpr std::uint16_t most_backends = 9;

BackendChange wanted_change(std::uint16_t number, unsigned weight) {
  BackendChange change;
  change.weight = weight;
  change.hop = hop_to(number);
  change.forward.emplace();
  return change;
}

ServiceId planned_service(unsigned number) {
  return ServiceId::parse("192.0.2." + std::to_string(10 + number) + ":80/tcp");
}

// Any services, backends, weights, states and options.
std::vector<WantedService> random_wanted(std::mt19937_64& random) {
  const auto pick = [&](std::size_t below) { return static_cast<unsigned>(random() % below); };
  std::vector<WantedService> all;
  for (unsigned number = 0; number < 3; number++) {
    if (pick(5) == 0) continue;
    WantedService service{
        planned_service(number), default_options(planned_service(number)), min_slots, {}};
    service.options.epoch = EpochRig::epoch;
    service.options.balance = pick(2) == 0 ? Balance::off : Balance::slack;
    service.options.on_down = pick(2) == 0 ? OnDown::keep : OnDown::rehash;
    for (std::uint16_t backend = 1; backend <= most_backends; backend++) {
      if (pick(2) == 0) continue;
      auto change = wanted_change(backend, 1 + pick(3));
      if (pick(3) == 0)
        change.state =
            std::array{BackendState::up, BackendState::drain, BackendState::down}.at(pick(3));
      service.backends.push_back({backend_id(backend), change});
    }
    all.push_back(service);
  }
  return all;
}

struct Site : EpochRig {
  Site() : EpochRig(1U << 20) {}

  // New flows, and packets of those that there are.
  void talk(std::mt19937_64& random) {
    for (int i = 0; i < 300; i++) {
      const EpochModel::Flow flow{ip("198.51.100.7"), static_cast<std::uint16_t>(random() % 400)};
      for (unsigned number = 0; number < 3; number++)
        EpochRig::send(planned_service(number), flow, i % 3 == 0 ? Kind::syn : Kind::data);
    }
  }
};

// The plan in few words, without names of changes.
struct Numbers {
  std::map<std::pair<std::string, std::string>, std::pair<unsigned, std::uint64_t>> moves;
  std::map<std::string, std::pair<unsigned, unsigned>> shares;
  Planned what;
  bool operator==(const Numbers&) const = default;
};

std::map<ServiceId, Numbers> numbers_of(const std::vector<ServicePlan>& plans) {
  std::map<ServiceId, Numbers> all;
  for (const auto& plan : plans) {
    auto& numbers = all[plan.id];
    numbers.what = plan.what;
    for (const auto& move : plan.moves)
      numbers
          .moves[{move.from ? move.from->to_string() : "", move.to ? move.to->to_string() : ""}] = {
          move.slots, move.flows};
    for (const auto& backend : plan.backends)
      numbers.shares[backend.id.to_string()] = {backend.before, backend.after};
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(plan)

BOOST_AUTO_TEST_CASE(a_plan_is_what_applying_does) {
  Site site;
  std::mt19937_64 random(test_seed());
  std::size_t moves = 0;
  std::uint64_t flows = 0;
  for (int round = 0; round < (full_counts() ? 400 : 40); round++) {
    const auto wanted = random_wanted(random);
    const auto before = site.pins().image();
    const auto image = site.pins().image();
    State(image).apply(wanted);
    const auto planned = compare(before, image);
    BOOST_TEST((numbers_of(compare(before, site.pins())) == numbers_of({})));
    site.state().apply(wanted);
    BOOST_TEST((numbers_of(compare(before, site.pins())) == numbers_of(planned)));
    for (const auto& service : planned) {
      moves += service.moved_slots();
      flows += service.moved_flows();
    }
    // Nothing is left to do, and nothing is written.
    const Picture now(site);
    site.state().apply(wanted);
    BOOST_TEST((Picture(site) == now));
    site.talk(random);
    if (round % 7 == 0) site.age(600);
  }
  BOOST_TEST(moves > 0U);
  BOOST_TEST(flows > 0U);
}

BOOST_AUTO_TEST_CASE(an_image_changes_no_map) {
  Site site;
  std::mt19937_64 random(test_seed());
  site.state().apply(random_wanted(random));
  site.talk(random);
  const Picture now(site);
  const auto counters = counter_bytes(site);
  for (int round = 0; round < 20; round++) State(site.pins().image()).apply(random_wanted(random));
  BOOST_TEST((Picture(site) == now));
  BOOST_TEST((counter_bytes(site) == counters));
}

// Tables are those that the commands, one after the other, make.
BOOST_AUTO_TEST_CASE(one_step_or_many) {
  Site at_once;
  Site step_by_step;
  const auto id = planned_service(0);
  WantedService wanted{id, default_options(id), min_slots, {}};
  std::ranges::copy(step_by_step.pins().meta().cluster_key, at_once.pins().meta().cluster_key);
  ServiceChange slots;
  slots.slots = min_slots;
  step_by_step.state().add_service(id, slots);
  for (std::uint16_t number = 1; number <= most_backends; number++) {
    wanted.backends.push_back({backend_id(number), wanted_change(number, number)});
    step_by_step.state().add_backend(id, backend_id(number), wanted_change(number, number));
  }
  at_once.state().apply({wanted});
  BOOST_TEST(meaning(at_once) == meaning(step_by_step));
  step_by_step.state().delete_backend(id, backend_id(4), Removal::drained);
  step_by_step.state().set_backend(id, backend_id(5), to(BackendState::drain));
  wanted.backends.erase(wanted.backends.begin() + 3);
  wanted.backends.at(3).change.state = BackendState::drain;
  at_once.state().apply({wanted});
  BOOST_TEST(meaning(at_once) == meaning(step_by_step));
}

BOOST_AUTO_TEST_CASE(what_is_not_said_stays) {
  Site site;
  const auto id = planned_service(0);
  WantedService wanted{id, default_options(id), std::nullopt, {}};
  wanted.backends = {{backend_id(1), wanted_change(1, 1)}, {backend_id(2), wanted_change(2, 1)}};
  site.state().apply({wanted});
  site.state().set_backend(id, backend_id(1), to(BackendState::down));
  wanted.backends[0].change.weight = 5;
  site.state().apply({wanted});
  const auto backends = site.state().backends(0);
  BOOST_TEST((backends.at(0).state == BackendState::down));
  BOOST_TEST(backends.at(0).weight == 5U);
  wanted.slots = 512;
  const Picture now(site);
  BOOST_CHECK_THROW(site.state().apply({wanted}), Error);
  BOOST_TEST((Picture(site) == now));
}

// However many services are wanted, what fits can be deleted again, and what doesn't is said.
BOOST_AUTO_TEST_CASE(an_arena_is_never_full) {
  Site site;
  std::vector<WantedService> wanted;
  for (const unsigned slots : {16384U, 1024U, 256U})
    for (bool fits = true; fits;) {
      const auto id = planned_service(static_cast<unsigned>(wanted.size()));
      wanted.push_back({id, default_options(id), slots, {}});
      try {
        State(site.pins().image()).apply(wanted);
      } catch (const Error& error) {
        fits = false;
        const std::string what = error.what();
        BOOST_TEST(what.starts_with("service " + id.to_string() + " needs "));
        BOOST_TEST(what.find("larger --arena") != std::string::npos);
        wanted.pop_back();
      }
    }
  BOOST_TEST_REQUIRE(wanted.size() > 5U);
  site.state().apply(wanted);
  for (const auto& service : site.state().services()) site.state().delete_service(service.id);
  BOOST_TEST(site.state().services().empty());
}

BOOST_AUTO_TEST_CASE(a_death_anywhere_is_completed_by_the_same_again,
                     *boost::unit_test::precondition(traps)) {
  Site site;
  std::mt19937_64 random(test_seed());
  site.state().apply(random_wanted(random));
  site.talk(random);
  const auto wanted = random_wanted(random);
  const Picture start(site);
  const std::vector<std::uint64_t> entries(site.all_entries().begin(), site.all_entries().end());
  const auto restart = [&] {
    start.put_back(site);
    std::ranges::copy(entries, site.all_entries().begin());
  };
  const auto change = [&] { site.state().apply(wanted); };
  const auto stores = run_until(site, {0, Moment::before}, change).stores;
  const auto whole = meaning(site);
  BOOST_TEST_REQUIRE(stores > 50U);
  const unsigned step = full_counts() ? 1 : 1 + stores / 30;
  for (unsigned store = 1; store <= stores; store += step)
    BOOST_TEST_CONTEXT("store " << store << " of " << stores) {
      restart();
      BOOST_TEST_REQUIRE(run_until(site, {store, Moment::after}, change).died);
      change();
      BOOST_TEST(meaning(site) == whole);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
