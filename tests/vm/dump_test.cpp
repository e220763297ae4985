// SPDX-License-Identifier: GPL-2.0-only
// The component under xdpdump, in its chain: what comes in, and what becomes of it.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "tests/vm/chained_site.h"

namespace xdplb::test {
namespace {

constexpr std::size_t ttl_at = 22;    // in a frame of IPv4 without tags
constexpr std::size_t port_at = 34;   // the client's
constexpr std::size_t flags_at = 47;  // of TCP, without options of IP
constexpr std::uint8_t syn = 2;
constexpr int connections = 5;

struct Dumped {
  std::string where;  // "entry", "exit[TX]"
  std::vector<std::uint8_t> frame;

  [[nodiscard]] bool is_syn() const { return frame.size() > flags_at && frame[flags_at] == syn; }
  [[nodiscard]] int port() const { return frame.at(port_at) << 8 | frame.at(port_at + 1); }
};

// "1607694215.501287259: xdp_lb()@exit[TX]: packet size 74 bytes on ...", and lines of hexadecimal
// digits below, "  0x0010:  00 34 d7 ...", as 'xdpdump -x' prints them.
std::vector<Dumped> read_dump(const std::string& file, const std::string& program) {
  std::vector<Dumped> all;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const auto words = split(line);
    const auto at = line.find(program + "()@");
    if (at != std::string::npos) {
      const auto start = at + program.size() + 3;
      all.push_back({line.substr(start, line.find(':', start) - start), {}});
    }
    if (all.empty() || words.size() < 2 || !words[0].starts_with("0x")) continue;
    for (std::size_t i = 1; i < std::min<std::size_t>(words.size(), 17); i++)
      if (words[i].size() == 2 && line.find(words[i]) < 58)
        all.back().frame.push_back(static_cast<std::uint8_t>(std::stoul(words[i], nullptr, 16)));
  }
  return all;
}

BOOST_AUTO_TEST_SUITE(dump)

BOOST_AUTO_TEST_CASE(xdpdump_shows_what_comes_and_what_becomes_of_it,
                     *boost::unit_test::label("smoke")) {
  ChainedSite chained("native", "eth0");
  auto& [site, loader] = chained;
  TestService service(loader, vip(10) + ":80/tcp");
  service.add({1, 2});
  const std::string program =
      loader.json("status eth0").at("interfaces").at(0).at("components").back().at("name");
  const std::string file = "/tmp/dump";
  const auto process = site.balancer.start(
      Words{"sh", "-c",
            "exec stdbuf -oL xdpdump -i eth0 -p " + program +
                " --rx-capture entry,exit -x --perf-wakeup 1 >" + file + " 2>&1"});
  const auto says = [&](const std::string& text) {
    std::stringstream said;
    said << std::ifstream(file).rdbuf();
    return said.str().find(text) != std::string::npos;
  };
  BOOST_TEST_REQUIRE(wait_until([&] { return says("listening on eth0"); }, 60));
  Flows flows(true);
  const auto syns = [&](const std::string& where) {
    return std::ranges::count_if(read_dump(file, program), [&](const auto& one) {
      return one.where == where && one.is_syn();
    });
  };
  // It says that it listens before it does.
  BOOST_TEST_REQUIRE(wait_until(
      [&] {
        check_connections(site, service, flows, 1);
        return syns("entry") > 0;
      },
      60));
  check_connections(site, service, flows, connections);
  for (const std::string where : {"entry", "exit[TX]"})  // one may be sent again
    BOOST_TEST(wait_until([&] { return syns(where) > connections; }, 30),
               syns(where) << " SYNs at " << where);
  site.balancer.stop(process);

  // The two are of two programs, on any processor: in any order.
  const auto all = read_dump(file, program);
  const auto in = std::ranges::find_if(
      all, [](const auto& one) { return one.where == "entry" && one.is_syn(); });
  BOOST_TEST_REQUIRE((in != all.end()));
  const auto out = std::ranges::find_if(all, [&](const auto& one) {
    return one.where == "exit[TX]" && one.is_syn() && one.port() == in->port();
  });
  BOOST_TEST_REQUIRE((out != all.end()));
  BOOST_TEST(out->frame.at(ttl_at) == in->frame.at(ttl_at) - 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
