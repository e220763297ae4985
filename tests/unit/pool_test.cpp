// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/pool.h"

#include <boost/test/unit_test.hpp>

#include "tests/support/refused.h"

namespace xdplb {

BOOST_AUTO_TEST_SUITE(pool)

BOOST_AUTO_TEST_CASE(texts) {
  for (const std::string text : {"10.0.0.1", "10.0.0.250-10.0.1.5", "2001:db8::1-2001:db8::ff"})
    BOOST_TEST(Pool::parse(text).to_string() == text);
  const auto pool = Pool::parse("10.0.0.255-10.0.1.1");
  BOOST_TEST(pool.count == 3U);
  BOOST_TEST(pool.at(1).to_string() == "10.0.1.0");
  BOOST_TEST(pool.contains(Address::parse("10.0.1.1")));
  BOOST_TEST(!pool.contains(Address::parse("10.0.1.2")));
  BOOST_TEST(!pool.contains(Address::parse("10.0.0.254")));
  BOOST_TEST(!Pool{}.contains(Address::parse("10.0.0.1")));
  BOOST_TEST(!Pool{}.contains(Address{}));
}

BOOST_AUTO_TEST_CASE(refused) {
  test::check_refused([](const std::string& text) { Pool::parse(text); },
                      {{"", "address"},
                       {"10.0.0.1-", "address"},
                       {"10.0.0.2-10.0.0.1", "it is empty"},
                       {"10.0.0.0-10.0.1.0", "too many addresses"},
                       {"10.0.0.1-2001:db8::1", "too far apart"},
                       {"2001:db8::1-2001:db9::1", "too far apart"},
                       {"224.0.0.1", "not a unicast address"},
                       {"0.0.0.0-0.0.0.4", "not a unicast address"}});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb
