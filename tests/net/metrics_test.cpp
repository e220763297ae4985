// SPDX-License-Identifier: GPL-2.0-only
// What Prometheus reads: in its text format, and the numbers that the other verbs have.
#include <boost/test/unit_test.hpp>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/net/cli_fixture.h"

namespace xdplb::test {
namespace {

// Samples by name and labels, as they are written. Each line is of the format, each metric is
// described once, before its samples, which stand together.
std::map<std::string, std::uint64_t> parse(const std::string& text) {
  const std::regex help("# HELP ([a-z_]+) [A-Z1].*\\.");
  const std::regex type("# TYPE ([a-z_]+) (counter|gauge)");
  const std::regex sample(
      R"re(([a-z_]+)(\{([a-z]+="([^"\\]|\\.)*")(,[a-z]+="([^"\\]|\\.)*")*\})? ([0-9]+))re");
  std::map<std::string, std::uint64_t> all;
  std::set<std::string> seen;
  std::string helped, typed;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch parts;
    if (std::regex_match(line, parts, help)) {
      helped = parts[1];
      BOOST_TEST(seen.insert(helped).second, helped << " is described twice");
    } else if (std::regex_match(line, parts, type)) {
      typed = parts[1];
      BOOST_TEST(typed == helped);
      BOOST_TEST((parts[2] == "counter") == typed.ends_with("_total"));
    } else if (std::regex_match(line, parts, sample)) {
      BOOST_TEST(parts[1] == typed);
      BOOST_TEST(all.emplace(parts[1].str() + parts[2].str(), std::stoull(parts[7])).second, line);
    } else {
      BOOST_ERROR("no line of the format: " << line);
    }
  }
  return all;
}

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_CASE(what_prometheus_reads) {
  Balanced balanced("native");
  TestService service(balanced.loader, vip(10) + ":80/tcp");
  service.add({1, 2});
  Flows flows(true);
  check_connections(balanced.site, service, flows, 20);
  balanced.loader.require("backend drain " + service.id() + " " + web(2).address);
  const auto all = parse(balanced.loader.require("metrics"));
  const auto service_label = "service=\"" + service.id() + "\"";
  BOOST_TEST(all.at("xdp_lb_service_forwarded_packets_total{" + service_label + "}") ==
             balanced.loader.forwarded(service.id()));
  BOOST_TEST(all.at("xdp_lb_service_slots{" + service_label + "}") == 16384U);
  std::uint64_t slots = 0;
  for (const auto& backend : balanced.loader.json("backend list")) {
    const auto labels =
        service_label + ",backend=\"" + backend.at("backend").get<std::string>() + "\"";
    BOOST_TEST(all.at("xdp_lb_backend_slots{" + labels + "}") == backend.at("slots"));
    BOOST_TEST(all.at("xdp_lb_backend_weight{" + labels + "}") == backend.at("weight"));
    slots += all.at("xdp_lb_backend_slots{" + labels + "}");
    for (const std::string state : {"up", "drain", "down", "leaving"})
      BOOST_TEST(all.at("xdp_lb_backend_state{" + labels + ",state=\"" + state + "\"}") ==
                 (backend.at("state") == state ? 1U : 0U));
  }
  BOOST_TEST(slots == 16384U);
  BOOST_TEST(all.at("xdp_lb_interface_running{interface=\"eth0\"}") == 1U);
  BOOST_TEST(all.at("xdp_lb_flows_capacity") > 0U);
  const auto samples = balanced.loader.json("metrics");
  BOOST_TEST(samples.size() == all.size());
}

BOOST_AUTO_TEST_CASE(nothing_loaded) {
  Machine machine;
  check_refused(machine, {{"metrics", 3, "no maps of xdp-lb"}});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
