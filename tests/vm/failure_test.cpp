// SPDX-License-Identifier: GPL-2.0-only
// What can be wrong with a chain or around it: each is told with its remedy, changes nothing, and
// the remedy works.
#include <sys/mount.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "plugin/chain.h"
#include "tests/support/topology.h"
#include "tests/vm/lab.h"

namespace xdplb::test {
namespace {

BOOST_AUTO_TEST_SUITE(failure)

BOOST_AUTO_TEST_CASE(no_bpffs) {
  Lab lab;
  BOOST_REQUIRE(::umount2(bpffs, MNT_DETACH) == 0);
  for (const auto* verb : {"load v0", "unload v0", "status --check", "service list"})
    check_refused(lab, std::string("xdp-lb ") + verb, 4, "mount -t bpf bpf /sys/fs/bpf");
  lab.require("mount -t bpf bpf /sys/fs/bpf");
  lab.require("xdp-lb load v0");
  check_runs(lab, "v0", true);
}

BOOST_AUTO_TEST_CASE(bpffs_that_ip_netns_exec_hides) {
  Lab lab;
  check_refused(lab, "ip netns exec lab xdp-lb load v0", 4, "nsenter --net=/run/netns/NAME");
  lab.require("nsenter --net=/run/netns/lab xdp-lb load v0");
  check_refused(lab, "ip netns exec lab xdp-lb unload v0", 4, "nsenter --net=/run/netns/NAME");
  check_runs(lab, "v0", true);
  lab.require("nsenter --net=/run/netns/lab xdp-lb unload v0");
  BOOST_TEST(lab.world() == (World{{}, {0}}));
}

BOOST_AUTO_TEST_CASE(program_without_a_dispatcher) {
  Lab lab;
  attach_pass(lab.host, "v0");
  check_refused(lab, "xdp-lb load v0", 2, "XDP program that is in no chain: pass");
  check_refused(lab, "xdp-lb load --single-ok v0", 2, "ip link set dev v0 xdp off");
  lab.require("ip link set dev v0 xdp off");
  lab.require("xdp-lb load v0");
  check_runs(lab, "v0", true);
}

BOOST_AUTO_TEST_CASE(full_chain) {
  Lab lab;
  std::string files;
  for (unsigned i = 0; i < max_components; ++i) {
    files += ' ';
    files += counter_file;
  }
  lab.require("xdp-loader load v0" + files);
  check_refused(lab, "xdp-lb load v0", 2, "it has 10 programs");
  check_runs(lab, "v0", false);
  lab.require("xdp-loader unload --all v0");
  lab.require("xdp-loader load v0" + files.substr(0, files.rfind(' ')));
  lab.require("xdp-lb load v0");
  check_runs(lab, "v0", true);
  BOOST_TEST(lab.names("v0").size() == max_components);
}

BOOST_AUTO_TEST_CASE(mode_of_the_chain) {
  Lab lab;
  lab.load_filter("v0", "-m skb");
  check_refused(lab, "xdp-lb load v0", 2, "give --mode skb");
  lab.require("xdp-lb load --mode skb v0");
  check_runs(lab, "v0", true);
}

BOOST_AUTO_TEST_CASE(bpffs_that_was_mounted_anew) {
  Lab lab;
  lab.load_filter("v0");
  lab.require("xdp-lb load v0");
  lab.add_services("v0");
  lab.lose_pins();
  check_traffic(lab, "v0", {});  // the filter doesn't run either

  const auto status = lab.run("xdp-lb status v0");
  BOOST_TEST(status.status == 3);
  BOOST_TEST((status.out.find("pins lost") != std::string::npos), status.out);
  check_runs(lab, "v0", false);
  check_refused(lab, "xdp-lb load v0", 2, "xdp-loader unload v0 --all");
  lab.require("xdp-loader unload v0 --all");
  lab.require("xdp-lb load v0");
  lab.add_services("v0");
  check_traffic(lab, "v0", {.ours = true});
}

BOOST_AUTO_TEST_CASE(chain_that_lost_its_pins_alone) {
  Lab lab(2);
  lab.require("xdp-lb load v0 v1");
  lab.add_services("v1");
  for (const auto& pin : lab.world().pins)
    if (pin.ends_with("-" + std::to_string(lab.program("v0")))) std::filesystem::remove_all(pin);
  const auto status = lab.require("xdp-lb status");
  BOOST_TEST((status.find("pins lost") != std::string::npos), status);
  check_runs(lab, "v0", false);
  check_runs(lab, "v1", true);
  check_refused(lab, "xdp-lb unload v0", 3, "not loaded on v0");
  lab.require("xdp-loader unload v0 --all");
  lab.require("xdp-lb load v0");
  check_runs(lab, "v0", true);
  check_traffic(lab, "v1", {.ours = true});
}

// A program without its link is in the chain's list, and no packet comes to it.
BOOST_AUTO_TEST_CASE(component_that_lost_its_link) {
  Lab lab;
  lab.load_filter("v0");
  lab.require("xdp-lb load v0");
  lab.add_services("v0");
  for (const auto& pin : lab.world().pins)
    if (pin.ends_with("/prog1-link")) std::filesystem::remove(pin);
  const auto gone = [&] { return lab.run("xdp-lb status --check v0").status != 0; };
  BOOST_TEST(wait_until(gone, 5));  // the kernel takes its time
  check_traffic(lab, "v0", {.filter = true});
  check_runs(lab, "v0", false);
  BOOST_TEST(lab.chain("v0").at("chained") == true);
  const auto status = lab.require("xdp-lb status");
  BOOST_TEST((status.find("<not running>") != std::string::npos), status);

  lab.require("xdp-lb unload -k v0");
  lab.require("xdp-lb load v0");
  check_runs(lab, "v0", true);
  check_traffic(lab, "v0", {.filter = true, .ours = true});
}

// No newer libxdp is to be had here: a program that this one takes for a newer dispatcher.
BOOST_AUTO_TEST_CASE(chain_of_a_newer_libxdp) {
  Lab lab(2);
  lab.require("xdp-lb load v1");
  lab.require("ip link set dev v0 xdp obj /vm/newer_dispatcher.bpf.o sec xdp");
  check_refused(lab, "xdp-lb load v0", 4, "newer libxdp");
  check_runs(lab, "v0", false);
  const auto status = lab.require("xdp-lb status");  // shows v1 all the same
  BOOST_TEST((status.find("newer libxdp") != std::string::npos), status);
  BOOST_TEST((status.find("xdp_lb") != std::string::npos), status);
  lab.require("ip link set dev v0 xdp off");
  lab.require("xdp-lb load v0");
  check_runs(lab, "v0", true);
}

BOOST_AUTO_TEST_CASE(missing_capabilities) {
  Lab lab(2);
  lab.load_filter("v1");
  const auto with = [](const std::string& capabilities) {
    return "setpriv --inh-caps=-all," + capabilities + " --bounding-set=-all," + capabilities +
           " xdp-lb ";
  };
  for (const auto* ifname : {"v0", "v1"}) {
    const auto load = std::string("load ") + ifname;
    check_refused(lab, with("+bpf,+net_admin") + load, 1, "CAP_SYS_ADMIN");
    check_refused(lab, with("+sys_admin") + load, 1, "CAP_NET_ADMIN");
    lab.require(with("+sys_admin,+net_admin") + load);
    check_runs(lab, ifname, true);
  }
}

BOOST_AUTO_TEST_CASE(environment_of_libxdp) {
  Lab lab;
  check_refused(lab, "env LIBXDP_OBJECT_PATH=/nonexistent xdp-lb load v0", 1, "xdp-dispatcher.o");
  // libxdp, on its own, would attach without a chain and say nothing.
  check_refused(lab, "env LIBXDP_BPFFS=/nonexistent xdp-lb load v0", 4, "could not make a chain");
  lab.require("env LIBXDP_SKIP_DISPATCHER=1 xdp-lb load v0");  // a chain all the same
  BOOST_TEST(lab.chain("v0").at("chained") == true);
  check_runs(lab, "v0", true);
}

BOOST_AUTO_TEST_CASE(wrong_interfaces_and_files) {
  Lab lab(2);
  check_refused(lab, "xdp-lb load v0 nothing", 2, "no network interface 'nothing'");
  check_refused(lab, "xdp-lb load v0 v0", 2, "given twice");
  check_refused(lab, "xdp-lb load lo", 4, "--mode skb");
  check_refused(lab, "xdp-lb load v0 lo", 4, "--mode skb");
  check_refused(lab, "xdp-lb load -o /vm/count.bpf.o v0", 2, "not the BPF object of this release");
  check_refused(lab, "xdp-lb unload v0", 3, "no maps of xdp-lb are pinned");
  lab.require("xdp-lb load v0");
  check_refused(lab, "xdp-lb load v0", 2, "loaded on v0 already");
  check_refused(lab, "xdp-lb unload v1", 3, "not loaded on v1");
  check_refused(lab, "xdp-lb load --arena 1M v1", 2, "leave --arena out");
}

// A component in another network namespace keeps the maps, in a chain or by itself.
BOOST_AUTO_TEST_CASE(maps_that_others_use) {
  Lab lab;
  const Host other("other");
  other.ip("link add name w0 type veth peer name w1\nlink set w0 up\nlink set w1 up");
  const auto used_elsewhere = [&] {
    lab.require("xdp-lb load v0");
    const auto outcome = lab.run("xdp-lb unload v0");
    BOOST_TEST(outcome.status == 0);
    BOOST_TEST((outcome.err.find("another network namespace") != std::string::npos), outcome.err);
    BOOST_TEST(std::filesystem::exists(pin_folder));
  };
  other.require({"xdp-lb", "load", "w0"});
  used_elsewhere();
  other.require({"xdp-lb", "unload", "w0"});
  BOOST_TEST(!std::filesystem::exists(pin_folder));

  other.require({"env", "LIBXDP_SKIP_DISPATCHER=1", "xdp-loader", "load", "-p", pin_folder, "w0",
                 object_file});
  const auto status = other.require({"xdp-lb", "status", "w0"});
  BOOST_TEST((status.find("<no chain>") != std::string::npos), status);
  used_elsewhere();
  other.require({"xdp-lb", "unload", "w0"});
  BOOST_TEST(!std::filesystem::exists(pin_folder));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
