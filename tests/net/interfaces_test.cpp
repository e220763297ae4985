// SPDX-License-Identifier: GPL-2.0-only
// Several interfaces: packets that leave by another one, and one set of maps for all.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/net/cli_fixture.h"
#include "tests/net/injected.h"
#include "tests/net/tap.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

// From now on 192.0.2.11 reaches the balancer on eth1.
void route_by_eth1(const Site& site) { site.router.ip("route add 192.0.2.11/32 via 10.4.0.11"); }

bool runs_on(const Loader& loader, const std::string& ifname) {
  return loader.run("status --check " + ifname).status == 0;
}

// Which of the balancer's ports the service's packets came out of.
struct Ports {
  Ports(const Site& site, const TestService& service)
      : lan0(site.router, "lb0", to_address(service.vip())),
        lan1(site.router, "lb1", to_address(service.vip())) {}
  Tap lan0, lan1;
};

BOOST_AUTO_TEST_SUITE(interfaces)

BOOST_DATA_TEST_CASE(backends_on_another_interface, data::make(modes) * data::make(families), mode,
                     family) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10, family == "ipv4") + ":80/tcp");
  service.add({1, 4});
  Ports ports(site, service);
  Flows flows(service.is_v4());
  const auto answered = check_connections(site, service, flows, counts(500, 5000));
  BOOST_TEST(answered.size() == 2U);
  BOOST_TEST(loader.dropped() == 0U);
  const auto redirected = ports.lan1.count();
  const auto arrived_and_returned = ports.lan0.count();
  const auto forwarded = loader.forwarded(service.id());
  BOOST_TEST(redirected >= 4U * static_cast<unsigned>(answered.at("web4")));
  BOOST_TEST(arrived_and_returned + redirected == 2 * forwarded);
}

BOOST_DATA_TEST_CASE(two_interfaces_share_services, data::make(modes), mode) {
  Balanced balanced(mode, "eth0 eth1");
  auto& [site, loader] = balanced;
  route_by_eth1(site);
  TestService first(loader, vip(10) + ":80/tcp");
  TestService second(loader, vip(11) + ":80/tcp");
  first.add({1, 2, 4});
  second.add({1, 3, 4});
  Ports ports(site, second);
  Flows flows(true);
  BOOST_TEST(check_connections(site, first, flows, 300).size() == 3U);
  BOOST_TEST(check_connections(site, second, flows, 300).size() == 3U);
  BOOST_TEST(ports.lan1.count() >= 1200U);
  BOOST_TEST(ports.lan0.count() >= 600U);
  BOOST_TEST(loader.dropped() == 0U);
}

BOOST_DATA_TEST_CASE(each_interface_comes_and_goes_alone, data::make(modes), mode) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10) + ":80/tcp");
  service.add({1, 2, 4});
  Flows flows(true);
  check_connections(site, service, flows, 100);

  loader.load("eth1", mode);
  BOOST_TEST(runs_on(loader, "eth1"));
  check_connections(site, service, flows, 100);

  loader.require("unload eth1");
  BOOST_TEST(!runs_on(loader, "eth1"));
  BOOST_TEST(runs_on(loader, "eth0"));
  check_connections(site, service, flows, 100);

  loader.load("eth1", mode);
  loader.require("unload eth0");
  BOOST_TEST(runs_on(loader, "eth1"));
  BOOST_TEST(std::filesystem::exists(pin_path));
  site.router.ip("route replace 192.0.2.10/32 via 10.4.0.11");
  check_connections(site, service, flows, 100);

  loader.require("unload eth1");
  BOOST_TEST(!std::filesystem::exists(pin_path));
  BOOST_TEST(loader.run("service list").status == 3);
}

BOOST_DATA_TEST_CASE(kept_maps_serve_the_next_load, data::make(modes), mode) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10) + ":80/tcp");
  service.add({1, 2, 3});
  service.set_weight("web2", 5);
  service.set_weight("web3", 0);
  Flows flows(true);
  check_connections(site, service, flows, 100);
  const auto before = loader.json("backend list");
  const auto forwarded = loader.forwarded(service.id());
  const auto key = pinned_cluster_key();

  loader.require("unload --keep-maps eth0");
  BOOST_TEST(!runs_on(loader, "eth0"));
  BOOST_TEST(std::filesystem::exists(pin_path));
  loader.load("eth0", mode);
  BOOST_TEST(loader.json("backend list") == before);
  BOOST_TEST(loader.forwarded(service.id()) == forwarded);
  BOOST_TEST((pinned_cluster_key() == key));
  check_connections(site, service, flows, 100);
}

// However many there are, a command asks the kernel as often.
BOOST_AUTO_TEST_CASE(those_without_a_program, *boost::unit_test::precondition(has_strace)) {
  Machine machine;
  machine.load_with_services();
  machine.loader.require("announce");
  const Words lines{"status", "announce", "backend set 192.0.2.10:80/tcp 10.0.0.2 -w 3"};
  const auto questions = [&] {
    std::vector<int> all;
    for (const auto& line : lines) all.push_back(count_calls(machine.host, "sendto", line));
    return all;
  };
  const auto before = questions();
  for (int i = 0; i < 10; ++i)
    machine.host.ip("link add name v" + std::to_string(i) + " type veth peer name w" +
                    std::to_string(i));
  BOOST_TEST(questions() == before, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
