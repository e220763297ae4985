// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/check.h"

#include <algorithm>
#include <iostream>

#include "loader/cli.h"
#include "loader/output.h"

namespace xdplb {

namespace {

std::string level_name(Level level) {
  switch (level) {
    case Level::ok:
      return "ok";
    case Level::warn:
      return "warn";
    default:
      return "fail";
  }
}

}  // namespace

int run_check(const Arguments& arguments) {
  Command command("check", "Examines this host, its interfaces and the ways to backends.",
                  "[IFNAME...]");
  command.epilogue("Without IFNAME: the interfaces that the component is on. Changes nothing.");
  if (!command.parse(arguments)) return 0;
  const auto findings = check(command.parameters(), command.pin_path());
  Json json = Json::array();
  for (const auto& finding : findings) {
    json.push_back({{"level", level_name(finding.level)},
                    {"subject", finding.subject},
                    {"text", finding.text},
                    {"remedy", finding.remedy}});
    if (command.json()) continue;
    auto level = level_name(finding.level);
    level.resize(6, ' ');
    std::cout << level << finding.subject << ": " << finding.text << "\n";
    if (!finding.remedy.empty()) std::cout << "      remedy: " << finding.remedy << "\n";
  }
  if (command.json()) print_json(json);
  const bool failed = std::ranges::any_of(
      findings, [](const auto& finding) { return finding.level == Level::fail; });
  return failed ? 3 : 0;
}

}  // namespace xdplb
