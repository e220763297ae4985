// SPDX-License-Identifier: GPL-2.0-only
#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <thread>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/component.h"
#include "plugin/error.h"

namespace xdplb {

namespace {

constexpr unsigned long max_interval = 86400;

// Counters by what they count, in the order in which they are printed.
struct Row {
  std::string service;
  std::string what;  // a backend, or a reason
  lb_counter total;
};

void add_service(const Pins& pins, const State& state, const Service& service,
                 std::vector<Row>& rows) {
  const Counters counters(pins);
  const auto name = service.id.to_string();
  rows.push_back({name, "forwarded", state.forwarded(service)});
  for (const auto& backend : state.backends(service.number))
    rows.push_back({name, backend.id.to_string(), counters.of_backend(backend.handle)});
  const auto reasons = counters.of_service(service.number);
  for (unsigned reason = 0; reason < reasons.size(); reason++)
    if (reasons[reason].packets != 0)
      rows.push_back(
          {name, std::string(reason_name(static_cast<lb_reason>(reason))), reasons[reason]});
}

std::vector<Row> collect(const Pins& pins, const std::optional<ServiceId>& only) {
  const PinLock lock(pins.path(), Access::read);
  const State state(pins);
  std::vector<Row> rows;
  const auto services = only ? std::vector<Service>{state.service(*only)} : state.services();
  for (const auto& service : services) add_service(pins, state, service, rows);
  return rows;
}

std::string rate(std::uint64_t now, std::uint64_t before, double seconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", static_cast<double>(now - before) / seconds);
  return text.data();
}

using Before = std::map<std::pair<std::string, std::string>, lb_counter>;

// With seconds: rates since before. Counters of a backend that was deleted and added again in
// between start anew.
void print(const std::vector<Row>& rows, const Before* before, double seconds) {
  TextTable table;
  std::vector<std::string> head{"Service", "Backend or reason", "Packets", "Bytes"};
  if (before != nullptr) head.insert(head.end(), {"Packets/s", "Bytes/s"});
  table.row(head);
  table.rule();
  for (const auto& row : rows) {
    std::vector<std::string> cells{row.service, row.what, std::to_string(row.total.packets),
                                   std::to_string(row.total.bytes)};
    if (before != nullptr) {
      const auto found = before->find({row.service, row.what});
      auto then = found == before->end() ? lb_counter{} : found->second;
      if (then.packets > row.total.packets) then = {};
      cells.push_back(rate(row.total.packets, then.packets, seconds));
      cells.push_back(rate(row.total.bytes, then.bytes, seconds));
    }
    table.row(cells);
  }
  table.print();
}

Json rows_json(const std::vector<Row>& rows) {
  Json json = Json::array();
  for (const auto& row : rows)
    json.push_back({{"service", row.service},
                    {"what", row.what},
                    {"packets", row.total.packets},
                    {"bytes", row.total.bytes}});
  return json;
}

// Until it is interrupted.
[[noreturn]] void watch(const Pins& pins, const std::optional<ServiceId>& only,
                        unsigned long seconds, bool json) {
  Before before;
  for (bool first = true;; first = false) {
    const auto rows = collect(pins, only);
    if (json)
      std::cout << rows_json(rows).dump() << std::endl;
    else
      print(rows, first ? nullptr : &before, static_cast<double>(seconds));
    std::cout << std::endl;
    for (const auto& row : rows) before[{row.service, row.what}] = row.total;
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
  }
}

}  // namespace

int run_stats(const Arguments& arguments) {
  Command command("stats", "Shows what services and backends got, and why other packets left.",
                  "[VIP:PORT/PROTO]");
  command.option("interval", "SECONDS", "print again and again, with rates, until interrupted");
  if (!command.parse(arguments)) return 0;
  std::optional<ServiceId> only;
  if (!command.parameters().empty()) only = ServiceId::parse(command.parameters()[0]);
  const Pins pins(command.pin_path(), Access::read);
  if (const auto text = command.get("interval")) {
    const auto seconds = parse_number(*text, 1, max_interval);
    if (!seconds) throw Error("--interval '" + *text + "' is not a number of seconds from 1");
    watch(pins, only, *seconds, command.json());
  }
  const auto rows = collect(pins, only);
  const auto reasons = total_reasons(pins, State(pins));
  if (command.json()) {
    print_json({{"services", rows_json(rows)}, {"reasons", to_json(reasons)}});
    return 0;
  }
  print(rows, nullptr, 1);
  if (only) return 0;
  std::cout << "\n";
  print_reasons(reasons);
  return 0;
}

}  // namespace xdplb
