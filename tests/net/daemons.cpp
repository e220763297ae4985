// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/daemons.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace xdplb::test {

boost::test_tools::assertion_result Installed::operator()(boost::unit_test::test_unit_id) const {
  boost::test_tools::assertion_result result(true);
  for (const auto& file : files) {
    if (std::filesystem::exists(file)) continue;
    result = false;
    result.message() << file << " is missing";
  }
  return result;
}

std::string example(const std::string& name, const BgpNode& node) {
  std::ifstream in(XDP_LB_EXAMPLES "/" + name);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  BOOST_REQUIRE(!text.empty());
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"10.0.0.254", "10.2.0.1"},
                                 {"10.0.0.1", node.v4},
                                 {"fd00::254", "fd00:2::1"},
                                 {"fd00::1", node.v6}})
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  const auto file = "/run/" + node.v4 + "." + name;
  std::ofstream(file) << text;
  return file;
}

pid_t start_bird(Host& host, const std::string& file) {
  return host.start({"bird", "-f", "-c", file, "-s", file + ".ctl", "-P", file + ".pid"});
}

void start_bgp_router(Host& router, const std::vector<BgpNode>& nodes) {
  std::string text =
      "router id 10.2.0.1;\nprotocol device {}\n"
      "protocol kernel { merge paths on; ipv4 { import none; export all; }; }\n"
      "protocol kernel { merge paths on; ipv6 { import none; export all; }; }\n"
      "template bgp node { local as 64512; connect delay time 1; error wait time 1, 2; }\n";
  const auto add = [&](const std::string& address, const std::string& family) {
    text += "protocol bgp from node { neighbor " + address + " as 64513; " + family +
            " { import all; export none; add paths rx; }; }\n";
  };
  for (const auto& node : nodes) {
    add(node.v4, "ipv4");
    add(node.v6, "ipv6");
  }
  const std::string file = "/run/router.conf";
  std::ofstream(file) << text;
  start_bird(router, file);
}

pid_t start_route_server(Host& host, const std::vector<Spoken>& all) {
  std::ostringstream text;
  text << "router id 10.2.0.11;\nprotocol device {}\n";
  for (const auto& [vip, by] : all) {
    const bool v4 = by.find(':') == std::string::npos;
    text << "protocol static { " << (v4 ? "ipv4" : "ipv6") << "; route " << vip
         << (v4 ? "/32" : "/128") << " via " << by << "; }\n";
  }
  for (const auto& [family, router] : {std::pair{"ipv4", "10.2.0.1"}, {"ipv6", "fd00:2::1"}})
    text << "protocol bgp { local as 64513; neighbor " << router << " as 64512; " << family
         << " { import none; next hop keep; add paths tx;\n"
            "  export filter { bgp_next_hop = gw; accept; }; }; }\n";
  const std::string file = "/run/route-server.conf";
  std::ofstream(file) << text.str();
  return start_bird(host, file);
}

}  // namespace xdplb::test
