// SPDX-License-Identifier: GPL-2.0-only
// Orders that run out of room, are killed, or fail half-way.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "plugin/state.h"
#include "tests/net/cli_fixture.h"
#include "tests/net/injected.h"

namespace xdplb::test {
namespace {

// A line of the loader's as a shell takes it.
std::string for_shell(const Machine& machine, const std::string& line) {
  std::string command;
  for (const auto& word : machine.loader.command(line)) command += word + " ";
  return command;
}

BOOST_AUTO_TEST_SUITE(cli_life)

std::string nth_service(int number) {
  return "192.0.2." + std::to_string(number % 250 + 1) + ":" + std::to_string(1000 + number) +
         "/tcp";
}

BOOST_AUTO_TEST_CASE(a_full_arena) {
  Machine machine;
  BOOST_REQUIRE(machine.run("load eth0 --arena 64K").status == 0);
  int made = 0;
  while (machine.run("service add " + nth_service(made) + " --slots 256").status == 0) ++made;
  BOOST_TEST(made > 20);
  BOOST_TEST(made < 64);
  check_refused(machine,
                {{"service add " + nth_service(made) + " --slots 256", 2, "the arena of 65536"},
                 {"service add " + nth_service(made) + " --slots 1048576", 2, "larger --arena"}});
  // Nothing that is there depends on room: it can be changed, and deleted, and comes back.
  const auto id = nth_service(made / 2);
  machine.loader.require("backend add " + id + " 10.0.0.2");
  machine.loader.require("backend set " + id + " 10.0.0.2 -w 5");
  BOOST_TEST(machine.loader.json("backend list " + id).at(0).at("slots") == 256);
  for (int round = 0; round < 5; ++round) {
    machine.loader.require("service del " + id);
    machine.loader.require("service add " + id + " --slots 256");
  }
  BOOST_TEST(machine.loader.json("service list").size() == static_cast<std::size_t>(made));
  for (int i = 0; i < made; ++i) machine.loader.require("service del " + nth_service(i));
  machine.loader.require("service add " + nth_service(0) + " --slots 4096");
}

// Some of them: faults/at_each_call has all.
int step() { return counts(13, 5); }

const std::string load_line = "load eth0 --single-ok --object " XDP_LB_OBJECT;

BOOST_AUTO_TEST_CASE(killed_while_loading, *boost::unit_test::precondition(has_strace)) {
  Machine machine;
  const auto empty = take_snapshot(machine);
  for (const std::string call : {"bpf", "sendto", "mmap"}) {
    const int calls = count_calls(machine.host, call, load_line);
    BOOST_TEST(calls > (call == "bpf" ? 40 : 1));
    machine.loader.require("unload eth0");
    for (int nth = 1; nth <= calls; nth += step()) BOOST_TEST_CONTEXT(call << " " << nth) {
        const auto killed = run_injected(machine.host, call, "signal=KILL", nth, load_line);
        BOOST_TEST_REQUIRE(killed.status == 128 + SIGKILL, killed.err);
        // The next order takes up what is there.
        const auto next = machine.run("load eth0");
        const bool loaded = next.err.find("loaded on eth0 already") != std::string::npos;
        BOOST_TEST((next.status == 0 || loaded), next.err);
        machine.loader.require("service add 192.0.2.10:80/tcp");
        machine.loader.require("status --check eth0");
        machine.loader.require("unload eth0");
        const auto left = differences(empty, take_snapshot(machine));
        BOOST_TEST_REQUIRE(left.empty(), left);
      }
  }
}

// A load that fails anywhere leaves the machine as it was. libbpf does without many calls.
void check_failures(const Machine& machine, const std::string& unload) {
  const auto before = take_snapshot(machine);
  const int calls = count_calls(machine.host, "bpf", load_line);
  machine.loader.require(unload);
  BOOST_TEST(differences(before, take_snapshot(machine)).empty());
  int failures = 0;
  for (int nth = 1; nth <= calls; nth += step()) BOOST_TEST_CONTEXT(unload << ", bpf " << nth) {
      const auto failed = run_injected(machine.host, "bpf", "error=ENOMEM", nth, load_line);
      check_words(failed);
      if (failed.status == 0) {
        machine.loader.require("status --check eth0");
        machine.loader.require(unload);
      } else {
        ++failures;
        BOOST_TEST((failed.status == 1 || failed.status == 4), failed.status << failed.err);
      }
      const auto changed = differences(before, take_snapshot(machine));
      BOOST_TEST_REQUIRE(changed.empty(), failed.status << changed);
    }
  BOOST_TEST(failures > 4);
}

BOOST_AUTO_TEST_CASE(failed_while_loading, *boost::unit_test::precondition(has_strace)) {
  Machine machine;
  check_failures(machine, "unload eth0");
  machine.load_with_services();
  machine.loader.require("unload eth0 --keep-maps");
  check_failures(machine, "unload eth0 --keep-maps");
}

// Wherever it is killed, no backend has a mode whose outer headers come from nowhere.
BOOST_AUTO_TEST_CASE(killed_while_a_mode_changes, *boost::unit_test::precondition(has_strace)) {
  Machine machine;
  machine.load();
  const auto id = nth_service(0);
  machine.loader.require("service add " + id);
  const auto modes = "service set " + id + " --forward ";
  const auto start = [&] {
    machine.loader.require(modes + "l2");
    machine.host.ip("route flush 172.16.0.0/24");
    machine.loader.require("backend del " + id + " 172.16.0.1");
    machine.loader.require("backend add " + id + " 172.16.0.1");  // no route, and no source
    machine.host.ip("route add 172.16.0.0/24 via 10.0.0.9");
  };
  machine.loader.require("backend add " + id + " 172.16.0.1");
  start();
  const int calls = count_calls(machine.host, "sendto", modes + "gue");
  BOOST_TEST(calls > 1);
  int changed = 0;
  for (int nth = 1; nth <= calls; nth++) BOOST_TEST_CONTEXT("sendto " << nth) {
      start();
      const auto killed = run_injected(machine.host, "sendto", "signal=KILL", nth, modes + "gue");
      // It asks less of the kernel where a neighbour entry is there already.
      BOOST_TEST((killed.status == 128 + SIGKILL || killed.status == 0), killed.err);
      const Pins pins(pin_path, Access::read);
      const State state(pins);
      const auto service = state.service(ServiceId::parse(id));
      const auto backend = state.backends(service.number).at(0);
      BOOST_TEST((backend.forward == Forward::l2 || backend.source.has_value()));
      changed += backend.forward == Forward::gue ? 1 : 0;
    }
  BOOST_TEST(changed > 0);
  BOOST_TEST(changed < calls);
}

// Whoever loads it meanwhile must be waited for.
BOOST_AUTO_TEST_CASE(nothing_is_changed_without_a_lock) {
  Machine machine;
  const Inside here(machine.host);
  BOOST_CHECK_THROW(PinLock("/sys/fs/bpf/xdp-lb", Access::change), NotLoaded);
  std::filesystem::create_directory("/sys/fs/bpf/xdp-lb");
  BOOST_CHECK_NO_THROW(PinLock("/sys/fs/bpf/xdp-lb", Access::change));
}

BOOST_AUTO_TEST_CASE(what_goes_on_ends_when_nobody_can_read_it) {
  Machine machine;
  machine.load();
  for (const char* line : {"stats -i 1", "stats -i 1 --json"}) {
    const auto command = "exec " + for_shell(machine, line) + ">/dev/full";
    const auto outcome = machine.host.run({"timeout", "10", "sh", "-c", command});
    BOOST_TEST(outcome.status == 1);
    BOOST_TEST(outcome.err.find("xdp-lb: ") != std::string::npos, outcome.err);
  }
}

// A pager that is not read holds up nobody: what is printed has no lock.
BOOST_AUTO_TEST_CASE(read_slowly) {
  Machine machine;
  machine.load();
  const auto id = nth_service(0);
  machine.loader.require("service add " + id);
  std::string text = "[[interface]]\nname = \"eth0\"\n";
  for (int i = 0; i < 10; ++i) {
    text += "[[service]]\naddress = \"" + nth_service(i) + "\"\nbackend = [";
    for (int k = 0; k < 150; ++k)
      text += "\"10." + std::to_string(i) + ".1." + std::to_string(k) + "\", ";
    text += "]\n";
  }
  const std::string file = "/run/many.toml", read = "/run/read";
  std::ofstream(file) << text;
  const auto apply = "apply --single-ok --object " XDP_LB_OBJECT " --confirm 3600 " + file;
  for (const auto& line : Words{apply, "backend list", "save", "metrics", "plan /run/none.toml"}) {
    std::ofstream("/run/none.toml") << "interface = []\n";
    std::ofstream(read).flush();
    const auto command = for_shell(machine, line);
    const auto reader = machine.host.start(
        Words{"sh", "-c", command + "| { head -c 1 >" + read + "; exec sleep 3600; }"});
    BOOST_TEST(wait_until([&] { return std::filesystem::file_size(read) == 1; }, 60), line);
    Words waiting{"timeout", "10"};
    const auto next =
        machine.loader.command(line == apply ? "confirm" : "backend down " + id + " 10.0.1.1");
    waiting.insert(waiting.end(), next.begin(), next.end());
    BOOST_TEST(machine.host.run(waiting).status == 0, line);
    machine.host.stop(reader);
  }
}

// ip(8) takes it off by the mode that it is attached in alone.
BOOST_AUTO_TEST_CASE(another_program_is_there_in_mode_skb) {
  Machine machine;
  const auto other = machine.run("load eth1 --mode skb -p /sys/fs/bpf/other");
  BOOST_TEST_REQUIRE(other.status == 0, other.err);
  check_refused(machine, {{"load eth1", 2, "ip link set dev eth1 xdpgeneric off"}});
  machine.host.ip("link set dev eth1 xdpgeneric off");
  BOOST_TEST(machine.run("load eth1").status == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
