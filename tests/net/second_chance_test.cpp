// SPDX-License-Identifier: GPL-2.0-only
// Two web servers that are nodes too, behind one that routers ask: a connection whose server only
// another node remembers lives on by a second chance, and without it breaks.
#include <sys/socket.h>

#include <array>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/datagrams.h"
#include "tests/net/peers.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

// Web1 is up, and the others drain; or the other way round.
class Nodes {
 public:
  Nodes(bool v4, const std::string& second, std::size_t webs = 2, const std::string& options = "")
      : v4_(v4), second_(second), balanced_("skb") {
    for (std::size_t web = 0; web < webs; web++)
      nodes_.push_back(std::make_unique<SecondNode>(balanced_.site.webs[web], web, options));
    for (const auto& node : nodes_) {
      node->require("peer add " + mac_of(site().balancer));
      for (const auto& peer : nodes_)
        if (peer != node) node->require("peer add " + mac_of(peer->host));
    }
    for (const auto& at : everywhere()) configure(at, true);
  }

  // As after a failure of the node that routers asked until now: what it remembered is gone.
  void forget(std::size_t node) {
    const auto at = everywhere().at(node);
    at("service del " + id());
    configure(at, false);
  }

  // The epoch is open then.
  void move() {
    for (const auto& at : everywhere()) {
      for (int number = 2; number <= webs(); number++)
        at("backend up " + id() + " " + address(number));
      at("backend drain " + id() + " " + address(1));
    }
  }

  void ask_through(int number) const { route_vips(site(), v4_, {address(number)}); }
  // So that each has flows, which a change must keep.
  void be_asked_everywhere(Flows& flows) const {
    for (int number = 1; number <= webs(); number++) {
      ask_through(number);
      HttpConnection(flows.next(), endpoint()).get("/");
    }
    route_vips(site(), v4_, {v4_ ? "10.2.0.11" : "fd00:2::11"});
  }

  // Web1's, and no client is told.
  void lose_sockets() const {
    const auto& host = site().webs[0];
    host.ip({"route add blackhole 10.1.0.0/16"});
    host.require({"ss", "-K", "state", "established", "sport", "=", ":80"});
    host.ip({"route del blackhole 10.1.0.0/16"});
  }

  [[nodiscard]] const Site& site() const { return balanced_.site; }
  [[nodiscard]] Endpoint endpoint() const { return {ServiceId::parse(id()).vip, 80}; }
  [[nodiscard]] std::uint64_t from_peers(std::size_t node) const {
    return count(*nodes_[node], "from-peer");
  }
  // What all of them have sent on.
  [[nodiscard]] std::uint64_t passed_on() const {
    std::uint64_t all = 0;
    for (const auto& node : nodes_) all += count(*node, "forwarded");
    return all;
  }

 private:
  using At = std::function<void(const std::string&)>;

  [[nodiscard]] std::uint64_t count(const SecondNode& node, const std::string& reason) const {
    const auto reasons = node.json("stats").at("reasons").at(v4_ ? "ipv4" : "ipv6");
    return reasons.contains(reason) ? reasons.at(reason).at("packets").get<std::uint64_t>() : 0;
  }
  [[nodiscard]] std::string id() const { return vip(10, v4_) + ":80/tcp"; }
  [[nodiscard]] int webs() const { return static_cast<int>(nodes_.size()); }
  [[nodiscard]] std::string address(int number) const { return web(number, 1, v4_).address; }

  // The balancer, web1, web2, ...
  [[nodiscard]] std::vector<At> everywhere() const {
    std::vector<At> all{[this](const auto& line) { balanced_.loader.require(line); }};
    for (const auto& node : nodes_)
      all.emplace_back([&node](const auto& line) { node->require(line); });
    return all;
  }

  void configure(const At& at, bool web1) const {
    at("service add " + id() + " --second-chance " + second_);
    for (int number = 1; number <= webs(); number++) {
      at("backend add " + id() + " " + address(number));
      if ((number == 1) != web1) at("backend drain " + id() + " " + address(number));
    }
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
  nodes.move();
  BOOST_TEST(server_of(nodes.old) == "web1");  // the balancer remembers it
  nodes.forget(0);
  BOOST_TEST(server_of(nodes.old) == "web1");
  HttpConnection fresh(nodes.flows.next(), nodes.endpoint());
  BOOST_TEST(server_of(fresh) == "web2");
  BOOST_TEST(nodes.from_peers(0) > 0U);
  BOOST_TEST(nodes.from_peers(1) > 0U);
}

BOOST_DATA_TEST_CASE(by_the_second_choice_of_a_clean_slot, data::make(families), family) {
  Connected nodes(family == "ipv4", "on");
  for (const std::size_t node : {0, 1, 2}) nodes.forget(node);
  BOOST_TEST(server_of(nodes.old) == "web1");
}

// By its own table, that of a node which knows of no change, it would be the other's.
BOOST_DATA_TEST_CASE(where_its_socket_is, data::make(families), family) {
  Connected nodes(family == "ipv4", "on");
  nodes.move();
  nodes.forget(1);
  nodes.ask_through(1);
  BOOST_TEST(server_of(nodes.old) == "web1");
  HttpConnection fresh(nodes.flows.next(), nodes.endpoint());
  BOOST_TEST(server_of(fresh) == "web2");
}

BOOST_AUTO_TEST_CASE(without_it_the_connection_breaks) {
  Connected nodes(true, "off");
  nodes.move();
  nodes.forget(0);
  BOOST_CHECK_THROW(server_of(nodes.old), std::exception);
}

// Of connections that nobody has: they end, and the clients are told. Whatever the tables of the
// nodes are, with the same key or with others, none is sent round and round.
BOOST_DATA_TEST_CASE(what_nobody_has_ends, data::make({true, false}), equal) {
  Nodes nodes(true, "on", 3, equal ? "--key-file /run/cluster-key" : "");
  Flows flows(true);
  const Inside here(nodes.site().client);
  std::vector<HttpConnection> all;
  for (int i = 0; i < 20; i++) {
    all.emplace_back(flows.next(), nodes.endpoint());
    BOOST_TEST(server_of(all.back()) == "web1");
  }
  nodes.be_asked_everywhere(flows);
  nodes.move();
  nodes.forget(0);
  nodes.lose_sockets();
  const auto before = nodes.passed_on();
  for (auto& connection : all) BOOST_CHECK_THROW(server_of(connection), std::exception);
  const auto passed = nodes.passed_on() - before;
  BOOST_TEST(passed >= all.size());
  // a request, and perhaps its FIN
  BOOST_TEST(passed <= all.size() * 2 * (equal ? 2U : 4U));
}

// Of UDP only a socket that is connected to its client tells whose a flow is.
BOOST_AUTO_TEST_CASE(a_connected_socket_keeps_its_flow_of_udp) {
  Balanced balanced("skb");
  auto& site = balanced.site;
  serve_udp(site);
  const SecondNode node(site.webs[0], 0);
  const auto id = vip(10) + ":53/udp";
  const auto web1 = web(1).address;
  const auto web2 = web(2).address;
  node.require("service add " + id + " --epoch 1 --second-chance on");
  node.require("backend add " + id + " " + web1);
  route_vips(site, true, {web1});
  Flows flows(true);
  const Endpoint to{ServiceId::parse(id).vip, 53};
  const auto ask = [&](const Endpoint& from) {
    const Inside here(site.client);
    return udp_ask(from, to, "?");
  };
  BOOST_TEST(ask(flows.next()) == "web1 ?");
  node.require("backend add " + id + " " + web2);
  node.require("backend drain " + id + " " + web1);
  // the slots' deadlines pass
  BOOST_REQUIRE(wait_until([&] { return ask(flows.next()) == "web2 ?"; }, 30));
  const auto from = flows.next();
  {
    const auto connected = [&] {
      const Inside here(site.webs[0]);
      auto socket = bound_socket(to, SOCK_DGRAM);
      connect_socket(socket, from);
      return socket;
    }();
    BOOST_CHECK_THROW(ask(from), std::exception);
    std::array<char, 2> question{};
    BOOST_TEST(::recv(connected.get(), question.data(), question.size(), 0) == 1);
  }
  BOOST_TEST(ask(from) == "web2 ?");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
