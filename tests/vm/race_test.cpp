// SPDX-License-Identifier: GPL-2.0-only
// Others change chains at the same time, or take the interface away.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>

#include "tests/support/bpf_fixture.h"
#include "tests/vm/lab.h"
#include "tests/vm/traced.h"

namespace xdplb::test {
namespace {

constexpr int crowd = 6;

BOOST_AUTO_TEST_SUITE(race)

std::vector<Outcome> run_at_once(const Lab& lab, const Words& lines) {
  std::vector<std::future<Outcome>> running;
  for (const auto& line : lines)
    running.push_back(std::async(std::launch::async, [&] { return lab.run(line); }));
  std::vector<Outcome> outcomes;
  for (auto& one : running) outcomes.push_back(one.get());
  return outcomes;
}

BOOST_AUTO_TEST_CASE(six_first_loads_on_six_interfaces) {
  Lab lab(crowd);
  Words lines;
  for (int i = 0; i < crowd; ++i) lines.push_back("xdp-lb load v" + std::to_string(i));
  for (const auto& outcome : run_at_once(lab, lines)) BOOST_TEST(outcome.status == 0, outcome.err);
  for (int i = 0; i < crowd; ++i) check_runs(lab, "v" + std::to_string(i), true);
  lab.add_services("v5");
  check_traffic(lab, "v5", {.ours = true});
}

// xdp-loader with a /run of its own: where it finds another's lock file, it gives up at once.
const std::string other_load = "unshare -m /vm/out/unlocked-load";

void write_other_load() {
  const std::string file = "/vm/out/unlocked-load";
  std::ofstream(file) << "#!/bin/sh\nmount -t tmpfs tmpfs /run\nexec xdp-loader load v0 "
                      << counter_file << '\n';
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
}

BOOST_AUTO_TEST_CASE(six_first_loads_on_one_interface) {
  write_other_load();
  const int rounds = full_counts() ? 10 : 2;
  for (int round = 0; round < rounds; ++round) {
    Lab lab;
    Words lines(crowd - 1, other_load);
    lines.insert(lines.begin() + round % crowd, "xdp-lb load v0");
    const auto outcomes = run_at_once(lab, lines);
    std::ptrdiff_t loaded = 0;
    for (int i = 0; i < crowd; ++i) {
      const auto& outcome = outcomes[static_cast<std::size_t>(i)];
      if (i == round % crowd)
        BOOST_TEST(outcome.status == 0, outcome.err);
      else
        loaded += outcome.status == 0 ? 1 : 0;
    }
    check_runs(lab, "v0", true);
    const auto names = lab.names("v0");
    BOOST_TEST_MESSAGE(loaded << " of the others were loaded as well");
    BOOST_TEST(std::ranges::count(names, "xdp_lb") == 1);
    BOOST_TEST(std::ranges::count(names, "xdp_count") == loaded);
    std::filesystem::remove("/run/xdp-loader.lck");
  }
}

BOOST_AUTO_TEST_CASE(two_of_ours_on_one_interface) {
  Lab lab;
  const auto outcomes = run_at_once(lab, {"xdp-lb load v0", "xdp-lb load v0"});
  BOOST_TEST(outcomes[0].status + outcomes[1].status == 2);  // 0 and 2
  const auto& refused = outcomes[outcomes[0].status == 0 ? 1 : 0];
  BOOST_TEST((refused.err.find("loaded on v0 already") != std::string::npos), refused.err);
  BOOST_TEST(lab.names("v0") == Words{"xdp_lb"}, boost::test_tools::per_element());
}

// Does something right before the loader attaches.
Traced load_with(const Lab& lab, const std::function<void()>& meanwhile) {
  bool done = false;
  return run_traced(lab.host, split("xdp-lb load v0"), [&](unsigned, Change change) {
    if (change == Change::netlink && !std::exchange(done, true)) meanwhile();
    return At::go_on;
  });
}

BOOST_AUTO_TEST_CASE(another_program_comes_first) {
  Lab lab;
  const auto traced = load_with(lab, [&] { lab.load_counter("v0"); });
  BOOST_TEST(traced.status == 0, traced.out);
  lab.add_services("v0");
  BOOST_TEST(lab.names("v0") == (Words{"xdp_lb", "xdp_count"}), boost::test_tools::per_element());
  check_traffic(lab, "v0", {.ours = true, .counter = true});
}

BOOST_AUTO_TEST_CASE(the_chain_changes_meanwhile) {
  Lab lab;
  lab.load_filter("v0");
  const auto traced = load_with(lab, [&] { lab.load_counter("v0"); });
  BOOST_TEST(traced.status == 0, traced.out);
  lab.add_services("v0");
  check_traffic(lab, "v0", {.filter = true, .ours = true, .counter = true});
}

BOOST_AUTO_TEST_CASE(the_interface_vanishes_meanwhile) {
  Lab lab;
  const auto traced = load_with(lab, [&] { lab.require("ip link del v0"); });
  BOOST_TEST(traced.status == 1);
  BOOST_TEST((traced.out.find("No such device") != std::string::npos), traced.out);
  BOOST_TEST(!std::filesystem::exists(pin_folder));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
