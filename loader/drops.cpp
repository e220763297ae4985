// SPDX-License-Identifier: GPL-2.0-only
// Why packets were dropped: counted, or one by one.
#include <array>
#include <csignal>
#include <ctime>
#include <iostream>
#include <sstream>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/error.h"
#include "plugin/follow.h"
#include "plugin/trace.h"

namespace xdplb {

namespace {

constexpr unsigned long max_count = 1'000'000'000;

bool is_drop(lb_reason reason) {
  return reason_fate(reason) == Fate::dropped || reason == LB_INTERNAL || reason == LB_FOREIGN;
}

// Those beyond a mask's bits are of packets that pass.
bool is_wanted(std::uint32_t mask, unsigned reason) {
  return reason < 32 && (mask >> reason & 1) != 0;
}

std::uint32_t every_reason() {
  std::uint32_t mask = 0;
  for (unsigned reason = 0; reason < LB_REASON_COUNT; reason++)
    if (is_drop(static_cast<lb_reason>(reason))) mask |= 1U << reason;
  return mask;
}

std::vector<Item> reason_items() {
  std::vector<Item> items;
  for (unsigned i = 0; i < LB_REASON_COUNT; i++)
    if (const auto reason = static_cast<lb_reason>(i); is_drop(reason))
      items.push_back({reason_name(reason), reason_text(reason)});
  return items;
}

// A bit for each.
std::uint32_t parse_reasons(const std::string& text) {
  std::uint32_t mask = 0;
  std::istringstream names(text);
  for (std::string name; std::getline(names, name, ',');) {
    unsigned reason = 0;
    while (reason < LB_REASON_COUNT && (reason_name(static_cast<lb_reason>(reason)) != name ||
                                        !is_drop(static_cast<lb_reason>(reason))))
      reason++;
    if (reason == LB_REASON_COUNT)
      throw Error("--reason '" + text + "': '" + name + "' is no reason to drop a packet",
                  "'xdp-lb drops --help' lists them; with commas: limited,no-route");
    mask |= 1U << reason;
  }
  if (mask == 0) throw Error("--reason '" + text + "' names none", "as in limited,no-route");
  return mask;
}

std::string time_text(std::chrono::system_clock::time_point time) {
  using std::chrono::microseconds, std::chrono::system_clock;
  const auto seconds = system_clock::to_time_t(time);
  const auto rest = std::chrono::duration_cast<microseconds>(time.time_since_epoch()) % 1'000'000;
  std::array<char, 16> clock{};
  std::array<char, 32> text{};
  std::strftime(clock.data(), clock.size(), "%H:%M:%S", std::localtime(&seconds));
  std::snprintf(text.data(), text.size(), "%s.%06ld", clock.data(),
                static_cast<long>(rest.count()));
  return text.data();
}

void print(const Sample& sample) {
  std::cout << time_text(sample.time) << " " << sample.interface << " "
            << reason_name(sample.reason) << ": "
            << (sample.protocol.empty() ? "not IP"
                                        : sample.from + " > " + sample.to + " " + sample.protocol)
            << ", " << sample.length << " bytes\n";
}

Json sample_json(const Sample& sample) {
  Json json{{"time", std::chrono::duration<double>(sample.time.time_since_epoch()).count()},
            {"interface", sample.interface},
            {"reason", reason_name(sample.reason)},
            {"verdict", verdict_name(sample.verdict)}};
  if (!sample.protocol.empty()) {
    json["from"] = sample.from;
    json["to"] = sample.to;
    json["protocol"] = sample.protocol;
  }
  json["length"] = sample.length;
  return json;
}

volatile std::sig_atomic_t interrupted = 0;
void interrupt(int /*signal*/) { interrupted = 1; }

// Until so many were seen, or it is interrupted.
void follow(const Command& command, std::uint32_t reasons, unsigned long count) {
  Follower follower(command.pin_path(), reasons);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, interrupt);
  while (interrupted == 0 && std::cout) {
    for (const auto& sample : follower.next()) {
      if (command.json())
        std::cout << json_line(sample_json(sample)) << "\n";
      else
        print(sample);
      if (--count == 0) return;
    }
    std::cout.flush();
  }
}

void print_counters(const Command& command, std::uint32_t wanted) {
  const PinLock lock(command.pin_path(), Access::read);
  const Pins pins(command.pin_path(), Access::read);
  auto reasons = total_reasons(pins, State(pins));
  for (auto& family : reasons)
    for (unsigned reason = 0; reason < family.size(); reason++)
      if (!is_wanted(wanted, reason)) family[reason] = {};
  if (command.json())
    print_json({{"reasons", reasons_json(reasons)}});
  else
    print_reasons(reasons);
}

}  // namespace

int run_drops(const Arguments& arguments) {
  Command command("drops", "Shows why packets were dropped; or which are, while they are.", "");
  command.flag("follow,f", "print each packet that is dropped, or a sample of them")
      .option("reason", "REASONS", "only for these, with commas: limited,no-route")
      .option("count,n", "N", "with -f: end after so many")
      .list("REASONS", reason_items());
  if (!command.parse(arguments)) return 0;
  const auto only = command.get("reason");
  const auto reasons = only ? parse_reasons(*only) : every_reason();
  unsigned long count = 0;
  if (const auto text = command.get("count")) {
    const auto number = parse_number(*text, 1, max_count);
    if (!number || !command.has("follow"))
      throw Error("--count '" + *text + "' is out of place", "drops -f takes a number from 1");
    count = *number;
  }
  if (command.has("follow"))
    follow(command, reasons, count);
  else
    print_counters(command, reasons);
  return 0;
}

}  // namespace xdplb
