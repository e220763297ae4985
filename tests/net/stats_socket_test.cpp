// SPDX-License-Identifier: GPL-2.0-only
// 'stats' of a user who may not read the maps: what root sees, by the socket, for its group alone.
#include "tests/net/stats_socket.h"

#include <boost/test/unit_test.hpp>
#include <sstream>

#include "tests/net/cli_fixture.h"

namespace xdplb::test {
namespace {

const std::string remedy = "be root, or a member of group xdp-lb with xdp-lb-stats.socket enabled";

// Two services, one of which has had packets and one that has dropped some.
struct Counted {
  Balanced balanced{"native"};
  Host& host{balanced.site.balancer};
  Loader& loader{balanced.loader};
  TestService service{loader, vip(10) + ":80/tcp"};
  TestService empty{loader, vip(11) + ":80/tcp"};

  Counted() {
    service.add({1, 2});
    Flows flows(true);
    check_connections(balanced.site, service, flows, 20);
    knock(balanced.site, empty, flows);
  }

  [[nodiscard]] Words answer() const { return loader.command("stats --json"); }
  [[nodiscard]] Outcome by(InGroup in_group, const std::string& line) const {
    return host.run(as_user(in_group, line));
  }
  // Packets that are for nobody come all the time.
  void check_same(const std::string& line) const {
    Outcome user{};
    Outcome root{};
    const auto same = [&] {
      user = by(InGroup::yes, line);
      root = loader.run(line);
      return user.out == root.out && user.err == root.err && user.status == root.status;
    };
    BOOST_TEST(wait_until(same, 10), user.out << user.err << "is not " << root.out << root.err);
  }
  void check_unreadable(InGroup in_group, const std::string& options = "") const {
    const auto refused = by(in_group, "stats" + options);
    BOOST_TEST(refused.status == 1);
    BOOST_TEST(refused.out.empty(), refused.out);
    BOOST_TEST(refused.err.find(": Permission denied") != std::string::npos, refused.err);
    BOOST_TEST((refused.err.find(remedy) != std::string::npos) == options.empty(), refused.err);
  }
};

BOOST_FIXTURE_TEST_SUITE(counters_for_a_group, Counted)

BOOST_AUTO_TEST_CASE(are_what_root_sees) {
  const StatsSocket socket(host, answer());
  const auto said = by(InGroup::yes, "stats");
  BOOST_TEST(said.status == 0, said.err);
  BOOST_TEST(said.out.find(service.id() + "  forwarded") != std::string::npos, said.out);
  BOOST_TEST(said.out.find(empty.id() + "  no-backend") != std::string::npos, said.out);
  for (const std::string options : {"", " --json"})
    for (const std::string& only : {std::string(), " " + service.id(), " " + empty.id(),
                                    std::string(" 192.0.2.12:80/tcp"), std::string(" nonsense")})
      BOOST_TEST_CONTEXT(options << only) { check_same("stats" + options + only); }
}

BOOST_AUTO_TEST_CASE(again_and_again) {
  const StatsSocket socket(host, answer());
  Words words{"timeout", "2.5"};
  for (const auto& word : as_user(InGroup::yes, "stats --interval 1 " + service.id()))
    words.push_back(word);
  const auto said = host.run(words).out;
  const auto first = said.find(service.id() + "  forwarded");
  const auto rates = said.find("Packets/s");
  BOOST_TEST((first < rates && rates < said.rfind(service.id() + "  forwarded")), said);
  words.push_back("--json");
  std::istringstream lines(host.run(words).out);
  int documents = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    BOOST_TEST(nlohmann::json::parse(line) == loader.json("stats " + service.id()).at("services"));
    documents++;
  }
  BOOST_TEST(documents >= 2);
}

BOOST_AUTO_TEST_CASE(are_for_nobody_else) {
  const StatsSocket socket(host, answer());
  check_unreadable(InGroup::no);
  check_unreadable(InGroup::yes, " --pin-path /sys/fs/bpf/other");
  BOOST_TEST(by(InGroup::yes, "stats").status == 0);
  socket.stop();
  check_unreadable(InGroup::yes);
}

// It is who answers there.
BOOST_AUTO_TEST_CASE(root_asks_nobody) {
  const StatsSocket socket(host, answer());
  host.require({"chown", "65534", bpffs});
  const auto refused =
      host.run({"setpriv", "--bounding-set", "-all", program_for_users(), "stats"});
  BOOST_TEST(refused.status == 1);
  BOOST_TEST(refused.err.find("looking at ") != std::string::npos, refused.err);
}

BOOST_AUTO_TEST_CASE(without_a_socket) { check_unreadable(InGroup::yes); }

BOOST_AUTO_TEST_CASE(whoever_answers_fails) {
  for (const Words& command : {Words{"true"}, Words{"echo", "{}"}}) {
    const StatsSocket socket(host, command);
    const auto failed = by(InGroup::yes, "stats");
    BOOST_TEST(failed.status == 1);
    BOOST_TEST(failed.err.find("/run/xdp-lb/stats.sock") != std::string::npos, failed.err);
    check_words(failed);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
