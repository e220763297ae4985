// SPDX-License-Identifier: GPL-2.0-only
// What the configuration of other balancers becomes here: IPVS's rules as 'ipvsadm -Sn' prints
// them, ipvsadm(8), and the virtual servers of keepalived.conf(5).
//
// Nothing is left out in silence: what has no equal here is told with its lines. What is imported
// can be applied as it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin/config.h"

namespace xdplb {

struct Left {
  unsigned from, to;  // lines, from 1
  std::string text;   // what isn't carried over, and what to do instead
  bool operator==(const Left&) const = default;
};

struct Imported {
  Config config{};
  std::vector<Left> left{};  // by line
};

Imported import_ipvs(std::string_view text);

// Throws ConfigError where braces don't match.
Imported import_keepalived(std::string_view text, const std::string& name);

}  // namespace xdplb
