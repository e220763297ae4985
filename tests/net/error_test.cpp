// SPDX-License-Identifier: GPL-2.0-only
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/errors.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(errors)

BOOST_DATA_TEST_CASE(both_sides_hear_of_them, data::make(rewriting) * data::make(modes), forward,
                     mode) {
  Balanced balanced(mode, "eth0 eth1");
  const Gateway gateway(balanced.site);
  add_pool(balanced.site);
  for (const bool v4 : {true, false}) BOOST_TEST_CONTEXT((v4 ? "IPv4" : "IPv6"))
  check_errors(balanced.site, balanced.loader, forward, v4);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
