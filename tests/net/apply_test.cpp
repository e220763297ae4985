// SPDX-License-Identifier: GPL-2.0-only
// apply where something is in its way: it begins where a killed one ended, says before it changes
// anything what can't be, and what of it is done where it fails.
#include <sys/syscall.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>

#include "plugin/state.h"
#include "tests/net/cli_fixture.h"
#include "tests/net/site_file.h"
#include "tests/net/stopped.h"

namespace xdplb::test {
namespace {

using Json = nlohmann::json;

const std::string key = "cluster-key = \"00112233445566778899aabbccddeeff\"\n";

void check_says(const Outcome& outcome, const std::string& text) {
  BOOST_TEST((outcome.out + outcome.err).find(text) != std::string::npos,
             outcome.out << outcome.err);
}

// What the file changes is said to be that, and then nothing is left to do.
void check_applies(const Machine& machine, const std::string& file, const std::string& says = {}) {
  const auto planned = machine.run("plan " + file);
  check_status(planned, 5);
  check_says(planned, says);
  check_status(machine.run("apply " + file), 0);
  check_status(machine.run("plan " + file), 0);
}

std::string more_than_the_arena_has_room_for() {
  std::string services = interface;
  for (int i = 0; i < 450; ++i)
    services += "[[service]]\naddress = \"198.18." + std::to_string(i / 250) + "." +
                std::to_string(1 + i % 250) + ":80/tcp\"\n";
  return services;
}

BOOST_AUTO_TEST_SUITE(apply)

// Some of the maps are all that a killed first load leaves, of a load as of an apply.
BOOST_AUTO_TEST_CASE(what_is_left_of_maps_is_no_state) {
  Machine machine;
  const auto file = file_with(key + interface + http + two);
  for (const std::string left : {"lb_arena", "lb_meta", "lb_services"}) {
    machine.load();
    machine.loader.require("unload --keep-maps eth0");
    for (const auto& shape : map_shapes())
      if (shape.name != left) std::filesystem::remove(pin_of(pin_path, shape.name));
    check_applies(machine, file);
    machine.loader.require("unload --all");
  }
}

BOOST_AUTO_TEST_CASE(maps_of_another_abi) {
  Machine machine;
  machine.load();
  store(Pins(pin_path, Access::change).meta().abi, std::uint32_t{99});
  const auto file = file_with(interface + http + two);
  for (const std::string verb : {"plan ", "apply "})
    check_refused(machine, {{verb + file, 2, "have map ABI 99"}, {verb + file, 2, abi_remedy}});
}

BOOST_AUTO_TEST_CASE(maps_that_are_used_are_no_leftovers) {
  Machine machine;
  machine.load();
  std::filesystem::remove(pin_of(pin_path, "lb_meta"));
  const auto file = file_with(interface + http + two);
  for (const std::string verb : {"plan ", "apply "})
    check_refused(machine, {{verb + file, 2, "are gone while it runs"}});
}

BOOST_AUTO_TEST_CASE(the_key_is_the_files_while_there_is_no_service) {
  Machine machine;
  machine.load();
  const auto alone = file_with(key);
  check_status(machine.run("plan " + alone), 5);
  check_says(machine.run("plan " + alone), "Cluster key");
  const auto file = file_with(key + interface + http + two);
  const auto planned = Json::parse(machine.run("plan --json " + file).out);
  check_status(machine.run("apply " + file), 0);
  BOOST_TEST(machine.loader.require("save --full").find(key) != std::string::npos);
  check_status(machine.run("plan " + file), 0);
  // What was planned is of the same key.
  const auto backend = planned.at("services").at(0).at("backends").at(0);
  const auto listed = machine.loader.json("backend list 192.0.2.10:80/tcp").at(0);
  BOOST_TEST(backend.at("slots_after") == listed.at("slots"));
  check_refused(machine, {{"apply " + file_with("cluster-key = \"" + std::string(32, '7') + "\"\n" +
                                                interface + http + two),
                           2, "another cluster key"}});
}

BOOST_AUTO_TEST_CASE(what_can_not_be_is_said_before_anything_is_changed) {
  Machine machine;
  check_status(machine.run("apply " + file_with(interface + http + two)), 0);
  const auto gone = file_with(interface + "[[interface]]\nname = \"eth9\"\n" + http + three);
  machine.host.ip("link add name br0 type bridge");
  const auto bridge = file_with(interface + "[[interface]]\nname = \"br0\"\n" + http + three);
  machine.host.ip("link set eth1 mtu 1299\nlink set eth0 mtu 1299");
  const auto narrow =
      file_with("peers = [\"02:00:00:00:00:01\"]\n" + interface + http + three +
                "[[service]]\naddress = \"[2001:db8::10]:53/udp\"\nforward = \"ipip\"\nbackend = "
                "[\"10.0.0.2\"]\n");
  const auto many = file_with(more_than_the_arena_has_room_for());
  for (const std::string verb : {"plan ", "apply "})
    check_refused(machine, {{verb + gone, 2, "no network interface 'eth9'"},
                            {verb + bridge, 2, "br0 is a bridge"},
                            {verb + narrow, 2, "IPv6 needs 1280"},
                            {verb + many, 2, "and the arena of 67108864 bytes has no room"}});
}

// Where nothing has the component, and nothing is to have it, there is nowhere to put services.
BOOST_AUTO_TEST_CASE(nowhere_to_be) {
  Machine machine;
  for (const std::string verb : {"plan ", "apply "}) {
    for (const std::string none : {"", "interface = []\n"})
      check_refused(machine, {{verb + file_with(none + http + two), 3, "name an interface"}});
    check_status(machine.run(verb + file_with("interface = []\n")), 0);
  }
}

// plan notes what apply is refused for where the kernel can't have a chain.
BOOST_AUTO_TEST_CASE(where_no_chain_can_be) {
  Machine machine;
  const auto file = file_with(interface + http + two);
  const auto planned = machine.run("plan " + file);
  check_status(planned, 5);
  const bool noted = planned.err.find("needs --single-ok") != std::string::npos;
  const auto applied = machine.loader.run("apply --object " XDP_LB_OBJECT " " + file);
  BOOST_TEST(applied.status == (noted ? 4 : 0), applied.err);
  if (!noted) return;
  const auto alone = machine.run("apply " + file);
  check_status(alone, 0);
  BOOST_TEST(alone.err.find("--single-ok") == std::string::npos, alone.err);
}

// The link address that packets leave with is the interface's, and a static hop knows it.
BOOST_AUTO_TEST_CASE(an_interfaces_address_that_changed_is_a_change) {
  Machine machine;
  const auto file = file_with(interface + http +
                              "backend = [{address = \"10.0.0.2\", next-hop = "
                              "\"02:00:00:00:00:02%eth1\"}]\n");
  check_status(machine.run("apply " + file), 0);
  check_status(machine.run("plan " + file), 0);
  machine.host.ip("link set eth1 address 02:00:00:00:00:77");
  check_applies(machine, file, "-> 02:00:00:00:00:77");
}

// Of all kinds, each at its place.
BOOST_AUTO_TEST_CASE(what_can_not_be_here_is_said_at_once) {
  Machine machine;
  check_status(machine.run("apply " + file_with(interface + http + two)), 0);
  machine.host.ip("link add name br0 type bridge\nlink set eth1 mtu 1299\nlink set eth0 mtu 1299");
  const auto hop = [](const std::string& address, const std::string& name) {
    return "{ address = \"" + address + "\", next-hop = \"02:00:00:00:00:01%" + name + "\" }";
  };
  const auto file = file_with(
      key + "[[interface]]\nname = \"br0\"\n[[interface]]\nname = \"eth7\"\n" + http +
      "slots = 512\nbackend = [" + hop("10.0.0.2", "eth8") + ", " + hop("10.0.0.3", "eth9") +
      "]\n" +
      "[[service]]\naddress = \"[2001:db8::10]:53/udp\"\nforward = \"ipip\"\nbackend = [\n" +
      "\"10.0.0.2\",\n\"10.0.0.3\",\n" + hop("10.0.0.4", "eth6") + "]\n");
  const auto there_is_none = [](const std::string& name) {
    return "there is no network interface '" + name + "'; 'ip link' shows";
  };
  const std::vector<std::string> wanted{":1:15: the maps in",
                                        ":2:1: br0 is a bridge",
                                        ":4:1: " + there_is_none("eth7"),
                                        ":6:1: service 192.0.2.10:80/tcp has 16384 slots, not 512",
                                        ":9:12: " + there_is_none("eth8"),
                                        ":9:75: " + there_is_none("eth9"),
                                        ":14:1: backend 10.0.0.2 of service [2001:db8::10]:53/udp",
                                        ":15:1: backend 10.0.0.3 of service [2001:db8::10]:53/udp",
                                        ":16:1: " + there_is_none("eth6")};
  for (const std::string verb : {"plan ", "apply "}) {
    check_refused(machine, {{verb + file, 2, file + wanted[0]}});
    const auto said = machine.run(verb + file).err;
    for (std::size_t i = 0, at = 0; i < wanted.size(); i++) {
      const auto found = said.find(file + wanted[i], at);
      BOOST_TEST_REQUIRE(found != std::string::npos, "no " << wanted[i] << " in " << said);
      at = found;
    }
    BOOST_TEST(static_cast<std::size_t>(std::ranges::count(said, '\n')) == wanted.size(), said);
  }
  // What the arena has no room for is known when all else can be.
  const auto many = file_with(more_than_the_arena_has_room_for());
  check_refused(machine, {{"plan " + many, 2, "bytes, and the arena of 67108864 bytes has no room"},
                          {"plan " + many, 2, many + ":"}});
}

BOOST_AUTO_TEST_CASE(what_failed_halfway_is_no_bad_input) {
  Machine machine;
  check_status(machine.run("apply " + file_with(interface + http + two)), 0);
  attach_pass(machine.host, "eth1");
  const auto file = file_with(interface + other + http + three);
  const auto outcome = machine.run("apply " + file);
  check_status(outcome, 1);
  check_says(outcome, "a part of the file is applied");
  machine.host.require(split("ip link set dev eth1 xdp off"));
  check_status(machine.run("apply " + file), 0);
  check_status(machine.run("plan " + file), 0);
  // Where nothing was changed before.
  machine.loader.require("unload --keep-maps eth1");
  attach_pass(machine.host, "eth1");
  check_refused(machine, {{"apply " + file, 2, "XDP program that is in no chain"}});
}

BOOST_AUTO_TEST_CASE(an_unfinished_change_is_one_to_be_done) {
  Machine machine;
  const auto file = file_with(interface + http + two);
  check_status(machine.run("apply " + file), 0);
  const auto begin = [](bool index) {
    const Pins pins(pin_path, Access::change);
    auto& service = pins.services()[State(pins).services().at(0).number];
    auto conf = load(service.conf);
    conf.table_stale = index ? 0 : 1;
    store(service.conf, conf);
    store(pins.meta().index_stale, index ? 1U : 0U);
  };
  for (const bool index : {true, false}) {
    begin(index);
    check_applies(machine, file, "A change that was killed: completed");
  }
}

// A change between its plan and its own counts as well.
BOOST_AUTO_TEST_CASE(no_other_change_gets_it_past_the_limit) {
  Machine machine;
  check_status(machine.run("apply " + file_with(interface + http + two)), 0);
  const auto file = file_with(interface + http + two + "epoch = 60\n");
  const auto order = machine.loader.command("apply --max-move 1 --single-ok " + file);
  const std::string backend = "192.0.2.10:80/tcp 10.0.0.4";
  const auto status = run_stopped(machine.host, order, SYS_flock, 3, Then::go_on,
                                  [&] { machine.loader.require("backend add " + backend); });
  BOOST_TEST(status == 2);
  BOOST_TEST(machine.loader.require("backend list").find("10.0.0.4") != std::string::npos);
  check_status(machine.run("plan " + file), 5);
}

BOOST_AUTO_TEST_CASE(shares_that_are_coarse_are_told) {
  Machine machine;
  std::string backends;
  for (int i = 2; i < 40; ++i) backends += "\"10.0.0." + std::to_string(i) + "\",";
  const auto file = file_with(interface + http + "slots = 256\nbackend = [" + backends + "]\n");
  check_says(machine.run("plan " + file), "a fair share is below 10 slots");
  check_status(machine.run("apply " + file), 0);
  check_says(machine.run("plan " + file), "a fair share is below 10 slots");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
