// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Results as tables and as JSON.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/bench/runner.h"

namespace xdplb::bench {

// Print a table, and return its rows.
nlohmann::ordered_json report_path(const std::vector<Result>& results);
nlohmann::ordered_json report_live(const std::vector<Result>& results);

// Prints what 1M flows cost beside one, by series.
void report_flatness(const std::vector<Result>& results);
// Those series with a target whose least cost depends on the number of flows.
std::vector<std::string> steep_series(const std::vector<Result>& results);

}  // namespace xdplb::bench
