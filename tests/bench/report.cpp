// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/report.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "plugin/counters.h"

namespace xdplb::bench {

namespace {

using Json = nlohmann::ordered_json;
using Costs = std::vector<double>;  // a round each

double median(Costs values) {
  std::ranges::sort(values);
  return values.at(values.size() / 2);
}

Costs minus(Costs costs, const Costs& less) {
  for (std::size_t i = 0; i < costs.size(); i++) costs[i] -= less.at(i);
  return costs;
}

double least(const Costs& values) { return *std::ranges::min_element(values); }

Costs plus(Costs costs, const Costs& more) {
  for (std::size_t i = 0; i < costs.size(); i++) costs[i] += more.at(i);
  return costs;
}

std::string hits_name(int reason) {
  return std::string(reason_name(static_cast<lb_reason>(reason)));
}

std::string signed_name(int growth) { return (growth < 0 ? "" : "+") + std::to_string(growth); }

// {"TX": 165}
template <typename Key, typename Name>
Json histogram(const std::map<Key, std::uint64_t>& counts, Name name) {
  Json result = Json::object();
  for (const auto& [key, count] : counts) result[name(key)] = count;
  return result;
}

// "TX 165"
std::string text(const Json& histogram) {
  std::string result;
  for (const auto& [name, count] : histogram.items())
    result += (result.empty() ? "" : ", ") + name + " " + count.dump();
  return result.empty() ? "-" : result;
}

Json describe(const Result& result) {
  return {{"row", result.row.name()},
          {"flows", result.row.flows},
          {"verdicts", histogram(result.seen.verdicts, verdict_name)},
          {"lengths", histogram(result.seen.growths, signed_name)},
          {"hits", histogram(result.seen.hits, hits_name)}};
}

void add_net(Json& row, const Costs& costs, const Costs& bare, double floor) {
  const auto net = minus(costs, bare);
  row["ns"] = median(costs);
  row["net"] = median(net);
  row["net_least"] = least(costs) - least(bare);
  row["to_ipip_floor"] = median(net) / floor;
}

void add_target(Json& row, double target) {
  if (target == 0) return;
  row["target"] = target;
  row["met"] = row["to_ipip_floor"] <= target;
}

const Result& find(const std::vector<Result>& results, const std::string& series,
                   std::uint64_t flows) {
  return *std::ranges::find_if(results, [&](const auto& result) {
    return result.row.series == series && result.row.flows == flows;
  });
}

void print(const Json& row) {
  std::printf("%-46s %-13s %-13s %-21s %7.1f %6.1f %6.1f %6.2f",
              row["row"].get<std::string>().c_str(), text(row["verdicts"]).c_str(),
              text(row["lengths"]).c_str(), text(row["hits"]).c_str(), row["ns"].get<double>(),
              row["net"].get<double>(), row["net_least"].get<double>(),
              row["to_ipip_floor"].get<double>());
  if (row.contains("target"))
    std::printf("  %.1f %s", row["target"].get<double>(), row["met"] ? "ok" : "missed");
  std::printf("\n");
}

// What two rows cost together, of which one comes on top of the other.
Json together(const Result& first, const Result& second, const Costs& bare, double floor) {
  Json row{{"row", first.row.name() + ", in all"},
           {"flows", first.row.flows},
           {"verdicts", Json::object()},
           {"lengths", Json::object()},
           {"hits", Json::object()}};
  add_net(row, plus(first.costs, minus(second.costs, bare)), bare, floor);
  row["net_least"] = least(first.costs) + least(second.costs) - 2 * least(bare);
  return row;
}

constexpr double flat = 1.3;
constexpr std::uint64_t many = 1U << 20;

// What 1M flows cost at least, to what one does.
double least_ratio(const std::vector<Result>& results, const Result& result) {
  const auto bare = least(results.front().costs);
  return (least(result.costs) - bare) / (least(find(results, result.row.series, 1).costs) - bare);
}

}  // namespace

Json report_path(const std::vector<Result>& results) {
  const auto& bare = results.front().costs;
  const auto floor = median(minus(find(results, ipip_floor, 1).costs, bare));
  Json rows = Json::array();
  std::printf("%-46s %-13s %-13s %-21s %7s %6s %6s %6s  %s\n", "ns a packet", "verdicts", "lengths",
              "hits", "median", "net", "least", "ratio", "target");
  for (std::size_t i = 0; i < results.size(); i++) {
    auto row = describe(results[i]);
    add_net(row, results[i].costs, bare, floor);
    add_target(row, results[i].row.target);
    rows.push_back(row);
    if (results[i].row.on_top) rows.push_back(together(results.at(i - 1), results[i], bare, floor));
  }
  std::ranges::for_each(rows, print);
  return rows;
}

Json report_live(const std::vector<Result>& results) {
  Json rows = Json::array();
  const Result* baseline = nullptr;
  std::printf("\n%-46s %-13s %-21s %7s %7s %6s %9s\n", "live frames, ns a packet", "lengths",
              "hits", "lost", "median", "Mpps", "to bare");
  for (const auto& result : results) {
    if (result.row.program.starts_with("bare")) baseline = &result;
    if (baseline == nullptr) throw std::logic_error("no baseline comes first");
    auto row = describe(result);
    const auto ns = median(result.costs);
    row["ns"] = ns;
    row["sent"] = result.packets;
    row["lost"] = result.lost;
    row["baseline"] = baseline->row.name();
    row["to_baseline"] = ns / median(baseline->costs);
    std::printf("%-46s %-13s %-21s %7lu %7.1f %6.2f %9.2f\n", result.row.name().c_str(),
                text(row["lengths"]).c_str(), text(row["hits"]).c_str(), result.lost, ns, 1e3 / ns,
                row["to_baseline"].get<double>());
    rows.push_back(row);
  }
  return rows;
}

void report_flatness(const std::vector<Result>& results) {
  const auto& bare = results.front().costs;
  std::printf("\n%-46s %7s %7s  %s\n", "net with 1M flows to that with one", "median", "least",
              "target");
  for (const auto& result : results) {
    if (result.row.flows != many) continue;
    const auto& series = result.row.series;
    const auto& one = find(results, series, 1).costs;
    const auto ratio = median(minus(result.costs, bare)) / median(minus(one, bare));
    std::printf("%-46s %7.2f %7.2f", series.c_str(), ratio, least_ratio(results, result));
    if (result.row.target != 0) std::printf("  %.1f %s", flat, ratio <= flat ? "ok" : "missed");
    std::printf("\n");
  }
}

std::vector<std::string> steep_series(const std::vector<Result>& results) {
  constexpr double margin = 1.2;
  std::vector<std::string> steep;
  for (const auto& result : results)
    if (result.row.flows == many && result.row.target != 0 &&
        least_ratio(results, result) > flat * margin)
      steep.push_back(result.row.series);
  return steep;
}

}  // namespace xdplb::bench
