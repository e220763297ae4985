// SPDX-License-Identifier: GPL-2.0-only
// Several interfaces, both modes, jumbo frames, interfaces that vanish.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/vm/lab.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;
const Words modes{"native", "skb"};

constexpr unsigned jumbo_mtu = 9000;
constexpr std::size_t jumbo_payload = 8900;

BOOST_AUTO_TEST_SUITE(interface)

BOOST_DATA_TEST_CASE(chains_of_either_mode, data::make(modes), mode) {
  Lab lab;
  const auto option = "-m " + mode;
  lab.load_filter("v0", option);
  lab.require("xdp-lb load " + option + " v0");
  lab.load_counter("v0", option);
  lab.add_services("v0");
  BOOST_TEST(lab.chain("v0").at("mode") == mode);
  check_traffic(lab, "v0", {.filter = true, .ours = true, .counter = true});
}

BOOST_AUTO_TEST_CASE(one_command_several_interfaces) {
  Lab lab(3);
  lab.load_counter("v1");
  lab.require("xdp-lb load v0 v1");
  lab.require("xdp-lb load -m skb v2");  // one set of maps, two modes
  lab.add_services("v0");
  check_traffic(lab, "v0", {.ours = true});
  for (const auto* ifname : {"v0", "v1", "v2"}) check_runs(lab, ifname, true);

  lab.require("xdp-lb unload v0");
  check_runs(lab, "v0", false);
  check_traffic(lab, "v0", {});
  check_runs(lab, "v1", true);
  lab.require("xdp-lb unload --all");
  BOOST_TEST(!std::filesystem::exists(pin_folder));
  BOOST_TEST(lab.program("v0") == 0U);
  BOOST_TEST(lab.program("v1") != 0U);  // the counter stays
  BOOST_TEST(lab.program("v2") == 0U);
}

BOOST_AUTO_TEST_CASE(all_interfaces_or_none) {
  Lab lab(2);
  lab.load_filter("v1", "-m skb");
  check_refused(lab, "xdp-lb load v0 v1", 2, "skb mode");
  lab.require("xdp-lb load v0");
  lab.add_services("v0");
  check_refused(lab, "xdp-lb load v1", 2, "skb mode");  // and the maps in use stay
  check_traffic(lab, "v0", {.ours = true});
}

BOOST_AUTO_TEST_CASE(jumbo_frames) {
  Lab lab(1, jumbo_mtu);
  lab.require("xdp-lb load v0");
  lab.add_services("v0");
  const auto wanted = expected({.ours = true}, Lab::burst);
  BOOST_TEST(lab.exchange("v0", wanted, Lab::burst, jumbo_payload) == wanted);

  const auto before = lab.program("v0");
  BOOST_TEST(lab.run("xdp-filter load -f tcp v0").status != 0);  // knows no multi-buffer frames
  BOOST_TEST(lab.program("v0") == before);
  BOOST_TEST(lab.exchange("v0", wanted, Lab::burst, jumbo_payload) == wanted);
  check_runs(lab, "v0", true);
}

// Before Linux 6.12, a veth's limit of the MTU is that of its first program: so a chain that knows
// no multi-buffer frames can get an MTU at which no program can join it.
BOOST_AUTO_TEST_CASE(what_hinders_at_a_jumbo_mtu) {
  Lab lab;
  const auto raise = "ip link set p0 mtu " + std::to_string(jumbo_mtu);
  lab.require("xdp-lb load v0");
  lab.load_filter("v0");
  lab.require("xdp-lb unload v0");
  const bool raised = lab.run(raise).status == 0;
  BOOST_TEST_MESSAGE("a chain of xdp-filter " << (raised ? "gets" : "can't get")
                                              << " a jumbo MTU here");
  if (raised)
    check_refused(lab, "xdp-lb load v0", 1, "multi-buffer frames");
  else
    lab.require("xdp-lb load v0");
  check_traffic(lab, "v0", {.filter = true});
  lab.require("xdp-filter unload v0");
  if (raised)
    lab.require("xdp-lb load v0");
  else
    lab.require(raise);  // ours alone takes any
  check_runs(lab, "v0", true);
}

BOOST_AUTO_TEST_CASE(deleted_interface) {
  Lab lab(2);
  lab.require("xdp-lb load v0 v1");
  lab.add_services("v1");
  lab.require("ip link del v0");
  BOOST_TEST(lab.run("xdp-lb status --check v0").status == 2);
  check_runs(lab, "v1", true);
  check_runs(lab, "", true);
  check_traffic(lab, "v1", {.ours = true});
  BOOST_TEST(lab.require("xdp-lb status").find("v1 ") != std::string::npos);

  // libxdp's pins of the chain that went with v0 still hold the component, and so the maps.
  const auto left = lab.run("xdp-lb unload --all");
  BOOST_TEST(left.status == 0);
  BOOST_TEST((left.err.find("xdp-loader clean") != std::string::npos), left.err);
  BOOST_TEST(lab.program("v1") == 0U);
  BOOST_TEST(std::filesystem::exists(pin_folder));
  lab.require("xdp-loader clean");
  lab.require("xdp-lb unload --all");
  BOOST_TEST(!std::filesystem::exists(pin_folder));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
