// SPDX-License-Identifier: GPL-2.0-only
#include "tests/vm/manual_page.h"

#include <fstream>
#include <regex>
#include <stdexcept>

namespace xdplb::test {

namespace {

constexpr auto page_file = "/vm/xdp-lb.7.scd";

// Lines up to the one that ends the here-document, if a command has one.
std::string here_document(const std::string& command, std::istream& page) {
  static const std::regex begin(".*<<'?([A-Z]+)'?$");
  std::smatch match;
  std::string text;
  if (!std::regex_match(command, match, begin)) return text;
  for (std::string line; std::getline(page, line);) {
    text += "\n" + line;
    if (line == match[1]) return text;
  }
  throw std::runtime_error("no end of the here-document of: " + command);
}

}  // namespace

std::vector<Step> steps_of(const std::string& heading) {
  static const std::regex prompt("([a-z0-9]+)[#$] (.+)");
  std::ifstream page(page_file);
  std::vector<Step> steps;
  bool inside = false;
  bool literal = false;
  std::smatch match;
  for (std::string line; std::getline(page, line);) {
    if (line == "```")
      literal = !literal;
    else if (!literal && line.starts_with("#"))
      inside = line == "## " + heading;
    else if (!inside || !literal || line.empty())
      continue;
    else if (std::regex_match(line, match, prompt))
      steps.push_back({match[1], match[2].str() + here_document(match[2], page), ""});
    else if (!steps.empty())
      steps.back().shown += line + "\n";
  }
  return steps;
}

std::string but_for_numbers(const std::string& output) {
  static const std::regex number("[0-9]+");
  const auto text = std::regex_replace(output, number, "0");
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

}  // namespace xdplb::test
