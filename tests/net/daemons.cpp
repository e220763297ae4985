// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/daemons.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

namespace xdplb::test {

std::string example(const std::string& name, const std::string& v4, const std::string& v6) {
  std::ifstream in(XDP_LB_EXAMPLES "/" + name);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  BOOST_REQUIRE(!text.empty());
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"10.0.0.254", "10.2.0.1"},
                                 {"10.0.0.1", v4},
                                 {"fd00::254", "fd00:2::1"},
                                 {"fd00::1", v6}})
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  const auto file = "/run/" + v4 + "." + name;
  std::ofstream(file) << text;
  return file;
}

void start_bird(Host& host, const std::string& file) {
  host.start({"bird", "-f", "-c", file, "-s", file + ".ctl", "-P", file + ".pid"});
}

}  // namespace xdplb::test
