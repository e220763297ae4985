// SPDX-License-Identifier: GPL-2.0-only
// What this host can do for the component, and what is wrong with what it does: a finding each,
// with the remedy. Changes nothing.
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
  std::string remedy{};  // empty with ok
};
using Findings = std::vector<Finding>;

// The host; each of the interfaces named, or else of those that the component is on; and, where
// maps are pinned, the services, with the ways to their backends.
Findings check(const std::vector<std::string>& ifnames, const std::string& pin_path);

}  // namespace xdplb
