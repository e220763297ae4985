// SPDX-License-Identifier: GPL-2.0-only
// Two web servers that are nodes too, behind one that routers ask: a connection whose server only
// another node remembers lives on by a second chance, and without it breaks.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/peers.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

// One of them is up, the other drains.
class Nodes {
 public:
  Nodes(bool v4, const std::string& second) : v4_(v4), second_(second), balanced_("skb") {
    for (const std::size_t web : {0, 1})
      nodes_.push_back(std::make_unique<SecondNode>(site().webs[web], web));
    for (const auto& node : nodes_)
      for (const auto* peer : {&site().balancer, &site().webs[0], &site().webs[1]})
        if (peer != &node->host) node->require("peer add " + mac_of(*peer));
    for (const auto& at : everywhere()) configure(at, 1);
  }

  // As after a failure of the node that routers asked until now: what it remembered is gone.
  void forget(std::size_t node, int up) {
    const auto at = everywhere().at(node);
    at("service del " + id());
    configure(at, up);
  }

  // The epoch is open then.
  void move_to_web2() {
    for (const auto& at : everywhere()) {
      at("backend up " + id() + " " + web(2, 1, v4_).address);
      at("backend drain " + id() + " " + web(1, 1, v4_).address);
    }
  }

  [[nodiscard]] const Site& site() const { return balanced_.site; }
  [[nodiscard]] Endpoint endpoint() const { return {ServiceId::parse(id()).vip, 80}; }
  [[nodiscard]] std::uint64_t from_peers(std::size_t node) const {
    const auto reasons = nodes_[node]->json("stats").at("reasons").at(v4_ ? "ipv4" : "ipv6");
    return reasons.contains("from-peer") ? reasons.at("from-peer").at("packets").get<unsigned>()
                                         : 0;
  }

 private:
  using At = std::function<void(const std::string&)>;

  [[nodiscard]] std::string id() const { return vip(10, v4_) + ":80/tcp"; }

  // The balancer, web1, web2.
  [[nodiscard]] std::vector<At> everywhere() const {
    return {[this](const auto& line) { balanced_.loader.require(line); },
            [this](const auto& line) { nodes_[0]->require(line); },
            [this](const auto& line) { nodes_[1]->require(line); }};
  }

  void configure(const At& at, int up) const {
    at("service add " + id() + " --second-chance " + second_);
    for (const int number : {1, 2}) at("backend add " + id() + " " + web(number, 1, v4_).address);
    at("backend drain " + id() + " " + web(3 - up, 1, v4_).address);
  }

  bool v4_;
  std::string second_;
  Balanced balanced_;
  std::vector<std::unique_ptr<SecondNode>> nodes_;
};

std::string server_of(HttpConnection& connection) {
  const auto body = connection.get("/keep").body;
  return body.substr(0, body.find(' '));
}

// A connection that web1 serves.
struct Connected : Nodes {
  Connected(bool v4, const std::string& second)
      : Nodes(v4, second), flows(v4), here(site().client), old(flows.next(), endpoint()) {
    BOOST_TEST(server_of(old) == "web1");
  }
  Flows flows;
  const Inside here;
  HttpConnection old;
};

BOOST_AUTO_TEST_SUITE(second_chance)

BOOST_DATA_TEST_CASE(in_an_epoch, data::make(families), family) {
  Connected nodes(family == "ipv4", "on");
  nodes.move_to_web2();
  BOOST_TEST(server_of(nodes.old) == "web1");  // the balancer remembers it
  nodes.forget(0, 2);
  BOOST_TEST(server_of(nodes.old) == "web1");
  HttpConnection fresh(nodes.flows.next(), nodes.endpoint());
  BOOST_TEST(server_of(fresh) == "web2");
  BOOST_TEST(nodes.from_peers(0) > 0U);
  BOOST_TEST(nodes.from_peers(1) > 0U);
}

BOOST_DATA_TEST_CASE(by_the_second_choice_of_a_clean_slot, data::make(families), family) {
  Connected nodes(family == "ipv4", "on");
  for (const std::size_t node : {0, 1, 2}) nodes.forget(node, 2);
  BOOST_TEST(server_of(nodes.old) == "web1");
}

BOOST_AUTO_TEST_CASE(without_it_the_connection_breaks) {
  Connected nodes(true, "off");
  nodes.move_to_web2();
  nodes.forget(0, 2);
  BOOST_CHECK_THROW(server_of(nodes.old), std::exception);
}

// Of a connection that neither has: it ends at the second of them, and the client is told.
BOOST_AUTO_TEST_CASE(what_nobody_has_ends) {
  Connected nodes(true, "on");
  nodes.move_to_web2();
  nodes.forget(0, 2);
  nodes.site().webs[0].require({"ss", "-K", "state", "established", "sport", "=", ":80"});
  const auto before = nodes.from_peers(0) + nodes.from_peers(1);
  BOOST_CHECK_THROW(server_of(nodes.old), std::exception);
  BOOST_TEST(nodes.from_peers(0) + nodes.from_peers(1) < before + 20);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
