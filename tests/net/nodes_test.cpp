// SPDX-License-Identifier: GPL-2.0-only
// Balancers without machines of their own: a router spreads a VIP by ECMP over three servers, each
// of which balances and serves. Live connections count what breaks.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "plugin/hex.h"
#include "tests/net/farm.h"
#include "tests/net/peers.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

// The balancer of the site gets no packets: it has the model's service, and its key.
class Distributed {
 public:
  Distributed(bool v4, const std::string& second_chance, std::vector<int> servers)
      : v4_(v4),
        all_(counts(200, 1000)),
        balanced_("skb"),
        service_(balanced_.loader, vip(10, v4) + ":7/tcp") {
    const std::string key = "/run/nodes.key";
    std::ofstream(key) << hex(pinned_cluster_key());
    site().router.sysctl(v4 ? "ipv4/fib_multipath_hash_policy" : "ipv6/fib_multipath_hash_policy",
                         "1");
    for (std::size_t i = 0; i < 3; i++)
      nodes_.push_back(std::make_unique<SecondNode>(site().webs[i], i, "--key-file " + key));
    for (const auto& node : nodes_) {
      for (const auto& other : nodes_)
        if (other != node) node->require("peer add " + mac_of(other->host));
      node->require("service add " + service_.id() + " --second-chance " + second_chance);
    }
    for (const int server : servers) {
      service_.add({server});
      each("backend add " + service_.id() + " " + address(server));
    }
    route(servers);
    farm_ = std::make_unique<Farm>(site(), service_);
    const auto report = farm_->open(all_);
    BOOST_REQUIRE_MESSAGE(report.open() == all_, report.text());
  }

  // What is said at all nodes, one after another; then does what is said between them.
  void each(
      const std::string& line, const std::function<void()>& between = [] {}) {
    for (const auto& node : nodes_) {
      node->require(line);
      between();
    }
  }
  void route(const std::vector<int>& nodes) {
    Words addresses;
    for (const int node : nodes) addresses.push_back(address(node));
    route_vips(site(), v4_, addresses);
  }
  void survive() {
    const auto report = farm_->exchange();
    BOOST_TEST(report.open() == all_, report.broken() << " broke:" << report.text());
    BOOST_TEST(report.failed() == 0, report.text());
  }
  [[nodiscard]] std::string digest(std::size_t node) const {
    return nodes_[node]->json("digest").at("tables");
  }

  [[nodiscard]] Site& site() { return balanced_.site; }
  [[nodiscard]] Farm& farm() { return *farm_; }
  [[nodiscard]] const std::string& id() const { return service_.id(); }
  [[nodiscard]] std::string address(int server) const { return web(server, 1, v4_).address; }
  [[nodiscard]] int all() const { return all_; }

 private:
  bool v4_;
  int all_;
  Balanced balanced_;
  TestService service_;
  std::vector<std::unique_ptr<SecondNode>> nodes_{};
  std::unique_ptr<Farm> farm_{};
};

BOOST_AUTO_TEST_SUITE(nodes)

// While no slot has changed, any node knows where a connection belongs.
BOOST_DATA_TEST_CASE(come_and_go_unseen, data::make(families), family) {
  Distributed site(family == "ipv4", "off", {1, 2, 3});
  BOOST_TEST(site.digest(0) == site.digest(1));
  BOOST_TEST(site.digest(0) == site.digest(2));
  for (const auto& routed : {std::vector{1, 2, 3}, {1, 2}, {3}, {2, 3, 1}}) {
    site.route(routed);
    site.survive();
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_dies_takes_its_own_along) {
  Distributed site(true, "on", {1, 2, 3});
  site.site().webs[2].ip({"link set eth0 down"});
  site.route({1, 2});
  site.each("backend down " + site.id() + " " + site.address(3));
  const auto report = site.farm().exchange();
  BOOST_TEST(report.broken() > 0);
  BOOST_TEST(report.broken() == report.broken("web3"), report.text());
  BOOST_TEST(report.open("web3") == 0);
}

// Each node has the change at another time.
BOOST_DATA_TEST_CASE(a_server_comes_in_a_rolling_change, data::make(families), family) {
  Distributed site(family == "ipv4", "on", {1, 2});
  site.each("backend add " + site.id() + " " + site.address(3), [&] { site.survive(); });
  site.route({1, 2, 3});
  site.survive();
  BOOST_TEST(site.digest(0) == site.digest(2));
  BOOST_TEST(site.farm().renew(site.all() / 2).open("web3") > 0);
  site.route({3, 1});
  site.survive();
}

// Connections that were opened after a change, and come to nodes that didn't see it.
Report after_other_routes(Distributed& site) {
  site.each("backend drain " + site.id() + " " + site.address(3));
  site.survive();
  site.farm().renew(site.all() / 2);
  site.route({2, 3});
  return site.farm().exchange();
}

BOOST_DATA_TEST_CASE(routes_change_in_an_epoch, data::make(families), family) {
  Distributed site(family == "ipv4", "on", {1, 2, 3});
  const auto report = after_other_routes(site);
  BOOST_TEST(report.open() == site.all(), report.broken() << " broke:" << report.text());
  site.route({1});
  site.survive();
}

BOOST_AUTO_TEST_CASE(without_second_chances_some_break) {
  Distributed site(true, "off", {1, 2, 3});
  const auto report = after_other_routes(site);
  BOOST_TEST(report.broken() > 0);
  BOOST_TEST(report.broken("web3") == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
