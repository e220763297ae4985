// SPDX-License-Identifier: GPL-2.0-only
// Every forwarding mode through a chain: connections, datagrams, and transfers past a path that is
// narrower than both its ends.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/datagrams.h"
#include "tests/net/errors.h"
#include "tests/support/bpf_fixture.h"
#include "tests/vm/chained_site.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

void check_tcp(const Site& site, const Loader& loader, const std::string& forward, bool v4) {
  TestService service(loader, vip(10, v4) + ":80/tcp", forward_options(forward, v4));
  for (const int number : {1, 2, 4}) service.add(member_of(service, forward, number, 8080));
  Flows flows(v4);
  const auto answers = check_connections(site, service, flows, counts(16, 60));
  BOOST_TEST(answers.size() == 3U);
  check_narrow_path(site, service, flows.next(),
                    static_cast<std::size_t>(counts(200'000, 20'000'000)));
  loader.require("service del " + service.id());
}

void check_udp(const Site& site, const Loader& loader, const std::string& forward, bool v4) {
  TestService service(loader, vip(11, v4) + ":53/udp", forward_options(forward, v4));
  for (const int number : {1, 2, 4}) service.add(member_of(service, forward, number, 5353));
  Flows flows(v4);
  check_questions(site, service, flows, counts(16, 60));
  loader.require("service del " + service.id());
}

// In the ordinary run one of them.
std::vector<bool> families_of(const std::string& forward) {
  if (full_counts()) return {true, false};
  return {forward != "ipip" && forward != "nat"};
}

BOOST_AUTO_TEST_SUITE(forwarding)

BOOST_DATA_TEST_CASE(every_mode, data::make(modes), attached) {
  ChainedSite chained(attached, "eth0 eth1");
  auto& [site, loader] = chained;
  const NarrowPath path(site);
  serve_udp(site);
  add_pool(site);
  for (const std::string forward : {"l2", "ipip", "gue", "gre", "fullnat", "nat"}) {
    if (forward == "nat") reply_through_balancer(site);  // the last one: others don't want it
    for (const bool v4 : families_of(forward))
      BOOST_TEST_CONTEXT(forward << ", IPv" << (v4 ? 4 : 6)) {
        check_tcp(site, loader, forward, v4);
        check_udp(site, loader, forward, v4);
        BOOST_TEST(loader.dropped() == 0U);
      }
  }
}

BOOST_DATA_TEST_CASE(errors_are_rewritten, data::make(modes), attached) {
  ChainedSite chained(attached, "eth0 eth1");
  auto& [site, loader] = chained;
  const Gateway gateway(site);
  add_pool(site);
  for (const auto& forward : rewriting)
    for (const bool v4 : {true, false}) BOOST_TEST_CONTEXT(forward << ", IPv" << (v4 ? 4 : 6))
  check_errors(site, loader, forward, v4);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
