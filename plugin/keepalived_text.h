// SPDX-License-Identifier: GPL-2.0-only
// The text of keepalived.conf(5): words to the end of the line, and blocks in braces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xdplb {

struct Statement {
  unsigned line = 0, to = 0;  // its first and last
  std::vector<std::string> words{};
  bool block = false;
  std::vector<Statement> inner{};
};

// Throws ConfigError where braces don't match.
std::vector<Statement> parse_keepalived(std::string_view text, const std::string& name);

}  // namespace xdplb
