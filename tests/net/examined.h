// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// What check finds on a machine.

#include <string>

#include "tests/net/cli_fixture.h"

namespace xdplb::test {

struct Expected {
  std::string level, subject, text;  // a part of the finding's text
  std::string remedy{};              // likewise
};

// What it finds while nothing changes: neither by it nor by anybody.
nlohmann::json examine(const Machine& machine, const std::string& line = "check eth0");
bool has(const nlohmann::json& findings, const Expected& expected);

void check_found(const Machine& machine, const Expected& expected);
void check_gone(const Machine& machine, const Expected& expected);
// The remedy that was found is a command: it helps.
void check_cured(const Machine& machine, const Expected& expected);

inline constexpr auto served = "192.0.2.10:80/tcp";

// Loaded on eth0, with the service's backend 10.0.0.2, which eth1's address is not yet.
struct Served : Machine {
  explicit Served(const std::string& options = "");
  void require(const std::string& line) const { loader.require(line); }
  void add(const std::string& backend) const;
};

}  // namespace xdplb::test
