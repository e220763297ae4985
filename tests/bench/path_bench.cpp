// SPDX-License-Identifier: GPL-2.0-only
// What a packet costs in the data path, net of a bare XDP_TX behind the same driver program, all
// rows interleaved in the same run; and end to end, sent out of a veth as live frames.
//
//   path_bench [--quick] [--json FILE]
//
// Fails where counters aren't what they must be, since the row is no result then, and, unless it is
// quick, where the cost surely depends on the number of flows. Targets are reported.
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>

#include "plugin/counters.h"
#include "plugin/egress.h"
#include "plugin/error.h"
#include "tests/bench/report.h"

using namespace xdplb;
using namespace xdplb::bench;

namespace {

struct Options {
  bool quick = false;
  std::string json;
};

std::optional<Options> parse(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); i++) {
    if (arguments[i] == "--quick")
      options.quick = true;
    else if (arguments[i] == "--json" && i + 1 < arguments.size())
      options.json = arguments[++i];
    else
      return std::nullopt;
  }
  return options;
}

// Counters, next hops and veth's queue are the CPU's.
void stay_on_this_cpu() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(::sched_getcpu(), &cpus);
  if (::sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
    throw SystemError(errno, "staying on one CPU");
}

// Packets go from bench0 to bench1, and no other ones do. Clients are known there.
void make_veth() {
  test::ip_tool("link add bench0 type veth peer name bench1");
  for (const auto* name : {"bench0", "bench1"}) {
    test::set_sysctl("ipv6/conf/" + std::string(name) + "/addr_gen_mode", "1");
    test::ip_tool("link set " + std::string(name) + " up");
  }
  for (const std::string address : {client_v4, client_v6}) {
    test::ip_tool("route add " + address + " dev bench0");
    test::ip_tool("neigh add " + address + " lladdr 06:01:02:03:04:05 dev bench0 nud permanent");
  }
  for (const auto* family : {"ipv4", "ipv6"})
    test::set_sysctl(family + std::string("/conf/bench0/forwarding"), "1");
}

std::vector<Result> results_of(const std::vector<Row>& rows) {
  std::vector<Result> results;
  results.reserve(rows.size());
  for (const auto& row : rows) results.push_back({row, {}});
  return results;
}

void write(const std::string& file, const nlohmann::ordered_json& json) {
  std::ofstream out(file);
  out << json.dump(2) << '\n';
  out.close();
  if (!out) throw std::runtime_error("can't write " + file);
}

// Only so many flows are taken in at once: until all are.
void acquaint(const test::Balancer& balancer, const std::vector<Row>& rows) {
  constexpr int times = 24;
  constexpr std::uint32_t packets = 1U << 18;
  const Counters counters(balancer.pins());
  Runner runner("bench0", "bench1");
  for (const auto& row : rows)
    for (int i = 0; i < times; i++) {
      const auto refused = counters.of_exceptions().refused;
      balancer.refill(LB_LIMIT_EXCEPTIONS);
      Result result{row, {}};
      runner.run(result, packets);
      if (row.flows == 1 || counters.of_exceptions().refused == refused) break;
    }
}

// Other load makes some rounds slow, but not all of them: those that seem so are measured again.
std::vector<std::string> surely_steep(std::vector<Result> results, std::uint32_t packets) {
  constexpr int more = 15;
  auto steep = steep_series(results);
  for (int round = 0; round < more && !steep.empty(); round++) {
    Runner runner("bench0", "bench1");
    for (auto& result : results)
      if (&result == &results.front() || std::ranges::count(steep, result.row.series) != 0)
        runner.run(result, packets);
    steep = steep_series(results);
  }
  return steep;
}

void run(const Options& options) {
  constexpr std::uint32_t arena = 1U << 22;
  stay_on_this_cpu();
  test::enter_sandbox();
  make_veth();
  test::Balancer balancer(arena);
  const auto ifindex = test::ifindex_of("bench0");
  add_services(balancer, ifindex);
  install_egress(XDP_LB_OBJECT, balancer.pins(), ifindex);

  constexpr std::uint32_t flow_keys = 1U << 22;  // a million flows, with room
  test::Balancer nat(arena);
  add_nat_services(nat, ifindex);
  test::Balancer fullnat(arena, flow_keys);
  add_fullnat_services(fullnat, ifindex);

  constexpr std::uint32_t exception_sets = 1U << 18;  // likewise
  test::Balancer epochs(arena, LB_FLOWS, exception_sets);
  add_epoch_services(epochs, ifindex);
  test::Balancer server(arena);
  add_second_services(server, ifindex);
  const auto connection = connect_known();

  auto rows = path_rows(balancer);
  auto remembered = epoch_rows(epochs, rows);
  std::ranges::move(nat_rows(nat), std::back_inserter(rows));
  std::ranges::move(fullnat_rows(fullnat), std::back_inserter(rows));
  acquaint(epochs, remembered);
  std::ranges::move(remembered, std::back_inserter(rows));
  std::ranges::move(second_rows(server), std::back_inserter(rows));
  auto path = results_of(rows);
  auto live = results_of(live_rows(balancer));
  const unsigned rounds = options.quick ? 2 : 31;
  const std::uint32_t packets = options.quick ? 1U << 18 : 1U << 20;
  const std::uint32_t frames = packets / 8;
  for (unsigned round = 0; round < rounds; round++) {
    Runner runner("bench0", "bench1");
    for (auto& result : path) runner.run(result, packets);
    for (auto& result : live) runner.run_live(result, frames);
  }
  std::printf("%u rounds of %u packets, or %u live frames; %u backends a service\n", rounds,
              packets, frames, backends);
  nlohmann::ordered_json json{{"bench", "path"}, {"rounds", rounds}, {"packets", packets}};
  json["rows"] = report_path(path);
  json["live"] = report_live(live);
  report_flatness(path);
  if (!options.json.empty()) write(options.json, json);
  if (options.quick) return;
  for (const auto& series : surely_steep(std::move(path), packets))
    throw std::runtime_error(series + ": 1M flows cost much more than one");
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse({argv + 1, argv + argc});
  if (!options) {
    std::cerr << "usage: path_bench [--quick] [--json FILE]\n";
    return 2;
  }
  try {
    run(*options);
    return 0;
  } catch (const test::Skip& lack) {
    std::cerr << "skipped: " << lack.what() << '\n';
    return 77;
  } catch (const std::exception& failure) {
    std::cerr << "path_bench: " << failure.what() << '\n';
    return 1;
  }
}
