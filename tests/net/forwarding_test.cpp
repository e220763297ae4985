// SPDX-License-Identifier: GPL-2.0-only
// Modes nat and fullnat by real web servers and clients, and each mode that needs no tunnel past a
// narrow path. Checksums are whole where they reach the balancer, as on a cable (Site::tune()): the
// rest of a sum that a device was to complete can't be told from one by who rewrites a port.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/datagrams.h"
#include "tests/net/forwarding.h"
#include "tests/net/tap.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

struct Rewritten : Balanced {
  Rewritten(const std::string& mode, const std::string& forward) : Balanced(mode, "eth0 eth1") {
    if (forward == "nat") reply_through_balancer(site);
    add_pool(site);
  }
};

// What a client must not see: packets from the backends' own addresses.
class Leaks {
 public:
  Leaks(const Site& site, bool v4) {
    for (int number = 1; number <= 4; ++number)
      taps_.emplace_back(site.router, "wan",
                         from_address(Address::parse(web(number, 1, v4).address)));
  }
  std::uint64_t count() {
    std::uint64_t sum = 0;
    for (auto& tap : taps_) sum += tap.count();
    return sum;
  }

 private:
  std::vector<Tap> taps_;
};

BOOST_AUTO_TEST_SUITE(forwarding)

BOOST_DATA_TEST_CASE(http_is_rewritten_both_ways,
                     data::make(rewriting) * data::make(modes) * data::make(families), forward,
                     mode, family) {
  Rewritten rewritten(mode, forward);
  auto& [site, loader] = static_cast<Balanced&>(rewritten);
  const bool v4 = family == "ipv4";
  TestService service(loader, vip(10, v4) + ":80/tcp", forward_options(forward, v4));
  for (const int number : {1, 3, 4}) service.add(web_at(number, 8080, v4));
  service.add(web(2, 1, v4));
  Leaks leaks(site, v4);
  Tap replies(site.router, "wan", from_address(service.vip()));
  Flows flows(v4);
  const int count = counts(1000, 20000);
  const auto answers = check_connections(site, service, flows, count);
  BOOST_TEST(answers.size() == 4U);
  BOOST_TEST(replies.count() >= 3U * static_cast<unsigned>(count));
  BOOST_TEST(loader.reason("returned", family) >= 3U * static_cast<unsigned>(count));

  const auto sent = random_bytes(10'000'000);
  for (int i = 0; i < 4; ++i) {
    const Inside here(site.client);
    const auto from = flows.next();
    HttpConnection connection(from, service.endpoint());
    BOOST_TEST(connection.put("/file/large", sent).status == 201);
    BOOST_TEST((connection.get("/file/large").body == sent));
    const auto owner = static_cast<std::size_t>(service.expected(from, 80).back() - '1');
    BOOST_TEST((site.file(owner, "large") == sent));
    site.remove_file(owner, "large");
  }
  BOOST_TEST(leaks.count() == 0U);
  BOOST_TEST(loader.dropped() == 0U);
}

BOOST_DATA_TEST_CASE(udp_is_rewritten_both_ways,
                     data::make(rewriting) * data::make(modes) * data::make(families), forward,
                     mode, family) {
  Rewritten rewritten(mode, forward);
  auto& [site, loader] = static_cast<Balanced&>(rewritten);
  serve_udp(site);
  const bool v4 = family == "ipv4";
  TestService service(loader, vip(11, v4) + ":53/udp", forward_options(forward, v4));
  service.add(web(1, 1, v4));
  service.add(web_at(2, 5353, v4));
  service.add(web_at(4, 40000, v4));
  Leaks leaks(site, v4);
  Flows flows(v4);
  check_questions(site, service, flows, counts(1000, 20000));
  BOOST_TEST(leaks.count() == 0U);
  BOOST_TEST(loader.dropped() == 0U);
}

BOOST_DATA_TEST_CASE(a_narrow_path_is_told_to_both_ends,
                     data::make(Words{"l2", "nat", "fullnat"}) * data::make(modes), forward, mode) {
  Rewritten rewritten(mode, forward);
  auto& [site, loader] = static_cast<Balanced&>(rewritten);
  const NarrowPath path(site);
  for (const bool v4 : {true, false}) {
    TestService service(loader, vip(10, v4) + ":80/tcp", forward_options(forward, v4));
    for (const int number : {1, 2, 4}) service.add(member_of(service, forward, number, 8080));
    Flows flows(v4);
    for (int i = 0; i < 6; ++i)
      check_narrow_path(site, service, flows.next(),
                        static_cast<std::size_t>(counts(1'000'000, 20'000'000)));
  }
  BOOST_TEST(loader.dropped() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
