// SPDX-License-Identifier: GPL-2.0-only
// SYNs that come to nothing, and connections beside them.
#include <boost/test/unit_test.hpp>

#include "tests/net/farmed.h"
#include "tests/net/flood.h"

namespace xdplb::test {
namespace {

BOOST_AUTO_TEST_SUITE(flooded)

nlohmann::json exceptions(const Loader& loader) { return loader.json("status").at("exceptions"); }

// Connections that are open are not forgotten for SYNs that come to nothing. Of those that begin
// amid the flood some may fail: nothing tells them from it.
BOOST_AUTO_TEST_CASE(a_flood_in_an_epoch) {
  const int epoch = counts(3, 60);
  // Room for the connections that come and go meanwhile: sets of them don't overflow.
  const int room = counts(16384, 131072);
  Farmed farmed("--epoch " + std::to_string(epoch), "ipv4", "--exceptions " + std::to_string(room));
  farmed.service.drain("web2");
  farmed.survive_without("web2");
  const int sent = counts(100'000, 2'000'000);
  const auto before = farmed.loader.forwarded(farmed.service.id());
  flood(farmed.site, farmed.service, sent);
  const auto passed = farmed.loader.forwarded(farmed.service.id()) - before;
  BOOST_TEST(passed > static_cast<unsigned>(sent) / 2);
  const int failed = farmed.outlive_epoch(epoch);
  BOOST_TEST_MESSAGE(failed << " fresh connections failed");
  farmed.survive_without("web2");
  BOOST_TEST(exceptions(farmed.loader).at("made") > 0U);
  BOOST_TEST(exceptions(farmed.loader).at("evicted") == 0U);
}

BOOST_AUTO_TEST_CASE(a_flood_without_an_epoch) {
  Farmed farmed;
  flood(farmed.site, farmed.service, counts(100'000, 2'000'000));
  farmed.survive();
  BOOST_TEST(exceptions(farmed.loader).at("used") == 0U);
  BOOST_TEST(exceptions(farmed.loader).at("made") == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
