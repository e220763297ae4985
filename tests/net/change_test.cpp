// SPDX-License-Identifier: GPL-2.0-only
// Changes of backends under traffic: every connection goes where the model says, before and after.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <sstream>
#include <thread>

#include "tests/net/fixture.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

// Connections that stay open, each with the backend that answered it first.
class OpenConnections {
 public:
  OpenConnections(const Site& site, const TestService& service, Flows& flows, int count)
      : service_(service) {
    const Inside here(site.client);
    for (int i = 0; i < count; ++i) {
      const auto from = flows.next();
      all_.push_back({from, service.expected(from, service.endpoint().port),
                      std::make_unique<HttpConnection>(from, service.endpoint())});
    }
    check([](const auto&) { return true; });
  }

  // Those that `kept` says must still be answered, by the same backend. How many there were.
  int check(const std::function<bool(const std::string& owner)>& kept) {
    std::ostringstream wrong;
    int asked = 0;
    for (auto& [from, owner, connection] : all_) {
      if (!kept(owner) || !wrong.str().empty()) continue;
      ++asked;
      try {
        const auto got = split(connection->get("/keep").body).at(0);
        if (got != owner) wrong << got << " answered, not " << owner;
      } catch (const std::exception& failure) {
        wrong << owner << ": " << failure.what();
      }
    }
    BOOST_TEST(wrong.str() == "", service_.id() << ": " << wrong.str());
    return asked;
  }

  // Forgets those whose flow the table now gives to another.
  void drop_moved() {
    std::erase_if(all_, [&](const auto& one) {
      return service_.expected(one.from, service_.endpoint().port) != one.owner;
    });
  }
  [[nodiscard]] std::size_t size() const { return all_.size(); }

 private:
  struct Open {
    Endpoint from;
    std::string owner;
    std::unique_ptr<HttpConnection> connection;
  };
  const TestService& service_;
  std::vector<Open> all_;
};

const auto any = [](const std::string&) { return true; };

BOOST_AUTO_TEST_SUITE(change)

// What is done to one service, in turn.
std::vector<std::function<void(TestService&)>> changes() {
  return {[](auto& service) { service.add(web(3, 1, service.is_v4())); },
          [](auto& service) { service.set_weight("web1", 7); },
          [](auto& service) { service.set_weight("web2", 0); },
          [](auto& service) { service.remove("web1"); },
          [](auto& service) { service.set_weight("web2", 3); },
          [](auto& service) { service.add(web(4, 2, service.is_v4())); },
          [](auto& service) { service.remove("web3"); },
          [](auto& service) { service.remove("web2"); }};
}

BOOST_DATA_TEST_CASE(connections_follow_the_model_through_changes,
                     data::make(modes) * data::make(families), mode, family) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  const bool v4 = family == "ipv4";
  TestService changed(loader, vip(10, v4) + ":80/tcp", "--balance off --slots 4096");
  TestService other(loader, vip(11, v4) + ":80/tcp");
  changed.add({1, 2});
  other.add({1, 2, 3});
  Flows flows(v4);
  OpenConnections ours(site, changed, flows, 100);
  OpenConnections others(site, other, flows, 100);
  for (const auto& apply : changes()) {
    apply(changed);
    ours.drop_moved();
    ours.check(any);
    BOOST_TEST(others.check(any) == 100);
    check_connections(site, changed, flows, counts(200, 2000));
    check_connections(site, other, flows, 100);
  }
  BOOST_TEST(loader.dropped() == 0U);
}

// One request after another; those that fail are somebody else's business, unless `strict`.
int request_forever(const std::string& vip, bool strict) {
  while (true) {
    try {
      http_get(endpoint("10.1.0.2", 0), endpoint(vip, 80));
    } catch (const std::exception&) {
      if (strict) throw;
    }
  }
}

// A change of backends costs no packet: neither of that service, whose new backend must be ready
// when the first packet is sent to it, nor of another with the same backends.
BOOST_AUTO_TEST_CASE(changes_under_load_drop_no_packet) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  TestService changed(loader, vip(10) + ":80/tcp");
  TestService other(loader, vip(11) + ":80/tcp");
  changed.add({1, 2});
  other.add({1, 2});
  const auto client = site.client.start([] { return request_forever("192.0.2.10", false); });
  const auto strict = site.client.start([] { return request_forever("192.0.2.11", true); });
  for (int i = 0; i < counts(10, 50); ++i) {
    changed.add({3});
    changed.set_weight("web1", 2 + static_cast<unsigned>(i));
    changed.set_weight("web2", 0);
    changed.set_weight("web2", 1);
    changed.remove("web3");
  }
  BOOST_TEST(site.client.runs(strict), "a request to the other service failed");
  site.client.stop(strict);
  site.client.stop(client);
  const auto json = loader.json("stats");
  BOOST_TEST(loader.dropped() == 0U, "packets were dropped: " << json.at("reasons").dump());
  BOOST_TEST(loader.forwarded(changed.id()) > 1000U);
  BOOST_TEST(loader.forwarded(other.id()) > 1000U);
}

// The neighbours of a backend stay known while any service has it.
BOOST_DATA_TEST_CASE(a_backend_of_two_services_survives_in_the_other, data::make(families),
                     family) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  const bool v4 = family == "ipv4";
  TestService one(loader, vip(10, v4) + ":80/tcp");
  TestService other(loader, vip(11, v4) + ":80/tcp");
  one.add({1, 2});
  other.add({1, 2});
  one.remove("web1");
  loader.require("service del " + one.id());
  Flows flows(v4);
  // For longer than the data path remembers what the kernel told it.
  for (int i = 0; i < 4; ++i) {
    check_connections(site, other, flows, 50);
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
  }
  BOOST_TEST(loader.dropped() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
