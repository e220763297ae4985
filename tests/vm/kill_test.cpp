// SPDX-License-Identifier: GPL-2.0-only
// The loader dies at any point, or a call of it to bpf() fails: other programs of the chain go on,
// and the same command completes what it began.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <utility>

#include "tests/net/injected.h"
#include "tests/support/bpf_fixture.h"
#include "tests/support/other_object.h"
#include "tests/vm/lab.h"
#include "tests/vm/traced.h"

namespace xdplb::test {
namespace {

constexpr int killed = 128 + 9;
constexpr unsigned points_tried = 6;  // of each command, in the reduced run

// Each point from 1 to count, or in full counts each of so many, or some of them, the first and the
// last included.
std::vector<unsigned> points(unsigned count, unsigned each_of = 1) {
  const unsigned tried = full_counts() ? count / each_of : std::min(count, points_tried);
  std::vector<unsigned> all;
  for (unsigned i = 0; i < tried; ++i) all.push_back(1 + i * (count - 1) / (tried - 1));
  return all;
}

unsigned count_points(const Lab& lab, const std::string& line) {
  const auto traced = run_traced(lab.host, split(line), [](auto...) { return At::go_on; });
  BOOST_REQUIRE_MESSAGE(traced.status == 0, traced.out);
  std::cout << "'" << line << "' changes something at " << traced.points << " points\n";
  BOOST_REQUIRE(traced.points > 5U);
  return traced.points;
}

void kill_at(const Lab& lab, const std::string& line, unsigned point) {
  const auto traced = run_traced(lab.host, split(line), [&](unsigned now, Change) {
    return now == point ? At::kill : At::go_on;
  });
  BOOST_TEST((traced.status == killed || traced.points < point), traced.out);
}

// Whether ours runs or not, packets that others care for get on.
void check_others(Lab& lab) {
  const bool ours = lab.run("xdp-lb status --check v0").status == 0;
  auto wanted = expected({.filter = true, .ours = ours, .counter = true}, Lab::burst);
  const auto seen = lab.exchange("v0", wanted, Lab::burst);
  for (const auto port : {blocked_port, other_port})
    BOOST_TEST((seen.by_port.at(port) == wanted.by_port.at(port)), seen);
}

bool maps_are_left() {
  return std::filesystem::exists(pin_folder) && !std::filesystem::is_empty(pin_folder);
}

void load_again(const Lab& lab) {
  const auto outcome = lab.run("xdp-lb load v0");
  const bool was_done = outcome.err.find("loaded on v0 already") != std::string::npos;
  BOOST_TEST((outcome.status == 0 || was_done), outcome.err);
  check_runs(lab, "v0", true);
}

// The same command again, or what it then says, leaves nothing of ours.
void unload_again(const Lab& lab) {
  const auto outcome = lab.run("xdp-lb unload v0");
  const auto says = [&](const char* text) { return outcome.err.find(text) != std::string::npos; };
  const bool needs_clean = says("'xdp-loader clean'");
  BOOST_TEST((outcome.status == 0 || needs_clean || says("no maps of xdp-lb are pinned")),
             outcome.err);
  if (needs_clean) {
    BOOST_TEST_MESSAGE("libxdp left something: 'xdp-loader clean'");
    lab.require("xdp-loader clean");
    lab.require("xdp-lb unload v0");
  }
  BOOST_TEST(!maps_are_left(), outcome.err);
}

// Runs with services, and again without anything; the file has all that.
std::string save_services(const Lab& lab) {
  const std::string file = "/run/services.toml";
  lab.require("xdp-lb load v0");
  lab.add_services("v0");
  std::ofstream(file) << lab.require("xdp-lb save");
  lab.require("xdp-lb unload v0");
  return file;
}

// Whatever is there: then all of the file is.
void apply_again(Lab& lab, const std::string& file) {
  lab.require("xdp-lb apply " + file);
  BOOST_TEST(lab.run("xdp-lb plan " + file).status == 0);
  check_traffic(lab, "v0", {.filter = true, .ours = true, .counter = true});
}

BOOST_AUTO_TEST_SUITE(killed_loader)

BOOST_AUTO_TEST_CASE(during_load) {
  Lab lab;
  lab.load_filter("v0");
  lab.load_counter("v0");
  const auto count = count_points(lab, "xdp-lb load v0");
  lab.require("xdp-lb unload v0");
  for (const auto point : points(count)) BOOST_TEST_CONTEXT("killed before change " << point) {
      kill_at(lab, "xdp-lb load v0", point);
      check_others(lab);
      load_again(lab);
      lab.add_services("v0");
      check_traffic(lab, "v0", {.filter = true, .ours = true, .counter = true});
      unload_again(lab);
      check_traffic(lab, "v0", {.filter = true, .counter = true});
    }
}

BOOST_AUTO_TEST_CASE(during_unload) {
  Lab lab;
  lab.load_filter("v0");
  lab.load_counter("v0");
  lab.require("xdp-lb load v0");
  lab.add_services("v0");
  const auto count = count_points(lab, "xdp-lb unload v0");
  for (const auto point : points(count)) BOOST_TEST_CONTEXT("killed before change " << point) {
      lab.require("xdp-lb load v0");
      lab.add_services("v0");
      kill_at(lab, "xdp-lb unload v0", point);
      check_others(lab);
      unload_again(lab);
      check_traffic(lab, "v0", {.filter = true, .counter = true});
    }
}

// No packet notices: one of ours runs all the time, or two.
BOOST_AUTO_TEST_CASE(during_upgrade) {
  Lab lab;
  lab.load_filter("v0");
  lab.require("xdp-lb load v0");
  lab.load_counter("v0");
  lab.add_services("v0");
  const Members members{.filter = true, .ours = true, .counter = true};
  const auto chain = lab.names("v0");
  auto back = "xdp-lb upgrade -o " + std::string(object_file);
  auto line = "xdp-lb upgrade -o " + write_other_object(object_file, "/run/other.bpf.o");
  const auto count = count_points(lab, line);
  bool two = false;
  for (const auto point : points(count)) BOOST_TEST_CONTEXT("killed before change " << point) {
      std::swap(line, back);
      kill_at(lab, line, point);
      check_traffic(lab, "v0", members);
      two = two || lab.names("v0").size() > chain.size();
      lab.require(line);
      BOOST_TEST(lab.names("v0") == chain, boost::test_tools::per_element());
      check_traffic(lab, "v0", members);
    }
  BOOST_TEST((two || !full_counts()));
}

// From nothing: it loads the component, and adds the services.
BOOST_AUTO_TEST_CASE(during_apply) {
  Lab lab;
  lab.load_filter("v0");
  lab.load_counter("v0");
  const auto file = save_services(lab);
  const auto count = count_points(lab, "xdp-lb apply " + file);
  for (const auto point : points(count)) BOOST_TEST_CONTEXT("killed before change " << point) {
      unload_again(lab);
      kill_at(lab, "xdp-lb apply " + file, point);
      check_others(lab);
      apply_again(lab, file);
    }
}

// An unload that died has the next load start from what is left: what it lists, it does.
BOOST_AUTO_TEST_CASE(load_after_a_killed_unload) {
  Lab lab;
  lab.require("xdp-lb load v0");
  lab.add_services("v0");
  const auto count = count_points(lab, "xdp-lb unload v0");
  for (const auto point : points(count)) BOOST_TEST_CONTEXT("killed before change " << point) {
      lab.require("xdp-lb load v0");
      lab.add_services("v0");
      kill_at(lab, "xdp-lb unload v0", point);
      load_again(lab);
      const auto services = nlohmann::json::parse(lab.require("xdp-lb service list -j"));
      BOOST_TEST((services.empty() || services.size() == 2U));
      check_traffic(lab, "v0", {.ours = !services.empty()});
      unload_again(lab);
    }
}

BOOST_AUTO_TEST_SUITE_END()

// libxdp's calls among them: hundreds, and a guest takes its time. All errors at each call, where
// there is no chain, is a test of tests/net.
struct FailingCalls {
  FailingCalls() {
    lab.load_filter("v0");
    lab.load_counter("v0");
  }
  ~FailingCalls() { BOOST_TEST(failed > 0U); }

  // It may do without what fails: then it returns true.
  bool fail(const std::string& line, unsigned call) {
    const Words errors{"ENOMEM", "EPERM", "ENOSPC"};
    const auto& error = errors[call % errors.size()];
    const auto hit = run_injected(lab.host, "bpf", "error=" + error, static_cast<int>(call), line);
    BOOST_TEST(hit.status <= 4, hit.err);
    BOOST_TEST((hit.status == 0 || hit.err.find("xdp-lb: ") != std::string::npos), hit.err);
    failed += hit.status != 0 ? 1 : 0;
    return hit.status == 0;
  }

  void each_call(const std::string& line, const std::function<void(unsigned)>& action) const {
    const int calls = count_calls(lab.host, "bpf", line);
    std::cout << "'" << line << "' calls bpf() " << calls << " times\n";
    constexpr unsigned each_of = 16;
    const int least = 2 * each_of;  // the first and the last call are two
    BOOST_REQUIRE(calls >= least);
    for (const auto call : points(static_cast<unsigned>(calls), each_of))
      BOOST_TEST_CONTEXT("failed: call " << call) { action(call); }
  }

  Lab lab;
  unsigned failed = 0;
};

BOOST_FIXTURE_TEST_SUITE(failing_calls, FailingCalls, *boost::unit_test::precondition(has_strace))

BOOST_AUTO_TEST_CASE(of_load) {
  each_call("load v0", [&](unsigned call) {
    unload_again(lab);
    if (fail("load v0", call)) check_runs(lab, "v0", true);
    check_others(lab);
    load_again(lab);
    lab.add_services("v0");
    check_traffic(lab, "v0", {.filter = true, .ours = true, .counter = true});
  });
}

BOOST_AUTO_TEST_CASE(of_apply) {
  const auto file = save_services(lab);
  each_call("apply " + file, [&](unsigned call) {
    unload_again(lab);
    if (fail("apply " + file, call)) BOOST_TEST(lab.run("xdp-lb plan " + file).status == 0);
    check_others(lab);
    apply_again(lab, file);
  });
}

BOOST_AUTO_TEST_CASE(of_unload) {
  lab.require("xdp-lb load v0");
  each_call("unload v0", [&](unsigned call) {
    lab.require("xdp-lb load v0");
    lab.add_services("v0");
    if (fail("unload v0", call)) check_runs(lab, "v0", false);
    check_others(lab);
    unload_again(lab);
    check_traffic(lab, "v0", {.filter = true, .counter = true});
  });
}

BOOST_AUTO_TEST_CASE(of_upgrade) {
  const Members members{.filter = true, .ours = true, .counter = true};
  lab.require("xdp-lb load v0");
  lab.add_services("v0");
  const auto chain = lab.names("v0");
  auto back = "upgrade -o " + std::string(object_file);
  auto line = "upgrade -o " + write_other_object(object_file, "/run/other.bpf.o");
  each_call(line, [&](unsigned call) {
    std::swap(line, back);
    fail(line, call);
    check_traffic(lab, "v0", members);
    lab.require("xdp-lb " + line);
    BOOST_TEST(lab.names("v0") == chain, boost::test_tools::per_element());
    check_traffic(lab, "v0", members);
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
