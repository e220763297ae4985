// SPDX-License-Identifier: GPL-2.0-only
// Connections through a chain: web servers behind the balancer, xdp-filter before it, and a chain
// that changes meanwhile.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "plugin/error.h"
#include "tests/net/fixture.h"
#include "tests/net/tap.h"
#include "tests/vm/lab.h"

namespace xdplb::test {
namespace {

BOOST_AUTO_TEST_SUITE(tcp)

void run(const Site& site, const std::string& line) { site.balancer.require(split(line)); }

struct Filtered {
  Filtered() {
    site.serve_http();
    run(site, "xdp-filter load -f tcp eth0");
    run(site, "xdp-filter port 8080");
    run(site, "xdp-lb load eth0");
  }
  Site site{{}};
  Loader loader{site.balancer};
};

BOOST_AUTO_TEST_CASE(requests_are_answered_and_filtered_ones_are_not) {
  Filtered filtered;
  auto& [site, loader] = filtered;
  TestService service(loader, vip(10) + ":0/tcp");  // any port: the filter decides
  service.add({1, 2, 3});

  Tap replies_at_balancer(site.balancer, "eth0", from_address(service.vip()));
  Tap replies(site.router, "wan", from_address(service.vip()));
  Flows flows(true);
  const int count = counts(300, 3000);
  const auto answers = check_connections(site, service, flows, count);
  BOOST_TEST(answers.size() == 3U);
  BOOST_TEST(replies_at_balancer.count() == 0U);  // straight to the client
  BOOST_TEST(replies.count() >= 3U * static_cast<unsigned>(count));
  BOOST_TEST(loader.dropped() == 0U);

  const auto forwarded = loader.forwarded(service.id());
  const Inside here(site.client);
  BOOST_CHECK_THROW(http_get(flows.next(), service.endpoint(8080)), SystemError);
  BOOST_TEST(loader.forwarded(service.id()) == forwarded);
  run(site, "xdp-filter unload eth0");
  const auto from = flows.next();
  BOOST_TEST(http_get(from, service.endpoint(8080)).body.find(service.expected(from, 8080)) == 0U);
}

BOOST_AUTO_TEST_CASE(none_is_lost_while_the_chain_changes) {
  Filtered filtered;
  auto& [site, loader] = filtered;
  TestService service(loader, vip(10) + ":80/tcp");
  service.add({1, 2, 3});

  std::atomic<bool> done = false;
  int changes = 0;
  std::thread changing([&] {
    const std::string file = counter_file;
    while (!done) {
      run(site, "xdp-loader load eth0 " + file);
      run(site, "xdp-filter unload eth0");
      run(site, "xdp-filter load -f tcp eth0");
      changes += 3;
      const auto status = nlohmann::json::parse(loader.require("status -j eth0"));
      for (const auto& component : status.at("interfaces").at(0).at("components"))
        if (component.at("name") == "xdp_count")
          run(site, "xdp-loader unload -i " + component.at("id").dump() + " eth0");
    }
  });
  Flows flows(true);
  const int count = counts(300, 3000);
  const auto answers = check_connections(site, service, flows, count);
  done = true;
  changing.join();
  BOOST_TEST(answers.size() == 3U);
  BOOST_TEST(changes >= 3);
  BOOST_TEST(loader.dropped() == 0U);
  BOOST_TEST_MESSAGE(count << " connections, " << changes << " changes of the chain");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
