// SPDX-License-Identifier: GPL-2.0-only
// The chapter TOPOLOGIES of man/xdp-lb.7.scd: its commands, word for word and in their order, build
// each topology on hosts that have but what the chapter says they have. None fails, each says what
// the page shows, but for numbers, and then requests are answered by way of the balancer.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <optional>
#include <set>

#include "tests/net/bare.h"
#include "tests/support/mounts.h"
#include "tests/vm/manual_page.h"

namespace xdplb::test {
namespace {

constexpr double patience = 30;  // seconds until a command says what the page shows

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
    add_balancer("balancer", site.balancer);
    if (has_steps_for("both")) add_standby();
    if (has_steps_for("each"))
      for (int number : {1, 2}) add_server(number);
    for (auto* host : {&site.client, &site.router, &site.webs[0], &site.webs[1], &site.webs[3]})
      nodes_.try_emplace(host->name(), *host, false);
  }

  // The steps that were not made yet, up to this command, or all.
  void build(const std::string& until = "") {
    for (; next_ < steps_.size() && steps_[next_].command != until; ++next_) {
      const auto& step = steps_[next_];
      for (const auto& host : hosts_of(step)) make(step, host);
    }
    BOOST_TEST_REQUIRE((until.empty() || next_ < steps_.size()),
                       "the page has no '" << until << "'");
  }

  // Each of these web servers, and no other, gets requests to the service, by way of that balancer.
  void check(const std::string& address, std::uint16_t port, const std::set<std::string>& webs,
             const std::string& balancer = "balancer") {
    const auto service = address + ":" + std::to_string(port) + "/tcp";
    const auto before = forwarded(balancer, service);
    check_answered(address, port, webs);
    // SYN, ACK and request, FIN
    BOOST_TEST(forwarded(balancer, service) >= before + requests * 3);
  }

  void check_answered(const std::string& address, std::uint16_t port,
                      const std::set<std::string>& webs) const {
    std::set<std::string> answered;
    for (unsigned i = 0; i < requests; ++i) {
      const auto said = split(site.get(endpoint("10.1.0.2", 0), endpoint(address, port)).body);
      answered.insert(said.at(0));
      BOOST_TEST(said.at(1) == "10.1.0.2");
    }
    BOOST_TEST(answered == webs, boost::test_tools::per_element());
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

  [[nodiscard]] bool has_steps_for(const std::string& host) const {
    return std::ranges::find(steps_, host, &Step::host) != steps_.end();
  }

  static Words hosts_of(const Step& step) {
    if (step.host == "both") return {"balancer", "standby"};
    if (step.host == "each") return {"web1", "web2"};
    return {step.host};
  }

  // So that it can send by native XDP.
  void prepare_port(const std::string& web) const {
    attach_pass(site.router, web);
    site.router.require(split("ethtool -K " + web + " tx off txvlan off"));
  }

  // With the link address that the page says.
  void add_server(int number) {
    auto& host = site.webs.at(static_cast<std::size_t>(number - 1));
    prepare_port(host.name());
    host.ip("link set eth0 address 02:00:00:00:02:2" + std::to_string(number));
    add_balancer(host.name(), host);
  }

  // In the place of web3 on the network.
  void add_standby() {
    auto& host = site.webs[2];
    prepare_port("web3");
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

// Connections to 192.0.2.10, and whom they were answered by.
class Open {
 public:
  explicit Open(const Site& site) {
    const Inside here(site.client);
    for (int i = 0; i < 10; ++i) {
      all_.emplace_back(endpoint("10.1.0.2", 0), endpoint("192.0.2.10", 80));
      said_.push_back(all_.back().get("/keep").body);
    }
  }
  void check() {
    Words now;
    for (auto& connection : all_) now.push_back(connection.get("/keep").body);
    BOOST_TEST(now == said_, boost::test_tools::per_element());
  }
  [[nodiscard]] auto at(const std::string& web) const {
    return std::ranges::count_if(said_, [&](const auto& said) { return said.starts_with(web); });
  }

 private:
  std::vector<HttpConnection> all_;
  Words said_;
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

  Open open(topology.site);
  topology.build();
  // A bridge that has forgotten the lost node's port floods its frames to the other one, too.
  const auto moved = [&] {
    const auto said = topology.site.router.require(split("ip neighbour show 10.2.0.100"));
    return said.find(to_string(topology.site.webs[2].mac("eth0"))) != std::string::npos;
  };
  BOOST_TEST(wait_until(moved, patience));
  open.check();
  topology.check("192.0.2.10", 80, {"web1", "web2"}, "standby");
}

BOOST_AUTO_TEST_CASE(servers_that_balance) {
  Topology topology("Servers that balance");
  topology.build("xdp-lb backend drain 192.0.2.10:80/tcp 10.2.0.22");
  topology.check_answered("192.0.2.10", 80, {"web1", "web2"});
  const auto digest = [&](const char* host) { return topology.node(host).json("xdp-lb digest"); };
  BOOST_TEST(digest("web1") == digest("web2"));
  for (const auto* host : {"web1", "web2"}) {
    const auto reasons = topology.node(host).json("xdp-lb stats").at("reasons").at("ipv4");
    BOOST_TEST(reasons.at("from-peer").at("packets") > 0);
  }
  {
    Open open(topology.site);
    for (const auto* until :
         {"ip route replace 192.0.2.10 via 10.2.0.21",
          "xdp-lb backend del 192.0.2.10:80/tcp 10.2.0.22", "xdp-lb unload --all"}) {
      topology.build(until);
      open.check();
    }
    BOOST_TEST(open.at("web2") > 0);
  }
  topology.build();
  topology.check_answered("192.0.2.10", 80, {"web1"});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
