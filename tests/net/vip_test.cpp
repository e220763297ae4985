// SPDX-License-Identifier: GPL-2.0-only
// How the VIP's packets reach the balancer, and what of them is its own.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/fixture.h"
#include "tests/net/tap.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

// A VIP on the balancer's own net: the router asks there for its link address.
const std::string near_vip = "10.2.0.100";
const std::string near_vip6 = "fd00:2::100";

void give_near_vips(const Site& site) {
  for (const auto& host : site.webs)
    host.ip("addr add " + near_vip + "/32 dev lo\naddr add " + near_vip6 + "/128 dev lo nodad");
}

void check_near_vips(const Site& site, const Loader& loader) {
  TestService service(loader, near_vip + ":80/tcp");
  TestService service6(loader, "[" + near_vip6 + "]:80/tcp");
  service.add({1, 2, 3});
  service6.add({1, 2, 3});
  Flows flows(true);
  Flows flows6(false);
  const int count = counts(300, 3000);
  check_connections(site, service, flows, count);
  check_connections(site, service6, flows6, count);
  BOOST_TEST(loader.forwarded(service.id()) >= 4U * static_cast<unsigned>(count));
  BOOST_TEST(loader.dropped() == 0U);
}

std::string neighbour(const Site& site, const std::string& address) {
  return site.router.require({"ip", "neigh", "show", address});
}

// Does the address answer an echo request?
bool echo(const Host& from, const std::string& address) {
  const auto to = endpoint(address, 0);
  const bool v4 = to.address.is_v4();
  from.sysctl("ipv4/ping_group_range", "0\t0");
  const Inside here(from);
  const auto socket = bound_socket(endpoint(v4 ? "0.0.0.0" : "::", 0), SOCK_DGRAM,
                                   v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
  connect_socket(socket, to);
  const std::array<char, 8> request{static_cast<char>(v4 ? 8 : 128), 0, 0, 0, 0, 0, 0, 1};
  if (::send(socket.get(), request.data(), request.size(), 0) < 0) return false;
  pollfd ready{socket.get(), POLLIN, 0};
  if (::poll(&ready, 1, 1000) != 1) return false;
  std::array<char, 64> answer{};
  return ::recv(socket.get(), answer.data(), answer.size(), 0) == 8 &&
         answer[0] == static_cast<char>(v4 ? 0 : 129);
}

BOOST_AUTO_TEST_SUITE(vip_ways)

BOOST_AUTO_TEST_CASE(an_address_of_the_balancer) {
  for (const auto* device : {"lo", "eth0"}) {
    BOOST_TEST_CONTEXT("on " << device) {
      Balanced balanced("native");
      auto& [site, loader] = balanced;
      give_near_vips(site);
      site.balancer.ip("addr add " + near_vip + "/32 dev " + device);
      site.balancer.ip("addr add " + near_vip6 + "/128 dev eth0 nodad");
      check_near_vips(site, loader);
      const auto mac = to_string(site.balancer.mac("eth0"));
      BOOST_TEST(neighbour(site, near_vip).find(mac) != std::string::npos);
      BOOST_TEST(neighbour(site, near_vip6).find(mac) != std::string::npos);
    }
  }
}

BOOST_DATA_TEST_CASE(a_route_at_the_router, data::make(families), family) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10, family == "ipv4") + ":80/tcp");
  service.add({1, 2});
  Flows flows(service.is_v4());
  check_connections(site, service, flows, 100);
  const auto before = loader.forwarded(service.id());
  BOOST_TEST(before >= 400U);
  // Without the route, nothing reaches anybody.
  const auto net = family == "ipv4" ? "192.0.2.0/24" : "2001:db8:ffff::/64";
  site.router.ip(std::string("route del ") + net);
  site.router.ip(std::string("route add unreachable ") + net);
  BOOST_CHECK_THROW(site.get(flows.next(), service.endpoint()), std::exception);
  BOOST_TEST(loader.forwarded(service.id()) == before);
}

BOOST_AUTO_TEST_CASE(a_neighbour_entry_at_the_router) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  give_near_vips(site);
  const auto mac = to_string(site.balancer.mac("eth0"));
  const auto entry = " lladdr " + mac + " dev lan0 nud permanent";
  site.router.ip("neigh replace " + near_vip + entry + "\nneigh replace " + near_vip6 + entry);
  check_near_vips(site, loader);
}

// What is not for a service is the balancer's own, on the VIP as on its other addresses.
BOOST_DATA_TEST_CASE(the_own_stack_gets_the_rest, data::make(modes), mode) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10) + ":80/tcp");
  service.add({1, 2});
  site.balancer.ip("addr add 192.0.2.10/32 dev lo\naddr add 2001:db8:ffff::10/128 dev eth0 nodad");
  site.balancer.start([] {
    const auto listener = bound_socket(endpoint("0.0.0.0", 22), SOCK_STREAM);
    ::listen(listener.get(), 16);
    while (true) {
      const Fd peer(::accept(listener.get(), nullptr, nullptr));
      if (peer) ::send(peer.get(), "balancer here", 13, MSG_NOSIGNAL);
    }
    return 0;
  });
  const auto greeting = [&](const std::string& address) {
    const Inside here(site.client);
    const auto socket = bound_socket(endpoint("10.1.0.2", 0), SOCK_STREAM);
    connect_socket(socket, endpoint(address, 22));
    std::array<char, 64> text{};
    const auto count = ::recv(socket.get(), text.data(), text.size(), MSG_WAITALL);
    return std::string(text.data(), count < 0 ? 0 : static_cast<std::size_t>(count));
  };
  const auto own = loader.reason("not-service");
  BOOST_TEST(greeting("192.0.2.10") == "balancer here");
  BOOST_TEST(greeting("10.2.0.11") == "balancer here");
  BOOST_TEST(loader.reason("not-service") >= own + 6);

  const auto pings = loader.reason("not-transport");
  BOOST_TEST(echo(site.client, "192.0.2.10"));
  BOOST_TEST(loader.reason("not-transport") > pings);
  BOOST_TEST(!echo(site.client, "192.0.2.99"));
  BOOST_TEST(echo(site.client, "2001:db8:ffff::10"));

  Flows flows(true);
  check_connections(site, service, flows, 100);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
