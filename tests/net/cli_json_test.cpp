// SPDX-License-Identifier: GPL-2.0-only
// --json: every verb prints one document, whose keys scripts rely on.
#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

#include "plugin/pins.h"
#include "tests/net/cli_fixture.h"

namespace xdplb::test {
namespace {

using Json = nlohmann::json;
using Paths = std::set<std::string>;

// Where there are values: "interfaces[].main.id". Names of reasons are no keys but values.
void add_paths(const Json& json, const std::string& path, Paths& paths) {
  if (path.starts_with("reasons.") && std::count(path.begin(), path.end(), '.') == 1) {
    for (const auto& reason : json) add_paths(reason, path + ".*", paths);
  } else if (json.is_object()) {
    for (const auto& [key, value] : json.items())
      add_paths(value, path.empty() ? key : path + "." + key, paths);
  } else if (json.is_array() && !json.empty()) {
    for (const auto& element : json) add_paths(element, path + "[]", paths);
  } else {
    paths.insert(path);
  }
}

Paths paths_of(const Json& json) {
  Paths paths;
  add_paths(json, "", paths);
  return paths;
}

struct Keys {
  std::string line;
  std::string always;
  std::string sometimes;  // depends on kernel, traffic and interfaces
};

const std::string chain =
    "interfaces[].interface interfaces[].running interfaces[].mode interfaces[].chained "
    "interfaces[].main.name interfaces[].main.id interfaces[].main.tag interfaces[].main.priority "
    "interfaces[].main.actions interfaces[].main.ours interfaces[].main.running ";
const std::string components =
    "interfaces[].components interfaces[].components[].name interfaces[].components[].id "
    "interfaces[].components[].tag interfaces[].components[].priority "
    "interfaces[].components[].actions interfaces[].components[].ours "
    "interfaces[].components[].running interfaces[].problem ";
const std::string memory =
    "memory.bytes memory.maps.lb_arena memory.maps.lb_meta memory.maps.lb_services "
    "memory.maps.lb_backends memory.maps.lb_vlans memory.maps.lb_egress memory.maps.lb_next_hops "
    "memory.maps.lb_return_hops memory.maps.lb_flows memory.maps.lb_exceptions "
    "memory.maps.lb_exception_cnt memory.maps.lb_limits "
    "memory.maps.lb_reason_cnt memory.maps.lb_service_cnt memory.maps.lb_samples ";
const std::string reasons =
    "reasons.no-family reasons.ipv4 reasons.ipv6 reasons.no-family.*.packets "
    "reasons.no-family.*.bytes reasons.ipv4.*.packets reasons.ipv4.*.bytes "
    "reasons.ipv6.*.packets reasons.ipv6.*.bytes";

const std::vector<Keys> documents{
    {"status",
     chain + memory +
         "pin_path map_abi generation services[].service services[].forward "
         "services[].balance services[].slots services[].fragments services[].ping "
         "services[].state services[].epoch services[].on_down services[].last_resort "
         "services[].changed.slots services[].changed.phase_1 services[].changed.seconds "
         "services[].backends services[].remark exceptions.capacity exceptions.used "
         "exceptions.made exceptions.evicted exceptions.refused",
     components + reasons},
    {"stats", "services[].service services[].what services[].packets services[].bytes", reasons},
    {"drops", "", reasons},
    {"service list",
     "[].service [].forward [].balance [].slots [].fragments [].ping [].state [].epoch "
     "[].on_down [].last_resort [].backends",
     ""},
    {"backend list",
     "[].service [].backend [].forward [].weight [].state [].slots [].flows [].phase_1 "
     "[].last_resort [].next_hop",
     ""},
    {"backend list 192.0.2.10:80/tcp",
     "[].service [].backend [].forward [].weight [].state [].slots [].flows [].phase_1 "
     "[].last_resort",
     ""},
    {"save", "file", ""},
    {"metrics", "[].name [].value",
     "[].labels.service [].labels.backend [].labels.reason [].labels.fate [].labels.family "
     "[].labels.state [].labels.map [].labels.interface"},
    {"digest",
     "tables epochs services[].service services[].tables services[].epochs services[].wrong_slots",
     ""},
    {"settle", "closed_slots changed_slots removed notes", ""},
    {"trace --object " XDP_LB_OBJECT " [2001:db8::7]:1 [2001:db8::11]:53/udp",
     "interface program notes packets[].packet packets[].from packets[].to packets[].protocol "
     "packets[].service packets[].slot.number packets[].slot.of packets[].slot.hash "
     "packets[].slot.state packets[].slot.current packets[].slot.remembered packets[].backend "
     "packets[].state packets[].forward packets[].next_hop.local packets[].next_hop.hop "
     "packets[].next_hop.mtu packets[].reason packets[].verdict packets[].out",
     ""},
    {"trace --object " XDP_LB_OBJECT " 198.51.100.7:1 192.0.2.10:81/tcp",
     "interface program notes packets[].packet packets[].from packets[].to packets[].protocol "
     "packets[].reason packets[].verdict packets[].out",
     ""},
    {"backend-setup 192.0.2.10:80/tcp 10.0.0.3",
     "[].service [].backend [].forward [].needs [].commands[] [].files[].path [].files[].lines[] "
     "[].advice",
     "[].mss [].advice[]"},
    {"upgrade",
     "interfaces[].interface interfaces[].upgraded interfaces[].before.name "
     "interfaces[].before.id interfaces[].before.tag interfaces[].now.name interfaces[].now.id "
     "interfaces[].now.tag notes",
     ""},
    {"check eth0", "[].level [].subject [].text [].remedy", ""}};

Json parsed(const Outcome& outcome) {
  Json json;
  BOOST_REQUIRE_NO_THROW(json = Json::parse(outcome.out));
  return json;
}

BOOST_AUTO_TEST_SUITE(cli_json)

BOOST_AUTO_TEST_CASE(keys_of_documents) {
  Machine machine;
  machine.load_with_services();
  machine.loader.require("service add [2001:db8::11]:53/udp --slots 256");
  machine.loader.require(
      "backend add [2001:db8::11]:53/udp fd00::3 --next-hop 02:00:5e:00:53:01%eth0");
  for (const auto& [line, always, sometimes] : documents) BOOST_TEST_CONTEXT(line) {
      const auto paths = paths_of(parsed(machine.run(line + " --json")));
      auto expected = split(always);
      for (const auto& path : expected) BOOST_TEST(paths.contains(path), path << " is missing");
      for (const auto& path : split(sometimes)) expected.push_back(path);
      for (const auto& path : paths)
        BOOST_TEST((std::ranges::find(expected, path) != expected.end()), path << " is new");
    }
}

BOOST_AUTO_TEST_CASE(values) {
  Machine machine;
  machine.load_with_services();
  const auto services = machine.loader.json("service list");
  BOOST_TEST(services.size() == 2U);
  BOOST_TEST(services.at(0) == (Json{{"service", "192.0.2.10:80/tcp"},
                                     {"forward", "l2"},
                                     {"balance", "slack"},
                                     {"slots", 16384},
                                     {"fragments", "drop"},
                                     {"ping", false},
                                     {"state", "changed"},
                                     {"epoch", 900},
                                     {"on_down", "rehash"},
                                     {"last_resort", "drop"},
                                     {"backends", 2}}));
  const auto backends = machine.loader.json("backend list 192.0.2.10:80/tcp");
  BOOST_TEST(backends.at(0) == (Json{{"service", "192.0.2.10:80/tcp"},
                                     {"backend", "10.0.0.2"},
                                     {"forward", "l2"},
                                     {"weight", 3},
                                     {"state", "up"},
                                     {"slots", 16384},
                                     {"flows", 0},
                                     {"phase_1", false},
                                     {"last_resort", false}}));
  BOOST_TEST(backends.at(1).at("state") == "drain");
  BOOST_TEST(backends.at(1).at("weight") == 1);
  BOOST_TEST(backends.at(1).at("slots") == 0);
  BOOST_TEST(machine.loader.json("backend list").at(3).at("next_hop") == "02:00:5e:00:53:01%eth0");
  const auto status = machine.loader.json("status eth0");
  BOOST_TEST(status.at("interfaces").size() == 1U);
  BOOST_TEST(status.at("interfaces").at(0).at("running") == true);
  BOOST_TEST(status.at("pin_path") == pin_path);
}

// What the kernel says of each map, no less than its values, and the sum.
BOOST_AUTO_TEST_CASE(memory_of_maps) {
  Machine machine;
  machine.load();
  const auto json = machine.loader.json("status").at("memory");
  std::uint64_t sum = 0;
  for (const auto& shape : map_shapes()) {
    const auto bytes = json.at("maps").at(std::string(shape.name)).get<std::uint64_t>();
    BOOST_TEST(bytes >= std::uint64_t{shape.value_size} * shape.max_entries, shape.name);
    sum += bytes;
  }
  BOOST_TEST(json.at("maps").size() == map_shapes().size());
  BOOST_TEST(json.at("maps").at("lb_arena").get<std::uint64_t>() >= LB_ARENA_SIZE);
  BOOST_TEST(json.at("bytes").get<std::uint64_t>() == sum);
  const auto text = machine.run("status").out;
  const auto at = text.find("Kernel memory of the maps: ");
  BOOST_TEST_REQUIRE(at != std::string::npos, text);
  const auto shown = std::stod(text.substr(text.find(": ", at) + 2));
  BOOST_TEST(std::abs(shown - static_cast<double>(sum) / (1U << 20)) < 0.1, text);
}

// Without services, interfaces or maps: still a document.
BOOST_AUTO_TEST_CASE(empty_documents) {
  Machine machine;
  BOOST_TEST(parsed(machine.run("status --json")).at("interfaces") == Json::array());
  machine.load();
  BOOST_TEST(machine.loader.json("service list") == Json::array());
  BOOST_TEST(machine.loader.json("backend list") == Json::array());
  BOOST_TEST(machine.loader.json("stats").at("services") == Json::array());
  BOOST_TEST(machine.loader.json("status").at("services") == Json::array());
}

// Orders too: their notes are what there is to tell.
BOOST_AUTO_TEST_CASE(documents_of_orders) {
  Machine machine;
  for (const std::string line :
       {"load eth0", "service add 192.0.2.10:80/tcp", "service set 192.0.2.10:80/tcp --balance off",
        "backend add 192.0.2.10:80/tcp 172.16.0.1", "backend set 192.0.2.10:80/tcp 172.16.0.1 -w 2",
        "backend drain 192.0.2.10:80/tcp 172.16.0.1", "backend down 192.0.2.10:80/tcp 172.16.0.1",
        "backend up 192.0.2.10:80/tcp 172.16.0.1", "backend del 192.0.2.10:80/tcp 172.16.0.1",
        "service del 192.0.2.10:80/tcp", "unload eth0"})
    BOOST_TEST_CONTEXT(line) {
      const auto outcome = machine.run(line + " --json");
      BOOST_TEST(outcome.status == 0, outcome.err);
      const auto json = Json::parse(outcome.out, nullptr, false);
      BOOST_TEST((json.is_object() && json.contains("notes") && json.at("notes").is_array()),
                 "it printed '" << outcome.out << "'");
      BOOST_TEST(outcome.err.empty(), outcome.err);
      if (line.starts_with("backend add") && json.is_object())
        BOOST_TEST(json.at("notes").dump().find("no route") != std::string::npos, json.dump());
    }
}

// A document a line, so that they can be told apart.
BOOST_AUTO_TEST_CASE(documents_at_intervals) {
  Machine machine;
  machine.load_with_services();
  const auto command = std::string(XDP_LB_LOADER) + " stats --json --interval 1 | head -n 3";
  const auto outcome = machine.host.run({"timeout", "10", "sh", "-c", command});
  std::istringstream lines(outcome.out);
  int documents = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    const auto json = Json::parse(line, nullptr, false);
    BOOST_TEST(json.is_array(), line);
    ++documents;
  }
  BOOST_TEST(documents >= 2);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
