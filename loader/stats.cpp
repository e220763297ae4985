// SPDX-License-Identifier: GPL-2.0-only
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <thread>

#include "loader/cli.h"
#include "loader/figures.h"
#include "loader/output.h"
#include "loader/terminal.h"

namespace xdplb {

namespace {

using std::chrono::steady_clock;

using Before = std::map<std::pair<std::string, std::string>, lb_counter>;

Before remember(const std::vector<Row>& rows) {
  Before before;
  for (const auto& row : rows) before[{row.service, row.what}] = row.total;
  return before;
}

// What has come since. Counters of a backend that was deleted and added again in between start
// anew.
lb_counter since(const Before& before, const Row& row) {
  const auto found = before.find({row.service, row.what});
  auto then = found == before.end() ? lb_counter{} : found->second;
  if (then.packets > row.total.packets) then = {};
  return {row.total.packets - then.packets, row.total.bytes - then.bytes};
}

std::string rate(std::uint64_t count, double seconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", static_cast<double>(count) / seconds);
  return text.data();
}

// With seconds: rates since before.
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
      const auto more = since(*before, row);
      cells.insert(cells.end(), {rate(more.packets, seconds), rate(more.bytes, seconds)});
    }
    table.row(cells);
  }
  table.print();
}

// Until it is interrupted, or nobody listens.
void repeat(FiguresSource& source, const std::optional<ServiceId>& only, unsigned long seconds,
            bool json) {
  Before before;
  auto then = steady_clock::now();
  for (bool first = true; std::cout; first = false) {
    const auto rows = source.read(only).rows;
    const auto now = steady_clock::now();
    const std::chrono::duration<double> passed = now - then;
    if (json)
      std::cout << json_line(rows_json(rows));
    else
      print(rows, first ? nullptr : &before, passed.count());
    std::cout << std::endl;
    before = remember(rows);
    then = now;
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
  }
}

// The busiest first.
std::vector<std::string> screen(std::vector<Row> rows, const Before& before, double seconds) {
  std::ranges::stable_sort(rows, std::ranges::greater(), [&](const Row& row) {
    return std::pair(since(before, row).packets, row.total.packets);
  });
  TextTable table;
  table.row({"Service", "Backend or reason", "Packets/s", "Bits/s", "Packets", "Bytes"});
  table.rule();
  for (const auto& row : rows) {
    const auto more = since(before, row);
    table.row({row.service, row.what, rate(more.packets, seconds), rate(8 * more.bytes, seconds),
               std::to_string(row.total.packets), std::to_string(row.total.bytes)});
  }
  return table.lines();
}

// All packets by reason, as rows of no service.
void add_reasons(const FamilyReasons& reasons, std::vector<Row>& rows) {
  for (const auto& family : reasons)
    for (unsigned i = 0; i < family.size(); i++) {
      if (family[i].packets == 0) continue;
      const std::string name(reason_name(static_cast<lb_reason>(i)));
      const auto same = std::ranges::find_if(
          rows, [&](const Row& row) { return row.service == "all" && row.what == name; });
      if (same == rows.end())
        rows.push_back({"all", name, family[i]});
      else
        same->total += family[i];
    }
}

void watch(FiguresSource& source, const std::optional<ServiceId>& only, unsigned long seconds) {
  const Terminal terminal;
  std::optional<Before> before;
  auto then = steady_clock::now();
  do {
    auto [rows, reasons] = source.read(only);
    if (!only) add_reasons(reasons, rows);
    const auto now = steady_clock::now();
    const std::chrono::duration<double> passed = now - then;
    auto lines = screen(rows, before ? *before : remember(rows), before ? passed.count() : 1);
    lines.insert(lines.begin(), "xdp-lb stats, every " + std::to_string(seconds) + " s; q ends");
    Terminal::draw(lines);
    before = remember(rows);
    then = now;
  } while (Terminal::wait(std::chrono::seconds(seconds)));
}

}  // namespace

int run_stats(const Arguments& arguments) {
  Command command("stats", "Shows what services and backends got, and why other packets left.",
                  "[VIP:PORT/PROTO]");
  command.option("interval,i", "SECONDS",
                 "again and again, with rates; on a terminal until q is typed");
  if (!command.parse(arguments)) return 0;
  std::optional<ServiceId> only;
  if (!command.parameters().empty()) only = ServiceId::parse(command.parameters()[0]);
  FiguresSource source(command.pin_path());
  if (const auto seconds = command.seconds("interval")) {
    if (command.json() || !Terminal::is_there()) repeat(source, only, *seconds, command.json());
    watch(source, only, *seconds);
    return 0;
  }
  const auto [rows, reasons] = source.read(only);
  if (command.json()) {
    print_json({{"services", rows_json(rows)}, {"reasons", reasons_json(reasons)}});
    return 0;
  }
  print(rows, nullptr, 1);
  if (only) return 0;
  std::cout << "\n";
  print_reasons(reasons);
  return 0;
}

}  // namespace xdplb
