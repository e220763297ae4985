// SPDX-License-Identifier: GPL-2.0-only
// Bad places: interfaces, pin folders and privileges with which nothing can be done.
#include <bpf/bpf.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "plugin/error.h"
#include "plugin/pins.h"
#include "tests/net/cli_fixture.h"
#include "tests/net/injected.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

// False, and said, where this kernel has no such devices.
bool made(const Machine& machine, const std::string& command) {
  const auto outcome = machine.host.run({"sh", "-c", command});
  if (outcome.status != 0)
    std::cout << "not tried on this kernel: '" << command << "': " << outcome.err;
  return outcome.status == 0;
}

// Orders that end with status 3 where nothing is loaded.
const Words orders{"service list",
                   "service add 192.0.2.10:80/tcp",
                   "service set 192.0.2.10:80/tcp --balance off",
                   "service del 192.0.2.10:80/tcp",
                   "backend list",
                   "backend add 192.0.2.10:80/tcp 10.0.0.2",
                   "backend set 192.0.2.10:80/tcp 10.0.0.2 -w 2",
                   "backend del 192.0.2.10:80/tcp 10.0.0.2",
                   "stats",
                   "status",
                   "upgrade",
                   "upgrade eth0",
                   "unload eth0",
                   "unload --all"};

void check_orders(const Machine& machine, int status, const std::string& message) {
  std::vector<BadLine> lines;
  for (const auto& order : orders) lines.push_back({order, status, message});
  check_refused(machine, lines);
}

BOOST_AUTO_TEST_SUITE(cli_place)

BOOST_AUTO_TEST_CASE(interfaces_that_cannot_carry_it) {
  Machine machine;
  if (made(machine, "ip link add link eth0 name eth0.5 type vlan id 5"))
    check_refused(machine, {{"load eth0.5", 2, "give its parent, eth0"},
                            {"load eth1 eth0.5", 2, "is a VLAN device"}});
  if (made(machine, "ip link add br0 type bridge"))
    check_refused(machine, {{"load br0", 2, "give the bridge's ports"}});
  if (made(machine, "ip link add bond0 type bond && ip link add port0 type veth peer name port1 && "
                    "ip link set port0 master bond0"))
    check_refused(machine, {{"load port0", 2, "give the bond, bond0"}});
  if (made(machine, "ip tuntap add name tun0 mode tun"))
    check_refused(machine, {{"load tun0", 2, "tun0 has no Ethernet headers"},
                            {"load eth1 tun0", 2, "tun0 has no Ethernet headers"}});
  // It has Ethernet headers, but no driver with native XDP; with eth1 before it all is taken back.
  check_refused(machine, {{"load lo", 4, "--mode skb"}, {"load eth1 lo", 4, "--mode skb"}});
}

BOOST_AUTO_TEST_CASE(another_program_is_there) {
  Machine machine;
  attach_pass(machine.host, "eth1");
  check_refused(machine, {{"load eth1", 2, "an XDP program that is in no chain: pass"},
                          {"load eth0 eth1", 2, "ip link set dev eth1 xdp off"},
                          {"load eth1 --mode skb", 2, "an XDP program that is in no chain: pass"}});
  machine.load();
  check_refused(machine, {{"load eth1", 2, "an XDP program that is in no chain: pass"},
                          {"unload eth1", 3, "not loaded on eth1"}});
}

BOOST_AUTO_TEST_CASE(nothing_is_loaded) {
  Machine machine;
  check_orders(machine, 3, "no maps of xdp-lb are pinned in /sys/fs/bpf/xdp-lb");
  check_refused(machine, {{"status --check", 3, "no maps"}, {"status --check eth0", 3, "no maps"}});
  machine.load();
  BOOST_TEST(machine.run("unload eth0").status == 0);
  check_orders(machine, 3, "no maps of xdp-lb are pinned in /sys/fs/bpf/xdp-lb");
}

BOOST_AUTO_TEST_CASE(no_bpffs) {
  Machine machine;
  machine.load_with_services();
  BOOST_REQUIRE(::umount2(bpffs, MNT_DETACH) == 0);
  check_orders(machine, 4, "mount -t bpf bpf /sys/fs/bpf");
  check_refused(machine, {{"load eth1", 4, "mount -t bpf bpf /sys/fs/bpf"}});
  const auto outcome = machine.run("check eth0");
  BOOST_TEST(outcome.status == 3);
  BOOST_TEST(outcome.out.find("fail  bpffs") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_read_only_bpffs) {
  Machine machine;
  machine.load_with_services();
  const std::string file = "/run/site.toml";
  std::ofstream(file) << machine.loader.require("save");
  const auto remount = [](unsigned long flags) {
    BOOST_REQUIRE(::mount(nullptr, bpffs, nullptr, MS_REMOUNT | flags, "mode=0700") == 0);
  };
  remount(MS_RDONLY);
  check_orders(machine, 1, "Read-only file system\n  'mount -o remount,rw' makes");
  for (const auto& order :
       Words{"load eth1", "settle", "save", "digest", "plan " + file, "apply " + file})
    check_refused(machine, {{order, 1, "Read-only file system\n  'mount -o remount,rw' makes"}});
  remount(0);
  machine.loader.require("status --check eth0");
  machine.loader.require("unload eth0");
}

BOOST_AUTO_TEST_CASE(pin_paths) {
  Machine machine;
  check_refused(machine, {{"load eth0 -p /sys/fs/bpf/a/b", 1, "/sys/fs/bpf/a/b"},
                          {"load eth0 -p /run/xdp-lb", 2, "/run/xdp-lb is not on a BPF"},
                          {"unload eth0 -p /run/xdp-lb", 2, "/run/xdp-lb is not on a BPF"},
                          // A folder that others use as well is none to change the mode of.
                          {"load eth0 -p /sys/fs/bpf", 2, "/sys/fs/bpf"},
                          {"load eth0 -p /sys/fs/bpf/", 2, "/sys/fs/bpf"}});
  machine.load_with_services();
  check_refused(machine, {{"service list -p /sys/fs/bpf/other", 3, "/sys/fs/bpf/other"},
                          {"unload eth0 -p /sys/fs/bpf/other", 3, "/sys/fs/bpf/other"},
                          {"unload --all -p /sys/fs/bpf/other", 3, "/sys/fs/bpf/other"}});
}

// One of a cable of its own: the other end goes with it.
BOOST_AUTO_TEST_CASE(an_interface_that_is_gone, *boost::unit_test::precondition(has_strace)) {
  Machine machine;
  machine.load_with_services();
  const std::string cable =
      "link add eth2 type veth peer name eth3\nlink set eth2 up\nlink set eth3 up";
  machine.host.ip(cable);
  const std::string file = "/run/site.toml";
  std::ofstream(file) << machine.loader.require("save") << "[[interface]]\nname = \"eth2\"\n";
  const auto lose = [&] { machine.host.ip("link del eth2"); };
  machine.loader.require("load eth2 --single-ok --object " XDP_LB_OBJECT);
  lose();
  check_refused(machine, {{"load eth2", 2, "there is no network interface 'eth2'"},
                          {"unload eth2", 2, "there is no network interface 'eth2'"},
                          {"upgrade eth2", 2, "there is no network interface 'eth2'"},
                          {"apply " + file, 2, "there is no network interface 'eth2'"}});
  machine.loader.require("status --check eth0");
  machine.loader.require("upgrade --object " XDP_LB_OBJECT);

  // Or it goes while it is loaded on, which waits for that at a call of bpf().
  const auto before = take_snapshot(machine);
  const std::string order = "load eth2 --single-ok --object " XDP_LB_OBJECT;
  for (int nth = 1; nth < 80; nth += counts(38, 4)) BOOST_TEST_CONTEXT("at bpf() " << nth) {
      machine.host.ip(cable);
      std::thread losing([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(700));
        lose();
      });
      const auto outcome = run_injected(machine.host, "bpf", "delay_enter=1500000", nth, order);
      losing.join();
      check_words(outcome);
      BOOST_TEST((outcome.status == 1 || outcome.status == 2), outcome.status << outcome.err);
      const auto left = differences(before, take_snapshot(machine));
      BOOST_TEST(left.empty(), left);
    }
}

std::string pin_of(std::string_view map) { return std::string(pin_path) + "/" + std::string(map); }

void pin_foreign_map(const std::string& pin) {
  const Fd map(::bpf_map_create(BPF_MAP_TYPE_HASH, "foreign", 4, 4, 1, nullptr));
  if (!map || ::bpf_obj_pin(map.get(), pin.c_str()) != 0)
    throw SystemError(errno, "pinning a map as " + pin);
}

void pin_program(const std::string& pin) {
  const std::array<bpf_insn, 2> pass{
      {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  const Fd program(
      ::bpf_prog_load(BPF_PROG_TYPE_XDP, "foreign", "GPL", pass.data(), pass.size(), nullptr));
  if (!program || ::bpf_obj_pin(program.get(), pin.c_str()) != 0)
    throw SystemError(errno, "pinning a program as " + pin);
}

// While it lives, a map of ours isn't pinned.
class Unpinned {
 public:
  explicit Unpinned(std::string pin) : pin_(std::move(pin)), map_(::bpf_obj_get(pin_.c_str())) {
    if (!map_ || ::unlink(pin_.c_str()) != 0) throw SystemError(errno, "unpinning " + pin_);
  }
  ~Unpinned() {
    ::unlink(pin_.c_str());
    ::bpf_obj_pin(map_.get(), pin_.c_str());
  }
  Unpinned(const Unpinned&) = delete;
  Unpinned& operator=(const Unpinned&) = delete;

 private:
  std::string pin_;
  Fd map_;
};

BOOST_AUTO_TEST_CASE(foreign_pins_under_our_names) {
  Machine machine;
  for (const auto& shape : map_shapes())
    for (const auto pin_foreign : {pin_foreign_map, pin_program}) {
      BOOST_REQUIRE(::mkdir(pin_path, 0750) == 0);
      pin_foreign(pin_of(shape.name));
      check_refused(machine, {{"load eth0", 2, pin_of(shape.name) + ": "},
                              {"unload --all", 2, pin_of(shape.name) + ": "}});
      std::filesystem::remove_all(pin_path);
    }
  machine.load_with_services();
  for (const auto& shape : map_shapes())
    for (const auto pin_foreign : {pin_foreign_map, pin_program}) {
      const Unpinned ours(pin_of(shape.name));
      pin_foreign(pin_of(shape.name));
      check_refused(machine, {{"load eth1", 2, pin_of(shape.name) + ": "},
                              {"service list", 2, pin_of(shape.name) + ": "},
                              {"service add 192.0.2.11:80/tcp", 2, pin_of(shape.name) + ": "}});
    }
}

BOOST_AUTO_TEST_CASE(a_map_is_missing) {
  Machine machine;
  machine.load_with_services();
  for (const auto& shape : map_shapes()) {
    if (shape.by_loader) continue;  // nor is it there after a plain xdp-loader
    const Unpinned ours(pin_of(shape.name));
    check_refused(machine, {{"service list", 2, pin_of(shape.name) + " is missing"},
                            {"backend del 192.0.2.10:80/tcp 10.0.0.2", 2, "is missing"},
                            {"load eth1", 2, "are gone while it runs"}});
  }
}

BOOST_AUTO_TEST_CASE(another_map_abi) {
  Machine machine;
  machine.load_with_services();
  {
    const Pins pins(pin_path, Access::change);
    store(pins.meta().abi, std::uint32_t{99});
  }
  for (const auto& order : orders)
    if (!order.starts_with("unload") && order != "status")
      check_refused(machine, {{order, 2, "have map ABI 99, and this"}, {order, 2, abi_remedy}});
  check_refused(machine, {{"load eth1", 2, abi_remedy}, {"upgrade", 2, "it can't convert them"}});
  BOOST_TEST(machine.run("unload eth0").status == 0);
  BOOST_TEST(!std::filesystem::exists(pin_path));
}

// Without a privilege: as nobody, and as root with fewer capabilities.
const std::vector<Words> unprivileged{
    {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"},
    {"setpriv", "--inh-caps=-all", "--bounding-set=-all"},
    {"setpriv", "--inh-caps=-all", "--bounding-set=-all,+bpf,+net_admin"}};

void check_unprivileged(const Machine& machine, const Words& how, const std::string& line) {
  auto words = how;
  for (const auto& word : split(XDP_LB_LOADER " " + line)) words.push_back(word);
  const auto before = take_snapshot(machine);
  const auto outcome = machine.host.run(words);
  BOOST_TEST_CONTEXT(how[1] << " " << how.back() << ": " << line) {
    BOOST_TEST(outcome.status == 1, "status " << outcome.status << ": " << outcome.err);
    BOOST_TEST((outcome.err.find("Permission denied") != std::string::npos ||
                outcome.err.find("not permitted") != std::string::npos),
               outcome.err);
    const auto* remedy = line == "stats" ? "be root, or a member of group xdp-lb" : "run as root";
    BOOST_TEST(outcome.err.find(remedy) != std::string::npos, outcome.err);
    check_words(outcome);
    const auto changed = differences(before, take_snapshot(machine));
    BOOST_TEST(changed.empty(), "it changed:" << changed);
  }
}

// Under a bpffs that is root's alone, and under one that everybody may look into.
BOOST_DATA_TEST_CASE(no_privileges, data::make({0700, 0755}), mode) {
  Machine machine;
  BOOST_REQUIRE(::chmod(bpffs, static_cast<mode_t>(mode)) == 0);
  const std::string load = "load eth0 --single-ok --object " XDP_LB_OBJECT;
  for (const auto& how : unprivileged) check_unprivileged(machine, how, load);
  machine.load_with_services();
  for (const auto* line : {"service list", "service add 192.0.2.11:80/tcp",
                           "backend set 192.0.2.10:80/tcp 10.0.0.2 -w 9", "stats", "status"})
    check_unprivileged(machine, unprivileged[0], line);
  for (const auto* line : {"unload eth0", "unload --all"})
    for (const auto& how : unprivileged) check_unprivileged(machine, how, line);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
