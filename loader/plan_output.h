// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

#include "loader/output.h"
#include "plugin/plan.h"

namespace xdplb {

Json to_json(const Plan& plan);
void print_plan(const Plan& plan);

// What a configuration file says. Throws Error where it can't be read, ConfigError.
Config read_config(const std::string& file);

}  // namespace xdplb
