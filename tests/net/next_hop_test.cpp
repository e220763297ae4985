// SPDX-License-Identifier: GPL-2.0-only
// Next hops: what the kernel knows of backends, what the administrator says, and what is dropped.
#include <sched.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>

#include "tests/net/fixture.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

bool answers(const Site& site, const TestService& service, Flows& flows, const std::string& who) {
  try {
    return split(site.get(flows.next(), service.endpoint()).body)[0] == who;
  } catch (const std::exception&) {
    return false;
  }
}

// The packets are dropped for this reason, and for no other.
void check_drop(const Site& site, const Loader& loader, const TestService& service,
                const std::string& reason) {
  const auto family = service.is_v4() ? "ipv4" : "ipv6";
  const auto before = loader.reason(reason, family);
  const auto others = loader.dropped() - before;
  Flows flows(service.is_v4(), 20000);
  for (int i = 0; i < 10; ++i) knock(site, service, flows);
  BOOST_TEST(wait_until([&] { return loader.reason(reason, family) >= before + 10; }, 2));
  BOOST_TEST(loader.dropped() - loader.reason(reason, family) == others);
  BOOST_TEST(loader.forwarded(service.id()) == 0U);
}

// Keeps this thread on one CPU, and with it the packets that it sends: each CPU remembers next hops
// for itself.
class OneCpu {
 public:
  OneCpu() {
    ::sched_getaffinity(0, sizeof(before_), &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &one);
    BOOST_REQUIRE(::sched_setaffinity(0, sizeof(one), &one) == 0);
  }
  ~OneCpu() { ::sched_setaffinity(0, sizeof(before_), &before_); }
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  cpu_set_t before_{};
};

BOOST_AUTO_TEST_SUITE(next_hop)

BOOST_DATA_TEST_CASE(a_new_mac_is_followed_within_two_seconds, data::make(families), family) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10, family == "ipv4") + ":80/tcp");
  service.add({1});
  const OneCpu here;
  Flows flows(service.is_v4());
  check_connections(site, service, flows, 100);

  const auto old = site.webs[0].mac("eth0");
  site.webs[0].ip("link set eth0 address 02:00:5e:00:53:77");
  BOOST_REQUIRE(site.webs[0].mac("eth0") != old);
  const auto start = std::chrono::steady_clock::now();
  BOOST_TEST(wait_until(
      [&] {
        const auto forwarded = loader.forwarded(service.id());
        knock(site, service, flows);
        return loader.forwarded(service.id()) > forwarded + 1;  // the answer to the answer
      },
      2));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  BOOST_TEST_MESSAGE("followed after " << took.count() << " s");
  check_connections(site, service, flows, 100);
}

BOOST_DATA_TEST_CASE(a_static_next_hop_needs_no_forwarding,
                     data::make(modes) * data::make(families), mode, family) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  const bool v4 = family == "ipv4";
  site.balancer.sysctl("ipv4/conf/eth0/forwarding", "0");
  site.balancer.sysctl("ipv6/conf/eth0/forwarding", "0");
  TestService service(loader, vip(10, v4) + ":80/tcp");
  std::vector<Member> members;
  for (int i = 1; i <= 3; ++i) {
    members.push_back(web(i, 1, v4));
    const auto mac = to_string(site.webs[static_cast<std::size_t>(i - 1)].mac("eth0"));
    loader.require("backend add " + service.id() + " " + members.back().address + " --next-hop " +
                   mac + "%eth0");
  }
  service.believe(members);
  Flows flows(v4);
  check_connections(site, service, flows, 300);
  BOOST_TEST(loader.dropped() == 0U);
}

BOOST_DATA_TEST_CASE(forwarding_off_is_counted, data::make(families), family) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10, family == "ipv4") + ":80/tcp");
  service.add({1});
  site.balancer.sysctl("ipv4/conf/eth0/forwarding", "0");
  site.balancer.sysctl("ipv6/conf/eth0/forwarding", "0");
  check_drop(site, loader, service, "forwarding-off");
}

BOOST_DATA_TEST_CASE(a_missing_neighbour_is_counted, data::make(families), family) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  const bool v4 = family == "ipv4";
  TestService service(loader, vip(10, v4) + ":80/tcp");
  service.add({"nobody", v4 ? "10.2.0.99" : "fd00:2::99"});
  check_drop(site, loader, service, "no-neighbour");
}

BOOST_DATA_TEST_CASE(a_backend_behind_a_gateway_is_counted, data::make(families), family) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  const bool v4 = family == "ipv4";
  TestService service(loader, vip(10, v4) + ":80/tcp");
  const auto added = loader.run("backend add " + service.id() + (v4 ? " 10.9.0.1" : " fd00:9::1"));
  BOOST_TEST(added.status == 0);
  BOOST_TEST(added.err.find("gateway") != std::string::npos);
  check_drop(site, loader, service, "off-link");
}

BOOST_DATA_TEST_CASE(a_missing_route_is_counted, data::make(families), family) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  const bool v4 = family == "ipv4";
  site.balancer.ip(v4 ? "route add unreachable 10.9.0.0/24" : "route add unreachable fd00:9::/64");
  TestService service(loader, vip(10, v4) + ":80/tcp");
  const auto added = loader.run("backend add " + service.id() + (v4 ? " 10.9.0.1" : " fd00:9::1"));
  BOOST_TEST(added.status == 0);
  BOOST_TEST(added.err.find("no route") != std::string::npos);
  check_drop(site, loader, service, "no-route");
}

// The kernel forgets its neighbours with a link, and XDP asks for none.
BOOST_DATA_TEST_CASE(a_link_that_comes_back_has_its_neighbours_with_the_next_command,
                     data::make({"settle", "backend up ", "backend set -w 2 "}), command) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10) + ":80/tcp");
  service.add({1});
  Flows flows(true, 30000);
  check_connections(site, service, flows, 5);
  site.balancer.ip("link set eth0 down\nlink set eth0 up");
  const auto is_dropped = [&] {
    knock(site, service, flows);
    return loader.reason("no-neighbour", "ipv4") > 0;
  };
  BOOST_TEST_REQUIRE(wait_until(is_dropped, 5));
  const std::string line = command;
  loader.require(line.ends_with(' ') ? line + service.id() + " " + web(1).address : line);
  BOOST_TEST(wait_until([&] { return answers(site, service, flows, "web1"); }, 15));
}

// The failure isn't remembered for long.
BOOST_AUTO_TEST_CASE(what_was_missing_is_noticed_when_it_comes) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10) + ":80/tcp");
  site.webs[0].ip("link set eth0 down");
  service.add({1});
  check_drop(site, loader, service, "no-neighbour");
  site.webs[0].ip("link set eth0 up\nroute replace default via 10.2.0.1");
  Flows flows(true, 30000);
  BOOST_TEST(wait_until([&] { return answers(site, service, flows, "web1"); }, 15));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
