// SPDX-License-Identifier: GPL-2.0-only
// The samples of the packages ipvsadm and keepalived: no line is left in silence.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <sstream>

#include "plugin/import.h"

namespace xdplb::test {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Lines of virtual servers that are neither told as left nor among those that are carried over.
std::vector<std::string> silent_lines(const std::string& text, const Imported& imported) {
  static const std::set<std::string> carried{
      "virtual_server", "real_server", "weight",
      "lb_algo",        "lvs_sched",   "lb_kind",
      "lvs_method",     "protocol",    "virtual_server_group"};
  std::vector<std::string> silent;
  std::istringstream lines(text);
  unsigned number = 0;
  for (std::string line; std::getline(lines, line);) {
    number++;
    line.erase(std::min(line.find_first_of("#!"), line.size()));
    std::istringstream words(line);
    std::string first;
    if (!(words >> first) || first == "}" || carried.contains(first)) continue;
    const bool told = std::ranges::any_of(
        imported.left, [&](const auto& one) { return one.from <= number && number <= one.to; });
    const bool is_service = std::ranges::any_of(
        imported.config.services, [&](const auto& one) { return one.at.line == number; });
    if (!told && !is_service) silent.push_back(std::to_string(number) + ": " + line);
  }
  return silent;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(samples)

BOOST_AUTO_TEST_CASE(are_imported) {
  const std::filesystem::path folder("/usr/share/doc/keepalived/samples");
  if (!std::filesystem::exists(folder) || !std::filesystem::exists("/etc/ipvsadm.rules")) {
    std::cout << "skipped: keepalived's and ipvsadm's samples are not installed\n";
    return;
  }
  const auto rules = import_ipvs(read("/etc/ipvsadm.rules"));
  BOOST_TEST((rules.config.services.empty() && rules.left.empty()));
  std::size_t files = 0;
  std::size_t services = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with("keepalived.conf")) continue;
    BOOST_TEST_CONTEXT(name) {
      const auto text = read(entry.path());
      const auto imported = import_keepalived(text, name);
      const auto file = to_text(imported.config);
      BOOST_TEST(to_text(parse_config(file, "imported")) == file);
      BOOST_TEST(silent_lines(text, imported) == std::vector<std::string>{},
                 boost::test_tools::per_element());
      files++;
      services += imported.config.services.size();
    }
  }
  BOOST_TEST(files > 10U);
  BOOST_TEST(services > 10U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
