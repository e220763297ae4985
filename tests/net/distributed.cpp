// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/distributed.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iostream>
#include <set>

#include "plugin/hex.h"
#include "tests/net/daemons.h"

namespace xdplb::test {

Distributed::Distributed(bool v4, const std::string& options, int nodes,
                         const std::vector<int>& servers,
                         const std::function<void(const Site&)>& prepare)
    : v4_(v4),
      all_(counts(200, 1000)),
      balanced_("skb"),
      service_(balanced_.loader, vip(10, v4) + ":80/tcp") {
  prepare(site());
  const std::string key = "/run/nodes.key";
  std::ofstream(key) << hex(pinned_cluster_key());
  site().router.sysctl(v4 ? "ipv4/fib_multipath_hash_policy" : "ipv6/fib_multipath_hash_policy",
                       "1");
  for (std::size_t i = 0; i < static_cast<std::size_t>(nodes); i++)
    nodes_.push_back(std::make_unique<SecondNode>(site().webs[i], i, "--key-file " + key));
  for (const auto& node : nodes_) {
    for (std::size_t i = 0; i < nodes_.size(); i++) {
      if (nodes_[i] == node) continue;
      node->require("peer add " + mac_of(nodes_[i]->host));
      node->require("peer add " + address(static_cast<int>(i) + 1));
    }
    node->require("service add " + service_.id() + " " + options);
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

void Distributed::each(const std::string& line, const std::function<void()>& between) {
  std::set<std::string> digests;
  for (const auto& node : nodes_) {
    if (!node) continue;
    node->require(line);
    between();
  }
  for (const auto& node : nodes_)
    if (node) digests.insert(node->json("digest").at("tables"));
  BOOST_TEST(digests.size() == 1U, line);
}

void Distributed::route(const std::vector<int>& nodes) const {
  Words addresses;
  for (const int node : nodes) addresses.push_back(address(node));
  route_vips(balanced_.site, v4_, addresses);
}

void Distributed::seclude() const { balanced_.loader.require("unload --keep-maps eth0"); }

void Distributed::start_daemons(const std::vector<int>& servers) {
  std::vector<BgpNode> nodes{balancer_node};
  for (const int number : servers) {
    nodes.push_back({web(number).address, web(number, 1, false).address});
    start_bird(server(number), example("bird.conf", nodes.back()));
  }
  start_bgp_router(site().router, nodes);
}

pid_t Distributed::speak_for(const std::vector<int>& servers) {
  const auto vip = service_.endpoint().address.to_string();
  std::vector<Spoken> all;
  for (const int number : servers) all.push_back({vip, address(number)});
  return start_route_server(site().balancer, all);
}

pid_t Distributed::announce(int number) {
  const auto& node = nodes_.at(static_cast<std::size_t>(number - 1));
  return server(number).start(node->command("announce --interval 1"));
}

void Distributed::stop(int number, pid_t announcing) { server(number).stop(announcing); }

void Distributed::leave(int number) {
  auto& node = nodes_.at(static_cast<std::size_t>(number - 1));
  node->require("unload eth0");
  node.reset();
}

void Distributed::survive_announced(std::size_t hops) {
  BOOST_REQUIRE(wait_until([&] { return announced() == hops; }, 120));
  survive();
}

std::size_t Distributed::announced() const {
  const auto to = vip(10, v4_);
  const auto routes = nlohmann::json::parse(balanced_.site.router.require(
      {"ip", v4_ ? "-4" : "-6", "-j", "route", "show", "proto", "bird"}));
  std::size_t all = 0;
  for (const auto& route : routes) {
    if (to.find(route.at("dst").get<std::string>()) == std::string::npos) continue;
    all += route.contains("nexthops") ? route.at("nexthops").size() : 1;
  }
  return all;
}

Report Distributed::after_other_routes(int drained, const std::vector<int>& nodes) {
  each("backend drain " + id() + " " + address(drained), [this] { survive(); });
  farm_->renew(all_ / 2);
  route(nodes);
  return farm_->exchange();
}

Report Distributed::survive() {
  auto report = farm_->exchange();
  if (const auto text = report.text(); !text.empty()) std::cout << "broke:" << text << "\n";
  if (losses_) {
    *losses_ += report.broken();
    farm_->open(all_);
    return report;
  }
  BOOST_TEST(report.open() == all_, report.broken() << " broke:" << report.text());
  BOOST_TEST(report.failed() == 0, report.text());
  return report;
}

}  // namespace xdplb::test
