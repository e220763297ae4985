// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Balancers without machines of their own: a router spreads a VIP by ECMP over servers, each of
// which balances and serves. Live connections count what breaks.

#include <optional>

#include "tests/net/farm.h"
#include "tests/net/peers.h"

namespace xdplb::test {

// The balancer of the site gets no packets: it has the model's service, and its key.
class Distributed {
 public:
  // So many nodes, web1, web2, ...; some of them serve. The service's options.
  Distributed(
      bool v4, const std::string& options, int nodes, const std::vector<int>& servers,
      const std::function<void(const Site&)>& prepare = [](const Site&) {});

  // What is said at all nodes, one after another; then does what is said between them. They agree
  // in the end.
  void each(
      const std::string& line, const std::function<void()>& between = [] {});
  void route(const std::vector<int>& nodes) const;
  void seclude() const;  // the balancer has no component any more, but its maps
  Report survive();      // all live on, and no fresh one fails
  // From now on those that don't are counted instead, and others opened in their place.
  void tolerate_losses() { losses_ = 0; }
  [[nodiscard]] int losses() const { return losses_.value(); }
  // A server drains; connections are opened then, and come to nodes that don't know of them.
  Report after_other_routes(int drained, const std::vector<int>& nodes);

  // BIRD at the router, which takes what these servers announce, and at the servers. The VIP's
  // network stays routed as it is: that is for when nobody announces it.
  void start_daemons(const std::vector<int>& servers);
  // A route server, the balancer, announces the VIP for these, which have no daemon, until stopped.
  pid_t speak_for(const std::vector<int>& servers);
  void silence(pid_t route_server) { site().balancer.stop(route_server); }
  // 'xdp-lb announce' there; it withdraws when it is stopped.
  pid_t announce(int server);
  void stop(int server, pid_t announcing);
  void leave(int server);  // the component is unloaded there
  // Until the router has so many next hops from BIRD; then all survive.
  void survive_announced(std::size_t hops);

  [[nodiscard]] Site& site() { return balanced_.site; }
  [[nodiscard]] Farm& farm() { return *farm_; }
  [[nodiscard]] const std::string& id() const { return service_.id(); }
  [[nodiscard]] std::string address(int server) const { return web(server, 1, v4_).address; }
  [[nodiscard]] int all() const { return all_; }

 private:
  [[nodiscard]] std::size_t announced() const;
  [[nodiscard]] Host& server(int number) {
    return site().webs[static_cast<std::size_t>(number - 1)];
  }

  bool v4_;
  int all_;
  Balanced balanced_;
  TestService service_;
  std::vector<std::unique_ptr<SecondNode>> nodes_{};
  std::unique_ptr<Farm> farm_{};
  std::optional<int> losses_{};
};

}  // namespace xdplb::test
