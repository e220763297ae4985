// SPDX-License-Identifier: GPL-2.0-only
// HTTP through the balancer, by real web servers and clients.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/forwarding.h"
#include "tests/net/tap.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(http)

BOOST_DATA_TEST_CASE(every_connection_reaches_the_backend_of_the_model,
                     data::make(modes) * data::make(families), mode, family) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10, family == "ipv4") + ":80/tcp");
  for (unsigned i = 1; i <= 3; ++i) service.add(web(static_cast<int>(i), i, service.is_v4()));

  Tap requests(site.router, "lb0", to_address(service.vip()));
  Tap replies_at_balancer(site.router, "lb0", from_address(service.vip()));
  Tap replies(site.router, "wan", from_address(service.vip()));
  Flows flows(service.is_v4());
  const int count = counts(3000, 20000);
  const auto answers = check_connections(site, service, flows, count);

  BOOST_TEST(answers.size() == 3U);
  BOOST_TEST(replies_at_balancer.count() == 0U);
  BOOST_TEST(replies.count() >= 3U * static_cast<unsigned>(count));  // SYN-ACK, answer, FIN
  // Each packet to the balancer, and once more on its way to a backend.
  BOOST_TEST(requests.count() == 2 * loader.forwarded(service.id()));
  BOOST_TEST(loader.dropped() == 0U);
}

BOOST_DATA_TEST_CASE(large_transfers_arrive_intact, data::make(modes) * data::make(families), mode,
                     family) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10, family == "ipv4") + ":80/tcp");
  service.add({1, 2, 3});
  const auto sent = random_bytes(10'000'000);
  Flows flows(service.is_v4());
  const Inside here(site.client);
  for (int i = 0; i < 3; ++i) {
    const auto from = flows.next();
    const auto name = "upload" + std::to_string(i);
    HttpConnection connection(from, service.endpoint());
    BOOST_TEST(connection.put("/file/" + name, sent).status == 201);
    const auto back = connection.get("/file/" + name);
    BOOST_TEST(back.status == 200);
    BOOST_TEST((back.body == sent));
    const auto owner = service.expected(from, 80).back() - '1';
    BOOST_TEST((site.file(static_cast<std::size_t>(owner), name) == sent));
  }
}

BOOST_DATA_TEST_CASE(curl_works, data::make(modes) * data::make(families), mode, family) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10, family == "ipv4") + ":80/tcp");
  service.add({1, 2});
  const auto url = "http://" + vip(10, family == "ipv4") + "/?[1-50]";
  const auto answer = site.client.require({"curl", "-sS", "-f", "-m", "20", url});
  BOOST_TEST(answer.find("web1 ") != std::string::npos);
  BOOST_TEST(answer.find("web2 ") != std::string::npos);
  BOOST_TEST(answer.find("web3 ") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
