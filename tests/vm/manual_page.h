// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The commands that man/xdp-lb.7.scd shows.

#include <string>
#include <vector>

namespace xdplb::test {

struct Step {
  std::string host, command, shown;
};

// Of the literal blocks below a heading: "HOST# COMMAND", or "HOST$ COMMAND", and what is shown
// below it. What comes before the first is a picture.
std::vector<Step> steps_of(const std::string& heading);

// What is compared of an output.
std::string but_for_numbers(const std::string& output);

}  // namespace xdplb::test
