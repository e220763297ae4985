// SPDX-License-Identifier: GPL-2.0-only
// A web server that runs the component too, and decides otherwise than the balancer: what that has
// sent there it serves itself, once it knows it for a peer.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/net/peers.h"

namespace xdplb::test {
namespace {

struct TwoNodes : Balanced {
  explicit TwoNodes(bool v4)
      : Balanced("skb"), service(loader, vip(10, v4) + ":80/tcp"), node(site.webs[1], 2) {
    service.add({2});
    node.require("service add " + service.id());
    node.require("backend add " + service.id() + " " + web(1, 1, v4).address);
  }

  [[nodiscard]] std::string answer(const Endpoint& from) const {
    const auto body = site.get(from, service.endpoint()).body;
    return body.substr(0, body.find(' '));
  }

  TestService service;
  SecondNode node;
};

BOOST_AUTO_TEST_SUITE(peer_nodes)

BOOST_DATA_TEST_CASE(what_a_peer_balanced_stays, boost::unit_test::data::make(families), family) {
  TwoNodes nodes(family == "ipv4");
  Flows flows(family == "ipv4");
  const auto mac = mac_of(nodes.site.balancer);
  BOOST_TEST(nodes.answer(flows.next()) == "web1");  // balanced twice
  nodes.node.require("peer add " + mac);
  BOOST_TEST(nodes.node.require("peer list") == mac + "\n");
  const auto status = nodes.node.json("stats").at("reasons").at(family);
  BOOST_TEST(!status.contains("from-peer"));
  BOOST_TEST(nodes.answer(flows.next()) == "web2");
  const auto counted = nodes.node.json("stats").at("reasons").at(family);
  BOOST_TEST(counted.at("from-peer").at("packets") > 3);
  nodes.node.require("peer del " + mac);
  BOOST_TEST(nodes.answer(flows.next()) == "web1");
}

BOOST_AUTO_TEST_CASE(peers_of_a_file) {
  TwoNodes nodes(true);
  const std::string file = "/run/peers.toml";
  const auto write = [&](const std::string& peers) {
    std::ofstream(file) << peers << "\n" << nodes.node.require("save");
  };
  write("peers = [\"02:00:00:00:00:01\", \"10.2.0.21\"]");
  const auto planned = nodes.node.run("plan " + file);
  BOOST_TEST(planned.status == 5);
  BOOST_TEST(planned.out.find("Peer 10.2.0.21: added") != std::string::npos);
  BOOST_TEST(nodes.node.require("peer list").empty());
  nodes.node.require("apply " + file);
  BOOST_TEST(nodes.node.json("peer list").size() == 2U);
  BOOST_TEST(nodes.node.require("apply " + file) == "Nothing to do.\n");
  const auto saved = nodes.node.require("save");
  BOOST_TEST(saved.find("peers = [\"02:00:00:00:00:01\", \"10.2.0.21\"]") != std::string::npos);
  nodes.node.require("peer del 02:00:00:00:00:01");
  BOOST_TEST(nodes.node.run("plan " + file).status == 5);
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  TwoNodes nodes(true);
  nodes.node.require("peer add 02:00:00:00:00:01");
  for (const std::string line :
       {"peer add 02:00:00:00:00:01", "peer del 02:00:00:00:00:02", "peer add 01:00:5e:00:00:01",
        "peer add 0.0.0.0", "peer del 10.2.0.21", "peer add x", "peer add"}) {
    const auto refused = nodes.node.run(line);
    BOOST_TEST(refused.status == 2, line);
    BOOST_TEST(!refused.err.empty());
  }
  BOOST_TEST(nodes.node.require("peer list") == "02:00:00:00:00:01\n");
  std::ofstream("/run/peers.toml") << "peers = [\"02:00:00:00:00:01\", \"02:00:00:00:00:01\", 3]\n";
  const auto refused = nodes.node.run("plan --offline /run/peers.toml");
  BOOST_TEST(refused.status == 2);
  BOOST_TEST(refused.err.find("1:31: peer 02:00:00:00:00:01 is there twice") != std::string::npos,
             refused.err);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
