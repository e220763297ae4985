// SPDX-License-Identifier: GPL-2.0-only
// plan, apply, confirm and save, as an administrator has them.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <thread>

#include "plugin/state.h"
#include "tests/net/cli_fixture.h"
#include "tests/net/site_file.h"
#include "tests/net/traced_packet.h"

namespace xdplb::test {
namespace {

using Json = nlohmann::json;

const std::string names = "[[service]]\naddress = \"[2001:db8::10]:53/udp\"\nforward = \"nat\"\n";
const std::string six = "backend = [\"fd00::2\", { address = \"[fd00::3]:5353\", weight = 3 }]\n";

// Whose each slot is.
std::vector<std::string> owners(const std::string& service) {
  const Pins pins(pin_path, Access::read);
  const State state(pins);
  const auto found = state.service(ServiceId::parse(service));
  std::map<std::uint16_t, std::string> names_of{{0, "none"}};
  for (const auto& backend : state.backends(found.number))
    names_of[static_cast<std::uint16_t>(backend.handle)] = backend.id.to_string();
  std::vector<std::string> all;
  for (const auto handle : state.current_of(found)) all.push_back(names_of.at(handle));
  return all;
}

BOOST_AUTO_TEST_SUITE(configure)

BOOST_AUTO_TEST_CASE(from_nothing_and_back) {
  Machine machine;
  const auto file = file_with(interface + http + two + names + six);
  check_status(machine.run("plan " + file), 5);
  BOOST_TEST(!machine.run("status --check").out.starts_with("xdp"));
  const auto applied = machine.run("apply " + file);
  check_status(applied, 0);
  BOOST_TEST(applied.out.find("Interface eth0: load") != std::string::npos, applied.out);
  machine.loader.require("status --check eth0");
  check_status(machine.run("plan " + file), 0);
  const auto now = take_snapshot(machine);
  check_status(machine.run("apply " + file), 0);
  BOOST_TEST(differences(now, take_snapshot(machine)).empty());

  const auto saved = file_with(machine.loader.require("save"));
  check_status(machine.run("plan " + saved), 0);
  check_status(machine.run("plan " + file_with(machine.loader.require("save --full"))), 0);
  // What watches the backends may change their states: the file doesn't say any.
  machine.loader.require("backend down 192.0.2.10:80/tcp 10.0.0.2");
  check_status(machine.run("plan " + file), 0);
  check_status(machine.run("plan " + saved), 0);
  BOOST_TEST(machine.loader.require("save").find("state = \"down\"") != std::string::npos);
  check_status(machine.run("plan " + file_with(machine.loader.require("save"))), 0);

  check_status(machine.run("apply " + file_with("interface = []\n")), 0);
  check_status(machine.run("status --check eth0"), 3);
  BOOST_TEST(machine.loader.json("service list").empty());
}

BOOST_AUTO_TEST_CASE(a_plan_tells_what_apply_does) {
  Machine machine;
  check_status(machine.run("apply " + file_with(interface + http + two + names + six)), 0);
  const auto before = owners("192.0.2.10:80/tcp");
  const auto file = file_with(interface + http + three + "epoch = 60\n" + names + six);
  const auto planned = Json::parse(machine.run("plan --json " + file).out);
  const auto applied = Json::parse(machine.run("apply --json " + file).out);
  BOOST_TEST(planned.at("services") == applied.at("services"));
  BOOST_TEST_REQUIRE(planned.at("services").size() == 1U);
  const auto& service = planned.at("services").at(0);
  BOOST_TEST(service.at("changes") == Json::parse(R"(["epoch 900 -> 60"])"));
  const auto after = owners("192.0.2.10:80/tcp");
  std::map<std::pair<std::string, std::string>, unsigned> moves;
  std::map<std::string, std::pair<unsigned, unsigned>> shares;
  unsigned moved = 0;
  for (std::size_t i = 0; i < before.size(); i++) {
    shares[before[i]].first++;
    shares[after[i]].second++;
    if (before[i] == after[i]) continue;
    moves[{before[i], after[i]}]++;
    moved++;
  }
  BOOST_TEST(moved > 1000U);
  BOOST_TEST(service.at("moved_slots") == moved);
  BOOST_TEST(service.at("moves").size() == moves.size());
  for (const auto& move : service.at("moves"))
    BOOST_TEST(move.at("slots") == moves.at({move.at("from"), move.at("to")}));
  for (const auto& backend : service.at("backends")) {
    const auto& [then, now] = shares.at(backend.at("backend"));
    BOOST_TEST(backend.at("slots_before") == then);
    BOOST_TEST(backend.at("slots_after") == now);
  }
}

BOOST_AUTO_TEST_CASE(what_is_refused_changes_nothing) {
  Machine machine;
  check_status(machine.run("apply " + file_with(interface + http + two)), 0);
  const auto good = file_with(interface + http + three);
  const auto sized = file_with(http + "slots = 512\n" + two);
  const auto key = file_with("cluster-key = \"00112233445566778899aabbccddeeff\"\n" + http + two);
  const auto many = file_with(http + two + "foward = 1\nepoch = 0\n");
  const auto hop = file_with(
      http + "backend = [{ address = \"10.0.0.2\", next-hop = \"02:00:00:00:00:01%eth9\" }]\n");
  const auto gone = file_with("[[interface]]\nname = \"eth9\"\n" + http + three);
  for (const std::string verb : {"plan", "apply"})
    check_refused(machine, {{verb, 2, "FILE"},
                            {verb + " /run/none.toml", 2, "none.toml: No such file or directory"},
                            {verb + " /run", 2, "the configuration file /run: Is a directory"},
                            {verb + " " + many, 2, ":5:9: epoch is not a number"},
                            {verb + " --max-move 1 " + good, 2, "of its slots would move"},
                            {verb + " --max-move x " + good, 2, "is not a percentage"},
                            {verb + " " + sized, 2, "has 16384 slots, not 512"},
                            {verb + " " + key, 2, "another cluster key"},
                            {verb + " " + hop, 2, "eth9"}});
  check_refused(machine, {{"apply --confirm 0 " + good, 2, "is not a number of seconds"},
                          {"apply --confirm 60 " + sized, 2, "has 16384 slots"},
                          {"confirm", 3, "no change waits"},
                          {"plan --offline --max-move 0 " + good, 2, "is not for --offline"},
                          {"plan --offline " + many, 2, "did you mean 'forward'?"}});
  check_status(machine.run("plan --offline " + good), 0);
}

BOOST_AUTO_TEST_CASE(a_change_that_nobody_confirms_is_taken_back) {
  Machine machine;
  const auto first = file_with(interface + http + two);
  const auto second = file_with(interface + http + three + names + six);
  check_status(machine.run("apply " + first), 0);
  machine.loader.require("backend drain 192.0.2.10:80/tcp 10.0.0.3");
  const auto before = machine.loader.require("save --full");
  // The shell that said it is gone at once.
  const std::string order = XDP_LB_LOADER " apply --single-ok --object " XDP_LB_OBJECT
                                          " --confirm 2 " +
                            second + " && kill -KILL $$";
  check_status(machine.host.run({"sh", "-c", order}), 128 + SIGKILL);
  check_status(machine.run("plan " + second), 0);
  check_status(machine.run("apply " + first), 2);
  BOOST_TEST(wait_until([&] { return machine.loader.require("save --full") == before; }, 60));
  BOOST_TEST(wait_until([&] { return machine.run("confirm").status == 3; }, 60));

  std::filesystem::remove_all("/run/xdp-lb");
  check_status(machine.run("apply --confirm 2 " + second), 0);
  // others go through it to a socket
  BOOST_TEST(machine.host.require(split("stat -c %a /run/xdp-lb")) == "755\n");
  check_status(machine.run("confirm"), 0);
  check_status(machine.run("confirm"), 3);
  std::this_thread::sleep_for(std::chrono::seconds(4));
  check_status(machine.run("plan " + second), 0);
}

BOOST_AUTO_TEST_CASE(nodes_are_compared) {
  Machine machine;
  check_status(machine.run("apply " + file_with(interface + http + two + names + six)), 0);
  const auto other = file_with(machine.loader.require("digest --json"));
  check_status(machine.run("digest --against " + other), 0);
  machine.loader.require("backend drain 192.0.2.10:80/tcp 10.0.0.3");
  machine.loader.require("service del [2001:db8::10]:53/udp");
  machine.loader.require("service add [2001:db8::11]:53/udp");
  const auto outcome = machine.run("digest --against " + other);
  check_status(outcome, 3);
  for (const std::string line : {"service 192.0.2.10:80/tcp decides otherwise",
                                 "service [2001:db8::11]:53/udp is here alone",
                                 "service [2001:db8::10]:53/udp is there alone"})
    BOOST_TEST(outcome.out.find(line) != std::string::npos, outcome.out);
  check_refused(machine, {{"digest --against /run/none", 2, "/run/none: No such file"},
                          {"digest --against " + file_with("{}"), 2, "is no digest"}});
}

// Loaded and made anew, of a service that had a flow before its second backend came, or had none.
std::string digest_of_node(const Machine& machine, const std::string& id, bool flow) {
  (void)machine.run("unload --all");
  const auto key = file_with("000102030405060708090a0b0c0d0e0f\n");
  check_status(machine.run("load eth0 -m skb --key-file " + key), 0);
  machine.loader.require("service add --epoch 3600 " + id);
  machine.loader.require("backend add " + id + " 10.0.0.2 --next-hop 02:00:00:00:00:02%eth0");
  if (flow) {
    const auto to = ServiceId::parse(id);
    send_frames(
        machine.host, "eth1",
        {build({.to = to.vip, .proto = static_cast<std::uint8_t>(to.protocol), .dport = to.port})});
    BOOST_TEST(wait_until(
        [&] { return machine.loader.json("stats").at("reasons").at("ipv4").contains("forwarded"); },
        5));
  }
  machine.loader.require("backend add " + id + " 10.0.0.3 --next-hop 02:00:00:00:00:03%eth0");
  return file_with(machine.loader.require("digest --json"));
}

// Their tables are the same, but flows of one may be old ones.
BOOST_AUTO_TEST_CASE(an_epoch_of_one_node_is_told) {
  Machine machine;
  const std::string line = " has another epoch: new flows go elsewhere for 36";
  for (const std::string id : {"192.0.2.10:53/udp", "192.0.2.10:80/tcp"}) {
    const bool udp = id.ends_with("udp");
    const auto fresh = digest_of_node(machine, id, false);
    digest_of_node(machine, id, true);
    const auto outcome = machine.run("digest --against " + fresh);
    check_status(outcome, udp ? 3 : 0);
    BOOST_TEST((outcome.out.find("service " + id + line) != std::string::npos) == udp, outcome.out);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
