// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// xdp-lb-json(5), and what verbs print.

#include <nlohmann/json.hpp>
#include <string>

namespace xdplb::test {

// What the line prints has the keys of the manual, of the manual's types, and no others.
void check_documented(const std::string& line, const nlohmann::json& json);

}  // namespace xdplb::test
