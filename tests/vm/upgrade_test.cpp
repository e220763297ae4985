// SPDX-License-Identifier: GPL-2.0-only
// xdp-lb upgrade in a chain, under load; kill_test.cpp and survive_test.cpp have more of it.
#include <bpf/bpf.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <future>

#include "plugin/object.h"
#include "plugin/pins.h"
#include "tests/net/fixture.h"
#include "tests/support/other_object.h"
#include "tests/vm/lab.h"

namespace xdplb::test {
namespace {

using namespace std::chrono_literals;

const std::string back = "xdp-lb upgrade -j -o " + std::string(object_file);

std::string to_other() {
  return "xdp-lb upgrade -j -o " + write_other_object(object_file, "/run/other.bpf.o");
}

nlohmann::json ours(const Lab& lab, const std::string& ifname = "v0") {
  const auto place = lab.chain(ifname);
  for (const auto& component : place.at("components"))
    if (component.at("ours")) return component;
  throw std::runtime_error("there is none of ours");
}

// Of the program on v0's egress; empty where there is none.
std::string egress_tag(const Lab& lab) {
  const Pins pins(pin_folder, Access::read);
  const std::uint32_t key = lab.host.ifindex("v0");
  bpf_devmap_val entry{};
  if (::bpf_map_lookup_elem(pins.egress().get(), &key, &entry) != 0) return "";
  return program_tag(Fd(::bpf_prog_get_fd_by_id(entry.bpf_prog.id)).get());
}

BOOST_AUTO_TEST_SUITE(upgrade)

BOOST_AUTO_TEST_CASE(no_packet_is_lost_or_leaked) {
  const auto other = to_other();
  Lab lab;
  lab.load_filter("v0");
  lab.require("xdp-lb load v0");
  lab.add_services("v0");
  for (int i = 0; i < counts(2, 30); ++i) BOOST_TEST_CONTEXT("upgrade " << i) {
      const auto before = ours(lab);
      const auto egress = egress_tag(lab);
      auto running =
          std::async(std::launch::async, [&] { return lab.run(i % 2 == 0 ? other : back); });
      lab.flood("v0", {.filter = true, .ours = true},
                [&] { return running.wait_for(0s) != std::future_status::ready; });
      const auto outcome = running.get();
      BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
      const auto done = nlohmann::json::parse(outcome.out).at("interfaces").at(0);
      BOOST_TEST(done.at("before").at("id") == before.at("id"));
      BOOST_TEST(done.at("now").at("id") == ours(lab).at("id"));
      BOOST_TEST(done.at("now").at("tag") != before.at("tag"));
      BOOST_TEST(lab.names("v0") == (Words{"xdpfilt_alw_tcp", "xdp_lb"}),
                 boost::test_tools::per_element());
      BOOST_TEST(done.at("now").at("name") == done.at("before").at("name"));
      BOOST_TEST((egress.empty() || egress_tag(lab) != egress));
    }
}

BOOST_AUTO_TEST_CASE(what_the_chain_says_of_it_stays) {
  const auto other = to_other();
  Lab lab(2);
  lab.load_filter("v0", "-m skb");
  lab.require("xdp-lb load -m skb -P 5 -A XDP_PASS,XDP_DROP v0");
  lab.require("xdp-lb load v1");
  lab.add_services("v0");
  const auto before = lab.chain("v0");
  const auto done = nlohmann::json::parse(lab.require(other)).at("interfaces");
  BOOST_TEST(done.size() == 2U);
  const auto after = lab.chain("v0");
  BOOST_TEST(after.at("mode") == "skb");
  BOOST_TEST(after.at("components").size() == 2U);
  for (const auto* key : {"name", "priority", "actions", "running"})
    BOOST_TEST(after.at("components").at(0).at(key) == before.at("components").at(0).at(key));
  BOOST_TEST(done.at(0).at("now").at("tag") == done.at(1).at("now").at("tag"));
  check_runs(lab, "v1", true);
  lab.require(other + " --force v1");
  check_runs(lab, "v1", true);
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  Lab lab(2);
  const auto other = to_other();
  lab.load_filter("v0");
  lab.require("xdp-lb load -A XDP_PASS,XDP_TX v0");
  check_refused(lab, other, 2, "old and new would both balance them");
  check_refused(lab, other + " v1", 3, "not loaded on v1");
  lab.require("xdp-lb unload v0");
  std::string files;
  for (int i = 0; i < 9; ++i) files += " " + std::string(counter_file);
  lab.require("xdp-loader load v1" + files);
  lab.require("xdp-lb load v1");
  check_refused(lab, other, 2, "it has 10 programs");
  check_runs(lab, "v1", true);
}

// After plain xdp-loader: what it didn't pin is there then.
BOOST_AUTO_TEST_CASE(of_what_plain_xdp_loader_loaded) {
  const auto other = to_other();
  Lab lab;
  lab.load_filter("v0");
  lab.require("xdp-loader load -p " + std::string(pin_folder) + " -P 30 v0 " + object_file);
  lab.add_services("v0");
  lab.require(other);
  check_runs(lab, "v0", true);
  BOOST_TEST(static_cast<bool>(Pins(pin_folder, Access::read).egress()));
  check_traffic(lab, "v0", {.filter = true, .ours = true});
}

// What an upgrade that was killed leaves, others take away too.
BOOST_AUTO_TEST_CASE(two_copies_become_one) {
  const auto other = to_other();
  const auto plain =
      "xdp-loader load -p " + std::string(pin_folder) + " -P 30 v0 " + std::string(object_file);
  std::ofstream("/run/empty.toml") << "";
  for (const auto& line : Words{other, "xdp-lb load v1", "xdp-lb apply /run/empty.toml",
                                "xdp-lb settle", "xdp-lb peer add 02:00:00:00:00:99"})
    BOOST_TEST_CONTEXT(line) {
      Lab lab(2);
      lab.require("xdp-lb load v0");
      lab.add_services("v0");
      lab.require(plain);
      BOOST_TEST(lab.names("v0") == (Words{"xdp_lb", "xdp_lb"}), boost::test_tools::per_element());
      check_traffic(lab, "v0", {.ours = true});
      lab.require(line);
      BOOST_TEST(lab.names("v0") == Words{"xdp_lb"}, boost::test_tools::per_element());
      check_runs(lab, "v0", true);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
