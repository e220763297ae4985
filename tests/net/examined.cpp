// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/examined.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

namespace xdplb::test {

using Json = nlohmann::json;

Json examine(const Machine& machine, const std::string& line) {
  const auto before = take_snapshot(machine);
  const auto outcome = machine.run(line + " --json");
  const auto changed = differences(before, take_snapshot(machine));
  BOOST_TEST(changed.empty(), "it changed:" << changed);
  return Json::parse(outcome.out);
}

bool has(const Json& findings, const Expected& expected) {
  const auto holds = [](const Json& finding, const char* key, const std::string& part) {
    return finding.at(key).get<std::string>().find(part) != std::string::npos;
  };
  return std::ranges::any_of(findings, [&](const auto& finding) {
    return finding.at("level") == expected.level && finding.at("subject") == expected.subject &&
           holds(finding, "text", expected.text) && holds(finding, "remedy", expected.remedy);
  });
}

void check_found(const Machine& machine, const Expected& expected) {
  const auto findings = examine(machine);
  BOOST_TEST(has(findings, expected), expected.text << " is not in " << findings.dump(2));
}

void check_gone(const Machine& machine, const Expected& expected) {
  const auto findings = examine(machine);
  BOOST_TEST(!has(findings, expected), expected.text << " is still in " << findings.dump(2));
}

void check_cured(const Machine& machine, const Expected& expected) {
  check_found(machine, expected);
  for (const auto& finding : examine(machine))
    if (has(Json::array({finding}), expected))
      machine.host.require({"sh", "-ec", finding.at("remedy")});
  check_gone(machine, expected);
}

Served::Served(const std::string& options) {
  load();
  require("service add " + std::string(served) + " " + options);
}

void Served::add(const std::string& backend) const {
  require("backend add " + std::string(served) + " " + backend);
}

}  // namespace xdplb::test
