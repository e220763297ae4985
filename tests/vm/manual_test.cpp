// SPDX-License-Identifier: GPL-2.0-only
// The chapter TOPOLOGIES of man/xdp-lb.7.scd: its commands, word for word and in their order, build
// each topology on hosts that have but what the chapter says they have. None fails, each says what
// the page shows, but for numbers, and then requests are answered by way of the balancer.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <set>

#include "tests/net/bare.h"
#include "tests/support/mounts.h"
#include "tests/vm/lab.h"

namespace xdplb::test {
namespace {

constexpr auto page_file = "/vm/xdp-lb.7.scd";
constexpr double patience = 30;  // seconds until a command says what the page shows

struct Step {
  std::string host, command, shown;
};

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

// Of the literal blocks below a heading: "HOST# COMMAND", or "HOST$ COMMAND", and what is shown
// below it. What comes before the first is a picture.
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

// What is compared of an output.
std::string but_for_numbers(const std::string& output) {
  static const std::regex number("[0-9]+");
  const auto text = std::regex_replace(output, number, "0");
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

// A host; a balancer has, besides its network, a bpffs, /run and files in /etc of its own.
class Node {
 public:
  Node(Host& host, bool balances) : host_(host) {
    if (!balances) return;
    mounts_.emplace(host, mounts);
  }

  [[nodiscard]] Outcome run(const std::string& command) const {
    return host_.run(inside({"sh", "-ec", command}));
  }
  [[nodiscard]] nlohmann::json json(const std::string& line) const {
    return nlohmann::json::parse(host_.require(inside(split(line + " --json"))));
  }
  // As systemctl has it run, but that nobody waits until it is ready.
  void restart_keepalived() {
    stop_keepalived();
    keepalived_ = host_.start(inside({"keepalived", "--dont-fork", "--log-console"}));
  }
  void stop_keepalived() {
    if (keepalived_) host_.stop(*keepalived_);
    keepalived_.reset();
  }

 private:
  // keepalived reads a file of its package in its folder, and runs no script that others may write.
  static constexpr auto mounts =
      "mount -t bpf bpf /sys/fs/bpf; mount -t tmpfs -o mode=755 tmpfs /run;"
      "for folder in /etc/xdp-lb /etc/keepalived; do"
      "  mkdir -p $folder; cp -a $folder /run/was; mount -t tmpfs -o mode=755 tmpfs $folder;"
      "  cp -a /run/was/. $folder; rm -r /run/was;"
      "done";

  [[nodiscard]] Words inside(const Words& command) const {
    return mounts_ ? mounts_->inside(command) : command;
  }

  Host& host_;
  std::optional<MountNamespace> mounts_;
  std::optional<pid_t> keepalived_;
};

class Topology {
 public:
  explicit Topology(const std::string& heading) : steps_(steps_of(heading)) {
    BOOST_REQUIRE(steps_.size() > 5U);
    site.serve_http();
    make_bare(site);
    site.router.ip("route del 192.0.2.0/24");
    for (auto* host : {&site.client, &site.router, &site.webs[0], &site.webs[1], &site.webs[3]})
      nodes_.try_emplace(host->name(), *host, false);
    add_balancer("balancer", site.balancer);
    if (std::ranges::any_of(steps_, [](const auto& step) { return step.host == "both"; }))
      add_standby();
  }

  // The steps that were not made yet, up to this command, or all.
  void build(const std::string& until = "") {
    for (; next_ < steps_.size() && steps_[next_].command != until; ++next_) {
      const auto& step = steps_[next_];
      const auto hosts = step.host == "both" ? Words{"balancer", "standby"} : Words{step.host};
      for (const auto& host : hosts) make(step, host);
    }
    BOOST_TEST_REQUIRE((until.empty() || next_ < steps_.size()),
                       "the page has no '" << until << "'");
  }

  // Each of these web servers, and no other, gets requests to the service, by way of that balancer.
  void check(const std::string& address, std::uint16_t port, const std::set<std::string>& webs,
             const std::string& balancer = "balancer") {
    const auto service = address + ":" + std::to_string(port) + "/tcp";
    const auto before = forwarded(balancer, service);
    std::set<std::string> answered;
    for (unsigned i = 0; i < requests; ++i) {
      const auto said = split(site.get(endpoint("10.1.0.2", 0), endpoint(address, port)).body);
      answered.insert(said.at(0));
      BOOST_TEST(said.at(1) == "10.1.0.2");
    }
    BOOST_TEST(answered == webs, boost::test_tools::per_element());
    // SYN, ACK and request, FIN
    BOOST_TEST(forwarded(balancer, service) >= before + requests * 3);
  }

  Node& node(const std::string& host) { return nodes_.at(host); }

  Site site{{}};

 private:
  static constexpr unsigned requests = 20;

  void add_balancer(const std::string& name, Host& host) {
    host.sysctl("ipv4/ip_forward", "0");
    host.sysctl("ipv4/conf/all/rp_filter", "2");  // of any interface, as the greater one counts
    nodes_.try_emplace(name, host, true);
  }

  // In the place of web3 on the network.
  void add_standby() {
    auto& host = site.webs[2];
    attach_pass(site.router, "web3");
    site.router.require(split("ethtool -K web3 tx off txvlan off"));
    host.ip("addr del 10.2.0.23/24 dev eth0\naddr add 10.2.0.12/24 dev eth0\n"
            "route add default via 10.2.0.1");
    add_balancer("standby", host);
  }

  void make(const Step& step, const std::string& host) {
    BOOST_REQUIRE_MESSAGE(nodes_.contains(host), "there is no host " << host);
    auto& node = nodes_.at(host);
    if (step.command == "systemctl restart keepalived") return node.restart_keepalived();
    if (step.command == "systemctl stop keepalived") return node.stop_keepalived();
    Outcome outcome;
    const auto done = [&] {
      outcome = node.run(step.command);
      return outcome.status == 0 &&
             (step.shown.empty() || but_for_numbers(outcome.out) == but_for_numbers(step.shown));
    };
    BOOST_REQUIRE_MESSAGE(wait_until(done, step.shown.empty() ? 0 : patience),
                          host << ": '" << step.command << "' ended with " << outcome.status
                               << " and said: " << outcome.out << outcome.err);
  }

  [[nodiscard]] std::uint64_t forwarded(const std::string& balancer, const std::string& service) {
    const auto stats = node(balancer).json("xdp-lb stats");
    for (const auto& row : stats.at("services"))
      if (row.at("service") == service && row.at("what") == "forwarded") return row.at("packets");
    throw std::runtime_error("no service " + service);
  }

  std::map<std::string, Node> nodes_;
  std::vector<Step> steps_;
  std::size_t next_ = 0;
};

BOOST_AUTO_TEST_SUITE(manual)

BOOST_AUTO_TEST_CASE(one_arm) {
  Topology topology("One arm, direct answers");
  topology.build();
  topology.check("192.0.2.10", 80, {"web1", "web2"});
}

BOOST_AUTO_TEST_CASE(behind_xdp_filter) {
  Topology topology("Behind xdp-filter");
  topology.build();
  topology.check("192.0.2.10", 80, {"web1", "web2"});
  topology.check("192.0.2.10", 8080, {"web1"});
  const auto chain = topology.node("balancer").json("xdp-lb status eth0").at("interfaces").at(0);
  BOOST_TEST(chain.at("components").size() == 2U);
}

BOOST_AUTO_TEST_CASE(behind_routers) {
  Topology topology("Backends behind routers");
  topology.site.balancer.ip("link set eth1 down");  // no other way to web4 than the router
  topology.build();
  topology.check("192.0.2.10", 80, {"web1", "web4"});
}

BOOST_AUTO_TEST_CASE(lab_behind_the_balancer) {
  Topology topology("A lab behind the balancer");
  topology.build();
  topology.check("10.2.0.11", 80, {"web4"});
  topology.check("10.2.0.11", 8081, {"web4"});
}

// Connections that are open when the active node dies are served by the other one.
BOOST_AUTO_TEST_CASE(two_nodes) {
  Topology topology("Two nodes and VRRP");
  topology.build("ip link set eth0 down");
  topology.check("192.0.2.10", 80, {"web1", "web2"});
  const auto digest = [&](const char* host) { return topology.node(host).json("xdp-lb digest"); };
  BOOST_TEST(digest("balancer") == digest("standby"));

  std::vector<HttpConnection> open;
  Words before;
  {
    const Inside here(topology.site.client);
    for (int i = 0; i < 10; ++i) {
      open.emplace_back(endpoint("10.1.0.2", 0), endpoint("192.0.2.10", 80));
      before.push_back(open.back().get("/keep").body);
    }
  }
  topology.build();
  // A bridge that has forgotten the lost node's port floods its frames to the other one, too.
  const auto moved = [&] {
    const auto said = topology.site.router.require(split("ip neighbour show 10.2.0.100"));
    return said.find(to_string(topology.site.webs[2].mac("eth0"))) != std::string::npos;
  };
  BOOST_TEST(wait_until(moved, patience));
  Words after;
  for (auto& connection : open) after.push_back(connection.get("/keep").body);
  BOOST_TEST(after == before, boost::test_tools::per_element());
  topology.check("192.0.2.10", 80, {"web1", "web2"}, "standby");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
