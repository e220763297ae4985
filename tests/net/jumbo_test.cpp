// SPDX-License-Identifier: GPL-2.0-only
// Frames of 9000 bytes: more than a page, so that the program sees only their first part.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/fixture.h"
#include "tests/net/tap.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(jumbo)

BOOST_DATA_TEST_CASE(large_segments_pass, data::make(modes) * data::make(families), mode, family) {
  constexpr unsigned mtu = 9000;
  Balanced balanced(mode, "eth0", mtu);
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10, family == "ipv4") + ":80/tcp");
  service.add({1, 2, 4});
  Tap large(site.router, "lb0", longer_than(8900));
  const std::string sent(5'000'000, 'x');
  Flows flows(service.is_v4());
  for (int i = 0; i < 6; ++i) {
    const auto from = flows.next();
    const auto owner = static_cast<std::size_t>(service.expected(from, 80).back() - '1');
    const auto name = "large" + std::to_string(i);
    const Inside here(site.client);
    const auto before = large.count();
    HttpConnection connection(from, service.endpoint());
    BOOST_TEST(connection.put("/file/" + name, sent).status == 201);
    BOOST_TEST((site.file(owner, name) == sent));
    BOOST_TEST((connection.get("/file/" + name).body == sent));
    BOOST_TEST(large.count() - before >= 400U);  // of 560 segments to the balancer
  }
  BOOST_TEST(loader.dropped() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
