// SPDX-License-Identifier: GPL-2.0-only
// Changes of backends, and a thousand open connections: none breaks but those of a backend that
// died; with state none just those break whose slots moved, as the model says.
#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <random>

#include "tests/net/farmed.h"
#include "tests/support/bpf_fixture.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

std::string turn(int i) { return "web" + std::to_string(1 + i % 3); }

BOOST_AUTO_TEST_SUITE(survive)

BOOST_AUTO_TEST_CASE(adding_a_backend) {
  Farmed farmed;
  farmed.service.remove("web3", "--now");
  farmed.farm->exchange();
  farmed.refill();
  for (int i = 0; i < counts(2, 50); ++i) {
    farmed.service.add({3});
    farmed.survive_a_move();
    farmed.farm->renew(farmed.some);
    BOOST_TEST(farmed.survive().open("web3") > 0);
    farmed.service.remove("web3", "--now");
    farmed.lose("web3");
    farmed.refill();
  }
}

BOOST_DATA_TEST_CASE(draining_a_backend, data::make(families), family) {
  Farmed farmed("", family);
  for (int i = 0; i < counts(2, 50); ++i) {
    farmed.service.drain(turn(i));
    farmed.survive_without(turn(i));
    farmed.service.up(turn(i));
    farmed.survive();
    farmed.farm->renew(farmed.some);
  }
}

BOOST_AUTO_TEST_CASE(changing_weights) {
  Farmed farmed;
  for (int i = 0; i < counts(2, 50); ++i)
    for (const unsigned weight : {7U, 2U}) {
      farmed.service.set_weight(turn(i), weight);
      farmed.survive_a_move();
      farmed.farm->renew(farmed.some);
    }
}

BOOST_AUTO_TEST_CASE(flapping_within_an_epoch) {
  Farmed farmed;
  for (int i = 0; i < counts(2, 50); ++i) {
    for (int flap = 0; flap < 2; ++flap) {
      farmed.service.drain(turn(i));
      farmed.service.up(turn(i));
    }
    farmed.survive();
    for (const unsigned weight : {9U, 0U, 4U, 1U}) {
      farmed.service.set_weight(turn(i + 1), weight);
      farmed.farm->renew(farmed.some / 4);
    }
    farmed.survive();
  }
}

// Whatever changes, and however fast: some changes come before a packet was seen since the last.
BOOST_AUTO_TEST_CASE(changes_on_changes) {
  Farmed farmed("--on-down keep");
  std::mt19937_64 random(test_seed());
  for (int i = 0; i < counts(15, 500); ++i) {
    const auto name = turn(static_cast<int>(random() % 2));  // and web3 always takes what comes
    const auto step = random() % 5;
    if (step == 0) farmed.service.drain(name);
    if (step == 1) farmed.service.down(name);
    if (step == 2) farmed.service.up(name);
    if (step == 3) farmed.service.set_weight("web3", 1 + static_cast<unsigned>(random() % 9));
    if (step == 4) farmed.farm->renew(farmed.some);
    if (random() % 2 == 0) farmed.survive();
  }
  farmed.survive();
}

BOOST_AUTO_TEST_CASE(removing_a_backend) {
  Farmed farmed;
  const auto cut = "backend del --now " + farmed.service.id() + " " + web(3).address;
  for (int i = 0; i < counts(2, 50); ++i) {
    farmed.service.remove("web3");
    farmed.survive_without("web3");
    farmed.loader.require(cut);
    farmed.lose("web3");
    farmed.service.add({3});
    farmed.refill();
    farmed.farm->renew(farmed.all);  // a third of all is web3's again
  }
}

BOOST_AUTO_TEST_CASE(a_backend_that_is_down) {
  Farmed farmed("--on-down rehash");
  for (int i = 0; i < counts(2, 50); ++i) {
    farmed.service.down(turn(i));
    farmed.lose(turn(i));
    farmed.refill();
    farmed.service.up(turn(i));
    farmed.survive();
    farmed.farm->renew(farmed.some * 3);
  }
}

BOOST_AUTO_TEST_CASE(a_backend_that_is_down_keeps_its_flows) {
  Farmed farmed("--on-down keep");
  for (int i = 0; i < counts(2, 50); ++i) {
    farmed.service.down(turn(i));
    farmed.survive_without(turn(i));
    farmed.service.up(turn(i));
    farmed.survive();
    farmed.farm->renew(farmed.some);
  }
}

BOOST_AUTO_TEST_CASE(epochs_that_close) {
  Farmed farmed("--epoch 2");
  for (int i = 0; i < counts(1, 50); ++i) {
    farmed.service.drain(turn(i));
    farmed.survive_without(turn(i));
    BOOST_TEST(farmed.outlive_epoch(2) == 0);
    farmed.survive_without(turn(i));
    farmed.service.up(turn(i));
    farmed.survive();
    if (i % 2 == 1) BOOST_TEST(farmed.outlive_epoch(2) == 0);
    farmed.farm->renew(farmed.some);
  }
}

// A removed backend is there as long as its flows are.
BOOST_AUTO_TEST_CASE(a_backend_leaves_when_its_flows_have_ended) {
  Farmed farmed("--epoch 2");
  const auto& [all, some, site, loader, service, farm] = farmed;
  const auto address = web(3).address;
  const auto listed = [&] {
    loader.require("settle");
    const auto rows = loader.json("backend list " + service.id());
    return std::ranges::any_of(rows, [&](const auto& row) { return row.at("backend") == address; });
  };
  farmed.service.remove("web3");
  BOOST_TEST(farmed.outlive_epoch(2) == 0);
  BOOST_TEST(listed());
  farmed.farm->renew(farmed.all);
  BOOST_TEST(farmed.survive().open("web3") == 0);
  BOOST_TEST(wait_until([&] { return !listed(); }, 30));
  farmed.survive();
}

// Waiting tells what is left; that it was in vain is no error of the command.
BOOST_AUTO_TEST_CASE(a_drain_is_waited_for) {
  Farmed farmed("--epoch 2");
  const auto& [all, some, site, loader, service, farm] = farmed;
  const auto line = "backend drain " + service.id() + " " + web(1).address + " --wait";
  const auto in_vain = loader.run(line + " 0");
  BOOST_TEST(in_vain.status == 3, in_vain.err);
  BOOST_TEST(in_vain.out.starts_with("Flows left: at least "), in_vain.out);
  BOOST_TEST(in_vain.err.find("has flows left") != std::string::npos, in_vain.err);
  farmed.service.drain("web1");  // as it does already
  farmed.farm->renew(farmed.all);
  const auto done = loader.run(line);
  BOOST_TEST(done.status == 0, done.err);
  BOOST_TEST(done.out.ends_with("Flows left: 0\n"), done.out);
  farmed.survive();
}

// Without state, connections whose slot moves are lost, and no others: the farm sees losses.
BOOST_AUTO_TEST_CASE(without_state_the_moved_are_lost) {
  Farmed farmed("--state none");
  auto& service = farmed.service;
  const std::vector<std::function<void()>> changes{
      [&] { service.remove("web3"); },        [&] { service.add({3}); },
      [&] { service.set_weight("web1", 3); }, [&] { service.set_weight("web2", 0); },
      [&] { service.set_weight("web1", 1); }, [&] { service.set_weight("web2", 1); }};
  for (int i = 0; i < counts(1, 10); ++i)
    for (const auto& change : changes) {
      farmed.farm->renew(farmed.all);
      change();
      farmed.lose_the_moved();
      farmed.refill();
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
