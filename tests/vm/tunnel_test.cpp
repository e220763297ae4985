// SPDX-License-Identifier: GPL-2.0-only
// Forwarding modes ipip, gue and gre through a chain, with the kernel's own tunnel devices at the
// backends: whatever the outer header is wrong in, they don't take.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <random>

#include "tests/vm/chained_site.h"

namespace xdplb::test {
namespace {

// Full-size packets don't fit with their outer header: the client is told, sends smaller ones, and
// all of it arrives.
void upload(const Site& site, const TestService& service, const Endpoint& from,
            const std::string& name) {
  const auto told = [&] {
    const auto* family = service.is_v4() ? "ipv4" : "ipv6";
    return Loader(site.balancer).reason("told-too-big", family);
  };
  const auto before = told();
  std::string sent(static_cast<std::size_t>(counts(1'000'000, 20'000'000)), '\0');
  std::mt19937_64 random(sent.size());
  for (auto& byte : sent) byte = static_cast<char>(random());
  // Forgets what an earlier upload has learned.
  site.client.require(split(service.is_v4() ? "ip route flush cache" : "ip -6 route flush cache"));
  {
    const Inside here(site.client);
    HttpConnection connection(from, service.endpoint());
    BOOST_TEST(connection.put("/file/" + name, sent).status == 201);
    BOOST_TEST((connection.get("/file/" + name).body == sent));
  }
  const auto owner = service.expected(from, 80).back() - '1';
  BOOST_TEST((site.file(static_cast<std::size_t>(owner), name) == sent));
  BOOST_TEST(told() > before);
}

BOOST_AUTO_TEST_SUITE(tunnel)

BOOST_DATA_TEST_CASE(every_mode_and_family, boost::unit_test::data::make(modes), attached) {
  ChainedSite chained(attached, "eth0");
  auto& [site, loader] = chained;
  int number = 0;
  for (const std::string mode : {"ipip", "gue", "gre"})
    for (const bool vip_v4 : {true, false})
      for (const bool backend_v4 : {true, false}) {
        TestService service(loader, vip(10, vip_v4) + ":80/tcp", "--forward " + mode);
        BOOST_TEST_CONTEXT(mode << ", " << service.id() << " to IPv" << (backend_v4 ? 4 : 6)) {
          for (const int number : {1, 2, 4}) service.add(web(number, 1, backend_v4));
          Flows flows(vip_v4);
          const auto answers = check_connections(site, service, flows, counts(24, 60));
          BOOST_TEST(answers.size() == 3U);
          BOOST_TEST(loader.dropped() == 0U);
          upload(site, service, flows.next(), mode + std::to_string(number++));
        }
        loader.require("service del " + service.id());
      }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
