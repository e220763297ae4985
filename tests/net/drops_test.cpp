// SPDX-License-Identifier: GPL-2.0-only
// 'drops -f' sees real packets that are dropped, beside traffic that isn't; and whoever is killed
// while following leaves nothing on.
#include <sys/wait.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <sstream>

#include "plugin/exceptions.h"
#include "tests/net/fixture.h"
#include "tests/net/json_page.h"

namespace xdplb::test {
namespace {

bool is_followed() {
  const Pins pins(pin_path, Access::read);
  return load(pins.meta().follow).until > epoch_seconds();
}

// Packets that are dropped: of a service without a backend, and of one that takes no fragments.
struct Dropping {
  Balanced balanced{"native"};
  Site& site{balanced.site};
  Loader& loader{balanced.loader};
  TestService service{loader, vip(10) + ":80/tcp"};
  TestService empty{loader, vip(11) + ":80/tcp"};
  TestService datagrams{loader, vip(12) + ":53/udp"};
  Flows flows{true};

  Dropping() {
    service.add({1, 2});
    datagrams.add({1});
  }

  [[nodiscard]] pid_t follow(const std::string& options) {
    auto words = loader.command("drops -f " + options);
    words.insert(words.begin(), {"sh", "-c", "exec \"$@\" >/run/drops 2>&1", "sh"});
    const auto process = site.balancer.start(words);
    BOOST_TEST_REQUIRE(wait_until(is_followed, 10));
    return process;
  }
  static std::string said() {
    std::ostringstream text;
    text << std::ifstream("/run/drops").rdbuf();
    return text.str();
  }
  void drop_fragment() const {
    site.client.require({"bash", "-c", "head -c 3000 /dev/zero >/dev/udp/192.0.2.12/53"});
  }
  void exchange() { check_connections(site, service, flows, 20); }
};

BOOST_FIXTURE_TEST_SUITE(drops, Dropping)

BOOST_AUTO_TEST_CASE(are_followed) {
  const auto process = follow("-n 2 --json");
  exchange();
  knock(site, empty, flows);
  BOOST_TEST(wait_until([] { return !said().empty(); }, 5));
  drop_fragment();
  BOOST_TEST(wait_until([&] { return !Host::runs(process); }, 5), "it goes on after two");
  std::istringstream lines(said());
  std::vector<nlohmann::json> got;
  for (std::string line; std::getline(lines, line);) got.push_back(nlohmann::json::parse(line));
  BOOST_TEST_REQUIRE(got.size() == 2U);
  BOOST_TEST(got[0].at("reason") == "no-backend");
  BOOST_TEST(got[0].at("verdict") == "XDP_DROP");
  BOOST_TEST(got[0].at("to") == "192.0.2.11:80");
  BOOST_TEST(got[0].at("from").get<std::string>().starts_with("10.1.0."));
  BOOST_TEST(got[0].at("protocol") == "tcp");
  BOOST_TEST(got[0].at("interface") == "eth0");
  BOOST_TEST(got[0].at("length") == 74);  // a SYN of Linux
  BOOST_TEST(got[1].at("reason") == "fragment");
  BOOST_TEST(got[1].at("to") == "192.0.2.12:53");
  BOOST_TEST(got[1].at("protocol") == "udp");
  for (const auto& line : got) check_documented("drops -f", line);
  BOOST_TEST(!is_followed());
}

BOOST_AUTO_TEST_CASE(are_followed_where_a_name_is_not_utf8) {
  for (const char* line :
       {"ip link set eth0 down", "ip link set eth0 name e\xff", "ip link set e\xff up"})
    site.balancer.require(split(line));
  const auto process = follow("-n 1 --json");
  knock(site, empty, flows);
  BOOST_TEST_REQUIRE(wait_until([&] { return !Host::runs(process); }, 5));
  BOOST_TEST(nlohmann::json::parse(said()).at("interface") == "e\ufffd");
}

BOOST_AUTO_TEST_CASE(are_chosen_by_reason) {
  const auto process = follow("--reason fragment,limited");
  knock(site, empty, flows);
  drop_fragment();
  BOOST_TEST(wait_until([] { return !said().empty(); }, 5));
  site.balancer.stop(process);
  const auto text = said();
  BOOST_TEST(std::ranges::count(text, '\n') == 1, text);
  BOOST_TEST(text.find(" eth0 fragment: 10.1.0.") != std::string::npos, text);
  BOOST_TEST(text.find(" > 192.0.2.12:53 udp, 1514 bytes\n") != std::string::npos, text);
  BOOST_TEST(!is_followed(), "it was interrupted and left the samples on");
}

BOOST_AUTO_TEST_CASE(are_sampled_for_nobody_once_a_follower_is_killed) {
  const auto process = follow("");
  const auto second = loader.run("drops -f -n 1");
  BOOST_TEST(second.status == 2);
  BOOST_TEST(second.err.find("somebody else follows") != std::string::npos, second.err);
  ::kill(process, SIGKILL);
  drop_fragment();
  BOOST_TEST(wait_until([] { return !is_followed(); }, 10));
  const auto next = follow("-n 1");
  BOOST_TEST(Host::runs(next), "it shows what was left for another: " << said());
  knock(site, empty, flows);
  BOOST_TEST(wait_until([&] { return !Host::runs(next); }, 5));
  BOOST_TEST(said().find("no-backend") != std::string::npos, said());
}

BOOST_AUTO_TEST_CASE(are_counted) {
  exchange();
  drop_fragment();
  BOOST_TEST(wait_until([&] { return loader.dropped() != 0; }, 5));
  const auto reasons = loader.json("drops").at("reasons").at("ipv4");
  BOOST_TEST(reasons.dump() == R"({"fragment":{"bytes":1514,"packets":1}})");
  const auto text = loader.require("drops");
  BOOST_TEST(text.find("the first fragment of a service's packet") != std::string::npos, text);
  BOOST_TEST(text.find("forwarded") == std::string::npos, text);
  BOOST_TEST(loader.json("drops --reason limited").at("reasons").at("ipv4").empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
