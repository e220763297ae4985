// SPDX-License-Identifier: GPL-2.0-only
// What changes would do, against tables that are compared slot by slot and flows that are sent to
// nodes one by one.
#include "plugin/simulate.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "plugin/cluster_key.h"
#include "plugin/error.h"
#include "tests/unit/said.h"
#include "tests/unit/simulated.h"

namespace xdplb::test {
namespace {

constexpr unsigned slots = simulated_slots;
const auto id = ServiceId::parse("192.0.2.10:80/tcp");

// The owners by addresses, without what is simulated.
std::vector<std::string> owners(const Config& config, const std::vector<unsigned>& drained) {
  const auto& service = config.services[0];
  TableSpec spec{derive_flow_keys(simulated_key, id.vip.bytes(), id.port, 6).table_seed, 12,
                 service.options.balance};
  for (const auto& one : service.backends)
    spec.backends.push_back({one.id.address.bytes(), one.id.port, one.weight});
  for (const auto i : drained) spec.backends[i].drain = true;
  std::vector<std::string> all;
  for (const auto owner : build_table(spec).first)
    all.push_back(service.backends[owner].id.to_string());
  return all;
}

struct Counted {
  unsigned moved = 0;
  unsigned needless = 0;
};
Counted count(const std::vector<std::string>& before, const std::vector<std::string>& after,
              const std::string& about) {
  Counted counted;
  for (std::size_t i = 0; i < before.size(); i++) {
    if (before[i] == after[i]) continue;
    counted.moved++;
    if (before[i] != about && after[i] != about) counted.needless++;
  }
  return counted;
}

BOOST_AUTO_TEST_SUITE(simulation)

BOOST_AUTO_TEST_CASE(moves_are_those_of_the_tables) {
  for (const auto balance : {Balance::off, Balance::slack, Balance::exact}) {
    const auto config = config_of(150, balance);
    const auto out = after(config, {"drain=" + simulated_backend(7).to_string()});
    const auto counted =
        count(owners(config, {}), owners(config, {7}), simulated_backend(7).to_string());
    BOOST_TEST(out.moved == counted.moved);
    BOOST_TEST(out.needless == counted.needless);
    BOOST_TEST((out.needless != 0) == (balance == Balance::exact || counted.needless != 0));
    BOOST_TEST(out.changed == out.moved);
    BOOST_TEST(out.broken == 0);
    BOOST_TEST(out.slots == slots);
  }
  BOOST_TEST(after(config_of(150), {"drain=10.0.0.8"}).needless == 0);
}

BOOST_AUTO_TEST_CASE(flows_of_a_dead_backend_break) {
  auto config = config_of(4);
  const auto dead = after(config, {"down=10.0.0.2"});
  BOOST_TEST(dead.moved > slots / 5);
  BOOST_TEST(dead.broken == dead.moved);
  config.services[0].options.on_down = OnDown::keep;
  BOOST_TEST(after(config, {"down=10.0.0.2"}).broken == 0);
  config.services[0].options.remember = Remember::none;
  const auto drained = after(config, {"drain=10.0.0.2"});
  BOOST_TEST(drained.moved == dead.moved);
  BOOST_TEST(drained.broken == drained.moved);
}

BOOST_AUTO_TEST_CASE(events_come_one_after_another) {
  const auto all = run(config_of(8), {"drain=10.0.0.1", "up=10.0.0.1", "add=10.0.0.99,10"});
  BOOST_TEST(all[0].services[0].moved == all[1].services[0].moved);
  BOOST_TEST(all[1].services[0].changed == all[0].services[0].moved);
  BOOST_TEST(all[2].services[0].changed > all[1].services[0].changed);
  BOOST_TEST(all[2].services[0].changed <
             all[1].services[0].changed + all[2].services[0].moved + 1);
  // One that was removed may come back.
  const auto back = run(config_of(8), {"remove=10.0.0.1", "add=10.0.0.1,10"});
  BOOST_TEST(back[0].services[0].moved == back[1].services[0].moved);
}

BOOST_AUTO_TEST_CASE(a_failure_domain_loads_the_others) {
  // 100 of 300 go, and the rest has half as much again: spread exactly if they are drained, and as
  // each slot's list has it if they are down.
  const auto drained = after(config_of(300, Balance::exact), {"drain=10.0.1.0/24"});
  BOOST_TEST(drained.broken == 0);
  BOOST_TEST(drained.overload < 0.1);
  const auto out = after(config_of(300, Balance::exact), {"down=10.0.1.0/24"});
  BOOST_TEST(out.broken > slots * 33 / 100);
  BOOST_TEST(out.growth > drained.growth);
  BOOST_TEST(out.overload > drained.overload);
  BOOST_TEST(out.served);
  BOOST_TEST(!after(config_of(3), {"down=10.0.0.0/8"}).served);
  BOOST_TEST(after(config_of(3), {"down=10.0.0.0/8"}).broken == slots);
  BOOST_TEST(after(config_of(3), {"weight=10.0.0.1,20"}).overload < 0.15);
}

// Where a flow's hash is sent.
unsigned node_of(std::uint64_t hash, const std::vector<unsigned>& nodes) {
  return nodes[(hash * nodes.size()) >> 16];
}

BOOST_AUTO_TEST_CASE(flows_come_to_other_nodes) {
  constexpr unsigned count = 12;
  std::vector<unsigned> before(count);
  for (unsigned i = 0; i < count; i++) before[i] = i + 1;
  for (unsigned gone = 1; gone <= count; gone++) {
    auto left = before;
    std::erase(left, gone);
    double moved = 0;
    for (std::uint64_t hash = 0; hash < 1 << 16; hash++)
      moved += node_of(hash, before) == node_of(hash, left) ? 0 : 1;
    const auto out = run(config_of(2), {"node-down=" + std::to_string(gone)}, count)[0];
    BOOST_TEST(std::abs(out.rerouted - moved / (1 << 16)) < 0.001);
    BOOST_TEST(std::abs(out.node_growth - 1.0 / 11) < 1e-9);
    BOOST_TEST(out.nodes == count - 1);
    BOOST_TEST(out.services[0].moved == 0);
    BOOST_TEST(out.services[0].unseen == 0);
  }
}

BOOST_AUTO_TEST_CASE(what_a_node_has_not_seen) {
  const auto all = run(config_of(10), {"drain=10.0.0.1", "node-down=1", "node-up"}, 4);
  BOOST_TEST(all[0].services[0].unseen == 0);
  const auto changed = static_cast<double>(all[0].services[0].changed) / slots;
  BOOST_TEST(std::abs(all[1].rerouted - 0.5) < 1e-9);
  BOOST_TEST(std::abs(all[1].services[0].unseen - changed * 0.5) < 1e-9);
  // The new one is last: all parts are other nodes'.
  BOOST_TEST(std::abs(all[2].services[0].unseen - changed) < 1e-9);
  BOOST_TEST(all[2].nodes == 4);
}

BOOST_AUTO_TEST_CASE(ten_thousand_backends_at_64_nodes) {
  auto config = config_of(10000);
  config.services[0].slots = max_slots;
  const auto all = run(config, {"drain=10.0.7.7", "down=10.0.9.0/24", "node-down=3"}, 64);
  const auto& [drained, down, lost] = std::tie(all.at(0), all.at(1), all.at(2));
  const auto share = [&](const Outcome& outcome) {
    return static_cast<double>(outcome.services[0].moved) / max_slots;
  };
  BOOST_TEST(std::abs(share(drained) - 0.0001) < 0.00005);
  BOOST_TEST(std::abs(share(down) - 0.01) < 0.001);
  BOOST_TEST(share(lost) == 0);
  for (const auto& one : all) BOOST_TEST(one.services[0].needless == 0);
  BOOST_TEST(drained.services[0].broken == 0);
  BOOST_TEST(down.services[0].broken == down.services[0].moved);
  BOOST_TEST(std::abs(lost.node_growth - 1.0 / 63) < 1e-9);
  BOOST_TEST(lost.nodes == 63U);
}

// A file that is gone with this.
struct File {
  explicit File(const Config& config)
      : name("/tmp/xdp-lb-simulate-" + std::to_string(::getpid()) + ".toml") {
    std::ofstream(name) << to_text(config);
  }
  ~File() { std::filesystem::remove(name); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::string name;
};

BOOST_AUTO_TEST_CASE(of_a_file) {
  auto config = config_of(2);
  config.cluster_key.reset();
  const File made(config);
  const auto& file = made.name;
  const auto said = xdplb::run(
      {"simulate", file, "-e", "down=10.0.0.1", "--event=node-down=2", "--nodes", "2", "-j"});
  BOOST_TEST(said.code == 0);
  const auto json = nlohmann::json::parse(said.out);
  BOOST_TEST(json.at("events").size() == 2U);
  const auto& service = json.at("events")[0].at("services")[0];
  BOOST_TEST(service.at("service") == "192.0.2.10:80/tcp");
  BOOST_TEST(service.at("broken") != 0);
  BOOST_TEST(service.at("broken") == service.at("moved"));
  BOOST_TEST(json.at("events")[1].at("nodes") == 1);
  BOOST_TEST(json.at("notes").size() == 1U);  // no cluster key
  const auto text = xdplb::run({"simulate", file, "-e", "down=10.0.0.1"});
  BOOST_TEST(text.out.find("down=10.0.0.1: 1 node\n") != std::string::npos);
  for (const Arguments& wrong :
       {Arguments{"simulate", file}, Arguments{"simulate", file, "-e", "x"},
        Arguments{"simulate", file, "-e", "node-up", "--nodes", "65"},
        Arguments{"simulate", "/nowhere", "-e", "node-up"}})
    BOOST_CHECK_THROW(xdplb::run(wrong), Error);
}

// 200 backends in eight racks; the answer as the manual page has it.
BOOST_AUTO_TEST_CASE(of_the_manual) {
  Config config;
  config.cluster_key = parse_cluster_key("000102030405060708090a0b0c0d0e0f");
  const auto site = ServiceId::parse("192.0.2.10:443/tcp");
  config.services.push_back({site, default_options(site), default_slots});
  for (unsigned i = 0; i < 200; i++)
    config.services[0].backends.push_back({BackendId::parse("10.0." + std::to_string(1 + i / 25) +
                                                            "." + std::to_string(1 + i % 25))});
  const File file(config);
  std::stringstream page;
  page << std::ifstream(XDP_LB_PAGE).rdbuf();
  const auto text = page.str();
  std::istringstream said(xdplb::run({"simulate", file.name, "--nodes", "8", "-e", "drain=10.0.3.7",
                                      "-e", "node-down=3"})
                              .out);
  unsigned lines = 0;
  for (std::string line; std::getline(said, line); lines++)
    BOOST_TEST(text.find(line + "\n") != std::string::npos, "the page lacks: " << line);
  BOOST_TEST(lines > 8);
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  for (const auto* text :
       {"", "drain", "drain=", "drain=10.0.0.1,3", "weight=10.0.0.1", "weight=10.0.0.1,0",
        "add=10.0.0.0/8", "down=10.0.0.0/33", "down=10.0.0.0/0", "node-down", "node-down=0",
        "node-up=1", "explode=10.0.0.1", "add=10.0.0.9,70000"})
    BOOST_CHECK_THROW(Event::parse(text), Error);
  const auto config = config_of(3);
  for (const auto* text : {"drain=10.0.9.9", "add=10.0.0.1", "down=2001:db8::/32", "node-down=3",
                           "add=192.0.2.10", "down=10.0.0.1:81"})
    BOOST_CHECK_THROW(run(config, {text}, 2), Error);
  for (const auto* text : {"remove=10.0.0.1", "drain=10.0.0.1", "up=10.0.0.1"})
    BOOST_CHECK_THROW(run(config, {"remove=10.0.0.1", text}), Error);
  BOOST_CHECK_THROW(run(config, {"remove=10.0.0.1", "down=10.0.0.1", "down=10.0.0.1"}), Error);
  BOOST_CHECK_NO_THROW(run(config, {"remove=10.0.0.1", "down=10.0.0.1", "add=10.0.0.1"}));
  BOOST_CHECK_THROW(run(config, {"node-down=1"}, 1), Error);
  BOOST_CHECK_THROW(run(config, {"node-up"}, max_nodes), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
