// SPDX-License-Identifier: GPL-2.0-only
// What this host can do for the component, a finding each, with the remedy.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xdplb {

enum class Level : std::uint8_t { ok, warn, fail };

struct Finding {
  Level level = Level::ok;
  std::string subject;  // kernel, bpffs, eth0 ...
  std::string text;
  std::string remedy;  // empty with ok
};

// The host, and then each of the interfaces named. Changes nothing.
std::vector<Finding> check_host(const std::vector<std::string>& ifnames,
                                const std::string& pin_path);

}  // namespace xdplb
