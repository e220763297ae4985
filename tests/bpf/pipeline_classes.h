// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// What random frames must have met, by the names that pipeline_test.cpp counts it under.

#include <string>
#include <vector>

namespace xdplb::test {

std::vector<std::string> pipeline_classes();

}  // namespace xdplb::test
