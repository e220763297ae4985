// SPDX-License-Identifier: GPL-2.0-only
// --json: every verb prints one document, whose keys scripts rely on: xdp-lb-json(5) has them.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <string>

#include "plugin/pins.h"
#include "tests/net/cli_fixture.h"
#include "tests/net/json_page.h"

namespace xdplb::test {
namespace {

using Json = nlohmann::json;
const Words documents{"status",
                      "stats",
                      "drops",
                      "service list",
                      "backend list",
                      "backend list 192.0.2.10:80/tcp",
                      "save",
                      "import ipvs /run/rules",
                      "import keepalived /run/keepalived.conf",
                      "metrics",
                      "digest",
                      "announce",
                      "settle",
                      "trace --object " XDP_LB_OBJECT " [2001:db8::7]:1 [2001:db8::11]:53/udp",
                      "trace --object " XDP_LB_OBJECT " 198.51.100.7:1 192.0.2.10:81/tcp",
                      "backend-setup 192.0.2.10:80/tcp 10.0.0.3",
                      "upgrade",
                      "backend drain 192.0.2.10:80/tcp 10.0.0.3 --wait",
                      "plan /run/one.toml",
                      "apply /run/one.toml",
                      "check eth0"};

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
  std::ofstream("/run/one.toml")
      << "[[service]]\naddress = \"192.0.2.10:80/tcp\"\nbackend = [\"10.0.0.4\"]\n";
  std::ofstream("/run/rules") << "-C\n";
  std::ofstream("/run/keepalived.conf") << "global_defs {\n}\n";
  for (const auto& line : documents) BOOST_TEST_CONTEXT(line)
  check_documented(line, parsed(machine.run(line + " --json")));
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
                                     {"second_chance", false},
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
      if (json.is_object()) check_documented(line, json);
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
