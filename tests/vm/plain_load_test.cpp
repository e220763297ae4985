// SPDX-License-Identifier: GPL-2.0-only
// The object as plain xdp-loader attaches it, and our loader over it.
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/vm/lab.h"

namespace xdplb::test {
namespace {

BOOST_AUTO_TEST_SUITE(plain_load)

const auto plain = "xdp-loader load -p " + std::string(pin_folder) + " -P 30 ";

BOOST_AUTO_TEST_CASE(is_managed_like_our_own, *boost::unit_test::label("smoke")) {
  Lab lab(2);
  lab.load_filter("v0");
  lab.require(plain + "v0 " + object_file);
  lab.load_counter("v0");
  check_runs(lab, "v0", true);
  check_traffic(lab, "v0", {.filter = true, .counter = true});  // no services yet

  lab.add_services("v0");  // adopts the maps
  check_traffic(lab, "v0", {.filter = true, .ours = true, .counter = true});
  const auto permissions = std::filesystem::status(std::string(pin_folder) + "/lb_meta");
  BOOST_TEST((permissions.permissions() == std::filesystem::perms(0600)));

  check_refused(lab, "xdp-lb load v0", 2, "loaded on v0 already");
  lab.require("xdp-lb load v1");
  lab.require("xdp-lb backend set 192.0.2.10:80/tcp 10.0.0.1 -w 3");
  check_traffic(lab, "v0", {.filter = true, .ours = true, .counter = true});

  lab.require("xdp-lb unload v0");
  check_runs(lab, "v0", false);
  check_runs(lab, "v1", true);
  check_traffic(lab, "v0", {.filter = true, .counter = true});
  lab.require("xdp-lb unload v1");
  BOOST_TEST(!std::filesystem::exists(pin_folder));
}

BOOST_AUTO_TEST_CASE(joins_the_maps_that_our_loader_made) {
  Lab lab(2);
  lab.require("xdp-lb load v0");
  lab.add_services("v1");
  lab.require(plain + "v1 " + object_file);
  check_runs(lab, "v1", true);
  check_traffic(lab, "v1", {.ours = true});
  lab.require("xdp-lb unload --all");
  BOOST_TEST(lab.world() == (World{{}, {0, 0}}));
}

// As a crash of an upgrade would leave it.
BOOST_AUTO_TEST_CASE(two_copies_in_one_chain_work_and_go_together) {
  Lab lab;
  lab.load_filter("v0");
  lab.require(plain + "v0 " + object_file);
  lab.require(plain + "v0 " + object_file);
  lab.load_counter("v0");
  lab.add_services("v0");
  BOOST_TEST(lab.names("v0") == (Words{"xdpfilt_alw_tcp", "xdp_lb", "xdp_lb", "xdp_count"}),
             boost::test_tools::per_element());
  check_runs(lab, "v0", true);
  check_traffic(lab, "v0", {.filter = true, .ours = true, .counter = true});

  lab.require("xdp-lb unload v0");
  BOOST_TEST(!std::filesystem::exists(pin_folder));
  check_traffic(lab, "v0", {.filter = true, .counter = true});
}

// Without -p each copy has maps of its own: none of ours, which must not be touched.
BOOST_AUTO_TEST_CASE(a_copy_without_our_maps_is_not_ours) {
  Lab lab;
  lab.require("xdp-loader load v0 " + std::string(object_file));
  check_refused(lab, "xdp-lb unload v0", 3, "no maps of xdp-lb are pinned");
  lab.require("xdp-lb load v0");
  lab.require("xdp-lb unload v0");
  const auto status = lab.require("xdp-loader status v0");
  BOOST_TEST(status.find(" xdp_lb ") != std::string::npos);
  BOOST_TEST(!std::filesystem::exists(pin_folder));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
