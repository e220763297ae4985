// SPDX-License-Identifier: GPL-2.0-only
// apply --confirm: whatever becomes of the command, of its shell and of others, what is not
// confirmed is taken back, and what is confirmed stays.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "plugin/fd.h"
#include "tests/net/cli_fixture.h"
#include "tests/net/site_file.h"
#include "tests/net/stopped.h"

namespace xdplb::test {
namespace {

const std::string peers = "peers = [\"02:00:00:00:00:01\"]\n";
constexpr auto pending = "/run/xdp-lb/pending_sys_fs_bpf_xdp-lb.toml";
constexpr auto unmade = "/run/xdp-lb/pending_sys_fs_bpf_xdp-lb.toml.new";
constexpr int patience = 60;  // seconds

// With a service, and something to go back to.
struct Applied : Machine {
  Applied() {
    BOOST_TEST_REQUIRE(run("apply " + file_with(interface + http + two)).status == 0);
    loader.require("backend drain 192.0.2.10:80/tcp 10.0.0.3");
    before = now();
  }
  [[nodiscard]] std::string now() const { return loader.require("save --full"); }
  [[nodiscard]] Words order(const std::string& options, const std::string& file) const {
    return loader.command("apply --single-ok --object " XDP_LB_OBJECT " " + options + " " + file);
  }
  // Nothing waits any more, and nobody takes anything back.
  [[nodiscard]] static bool is_over() {
    const Fd mark(::open(unmade, O_RDONLY | O_CLOEXEC));
    return !std::filesystem::exists(pending) &&
           (!mark || ::flock(mark.get(), LOCK_SH | LOCK_NB) == 0);
  }
  void check_taken_back() const {
    BOOST_TEST(wait_until([&] { return is_over(); }, patience));
    BOOST_TEST(now() == before);
    BOOST_TEST(run("confirm").status == 3);
  }

  std::string before;
};

BOOST_AUTO_TEST_SUITE(confirm)

BOOST_AUTO_TEST_CASE(what_fails_halfway_is_taken_back_at_once) {
  Applied machine;
  attach_pass(machine.host, "eth1");
  const auto file = file_with(peers + interface + other + http + three);
  const auto outcome = machine.run("apply --confirm 3600 " + file);
  BOOST_TEST(outcome.status == 1);
  BOOST_TEST(outcome.err.find("what ran before runs again") != std::string::npos, outcome.err);
  machine.check_taken_back();
}

// However the pin folder was called.
BOOST_AUTO_TEST_CASE(what_is_confirmed_under_another_name) {
  Applied machine;
  const auto file = file_with(interface + http + three);
  for (const std::string name : {"/sys/fs/bpf/xdp-lb/", "/sys/fs/bpf/../bpf//xdp-lb"}) {
    BOOST_TEST(machine.run("apply --confirm 3600 -p " + name + " " + file).status == 0);
    BOOST_TEST(machine.run("confirm").status == 0);
    BOOST_TEST(machine.run("apply " + file_with(interface + http + two)).status == 0);
  }
}

// At each of its calls in turn that are about maps, interfaces or locks.
BOOST_AUTO_TEST_CASE(what_is_killed_is_taken_back_at_once) {
  Applied machine;
  const auto file = file_with(peers + interface + http + three);
  const auto order = machine.order("--confirm 3600", file);
  for (const long call : {SYS_flock, SYS_sendto, SYS_rename, SYS_bpf})
    for (int nth = 1;; nth += call == SYS_bpf ? counts(201, 1) : counts(7, 1))
      BOOST_TEST_CONTEXT("killed at call " << call << ", " << nth) {
        const auto status = run_stopped(machine.host, order, call, nth, Then::kill);
        if (status != 128 + SIGKILL) {
          BOOST_TEST(status == 0);
          machine.loader.require("confirm");
          BOOST_TEST(machine.run("plan " + file).status == 0);
          BOOST_TEST(machine.run("apply " + file_with(machine.before)).status == 0);
          break;
        }
        machine.check_taken_back();
      }
}

BOOST_AUTO_TEST_CASE(what_it_goes_back_to_is_not_up_to_others) {
  Applied machine;
  const auto file = file_with(peers + interface + http + three);
  BOOST_TEST(machine.run("apply --confirm 2 " + file).status == 0);
  BOOST_TEST(machine.now() != machine.before);
  std::ofstream(pending, std::ios::trunc).flush();
  machine.check_taken_back();
}

BOOST_AUTO_TEST_CASE(a_key_is_taken_back) {
  Machine machine;
  machine.load();
  const auto before = machine.loader.require("save --full");
  const std::string key = "cluster-key = \"" + std::string(32, '7') + "\"\n";
  BOOST_TEST(machine.run("apply --confirm 2 " + file_with(key + interface + http + two)).status ==
             0);
  BOOST_TEST(machine.loader.require("save --full").find(key) != std::string::npos);
  BOOST_TEST(wait_until([&] { return machine.loader.require("save --full") == before; }, patience));
}

// States that the file doesn't give are for others to set, meanwhile too.
BOOST_AUTO_TEST_CASE(a_backend_that_died_meanwhile_stays_down) {
  Applied machine;
  const auto state = [&](const std::string& address) {
    for (const auto& one : machine.loader.json("backend list 192.0.2.10:80/tcp"))
      if (one.at("backend") == address) return one.at("state").get<std::string>();
    return std::string("none");
  };
  const std::string one_up = "backend = [\"10.0.0.2\", {address = \"10.0.0.3\", state = \"up\"}]\n";
  const auto file = file_with(interface + http + one_up);
  BOOST_TEST(machine.run("apply --confirm 2 " + file).status == 0);
  machine.loader.require("backend down 192.0.2.10:80/tcp 10.0.0.2");
  BOOST_TEST(wait_until([&] { return Applied::is_over(); }, patience));
  BOOST_TEST(state("10.0.0.2") == "down");
  BOOST_TEST(state("10.0.0.3") == "drain");
}

// A next hop can't be gone back to where its interface is gone: the rest is.
BOOST_AUTO_TEST_CASE(without_an_interface_that_is_gone) {
  Machine machine;
  machine.host.ip("link add d0 type veth peer name d1");
  const auto before = interface + http +
                      "backend = [{address = \"10.0.0.2\", next-hop = "
                      "\"02:00:00:00:00:02%d0\"}, \"10.0.0.3\"]\n";
  BOOST_TEST_REQUIRE(machine.run("apply " + file_with(before)).status == 0);
  BOOST_TEST(machine.loader.require("save").find("02:00:00:00:00:02%d0") != std::string::npos);
  for (const bool meanwhile : {true, false}) {
    BOOST_TEST(machine.run("apply --confirm 2 " + file_with(interface + http + three)).status == 0);
    if (meanwhile) machine.host.ip("link del d0");
    BOOST_TEST(wait_until([&] { return Applied::is_over(); }, patience));
    BOOST_TEST(machine.loader.json("backend list").size() == 2U);
    machine.host.ip("link add d0 type veth peer name d1");
    BOOST_TEST(machine.run("apply " + file_with(before)).status == 0);
    if (meanwhile) machine.host.ip("link del d0");
  }
  machine.host.ip("link del d0");
  const auto saved = machine.run("save");
  BOOST_TEST(saved.err.find("02:00:00:00:00:02%ifindex") != std::string::npos, saved.err);
  BOOST_TEST(machine.run("apply " + file_with(saved.out)).status == 0);
}

BOOST_AUTO_TEST_CASE(from_nothing) {
  Machine machine;
  BOOST_TEST(machine.run("apply --confirm 2 " + file_with(interface + http + two)).status == 0);
  machine.loader.require("status --check eth0");
  BOOST_TEST(wait_until([&] { return machine.run("status --check eth0").status == 3; }, patience));
  BOOST_TEST(wait_until([&] { return machine.loader.json("service list").empty(); }, patience));
}

// Though the command doesn't say that it may, and its object is gone with its folder.
BOOST_AUTO_TEST_CASE(what_was_attached_alone_is_again) {
  Applied machine;
  const std::filesystem::path folder = "/run/gone";
  std::filesystem::create_directory(folder);
  std::filesystem::copy_file(XDP_LB_OBJECT, folder / "o.o");
  const auto file = file_with("interface = []\n" + http + three);
  const auto order =
      "cd " + folder.string() + " && " XDP_LB_LOADER " apply --confirm 2 -o o.o " + file;
  BOOST_TEST(machine.host.run({"sh", "-c", order}).status == 0);
  std::filesystem::remove_all(folder);
  BOOST_TEST(machine.run("status --check eth0").status == 3);
  machine.check_taken_back();
  BOOST_TEST(machine.run("status --check eth0").status == 0);
}

BOOST_AUTO_TEST_CASE(what_could_not_be_taken_back_is_not_done) {
  Applied machine;
  const auto file = file_with("interface = []\n" + http + three);
  const auto outcome = machine.run("apply --confirm 2 -o /run/none.o " + file);
  BOOST_TEST(outcome.status == 2);
  BOOST_TEST(outcome.err.find("there is no BPF object") != std::string::npos, outcome.err);
  machine.check_taken_back();
}

BOOST_AUTO_TEST_CASE(where_nothing_was_to_be_done_nothing_waits) {
  Applied machine;
  const auto same = file_with(machine.before);
  const auto outcome = machine.run("apply --confirm 3600 " + same);
  BOOST_TEST(outcome.status == 0);
  BOOST_TEST(outcome.out.find("Nothing to do.") != std::string::npos, outcome.out);
  machine.check_taken_back();
  BOOST_TEST(machine.run("apply " + same).status == 0);
}

// While the one is applied, the other waits for it, and then is refused.
BOOST_AUTO_TEST_CASE(one_change_at_a_time) {
  Applied machine;
  const auto first = file_with(interface + http + three);
  const auto second = file_with(interface + http + "backend = [\"10.0.0.5\"]\n");
  pid_t other = 0;
  const auto status =
      run_stopped(machine.host, machine.order("--confirm 3600", first), SYS_flock, 3, Then::go_on,
                  [&] { other = machine.host.start(machine.order("--confirm 3600", second)); });
  BOOST_TEST(status == 0);
  BOOST_TEST(wait_until([&] { return !Host::runs(other); }, patience));
  BOOST_TEST(machine.run("plan " + first).status == 0);
  BOOST_TEST(machine.run("apply " + second).status == 2);
  machine.loader.require("confirm");
  BOOST_TEST(machine.run("plan " + first).status == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
