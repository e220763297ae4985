// SPDX-License-Identifier: GPL-2.0-only
// MAC addresses, next hops and numbers of plugin/address.h; and texts with a slip of the pen.
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "plugin/address.h"
#include "plugin/error.h"
#include "tests/support/refused.h"

namespace xdplb {
namespace {

using test::check_refused;

BOOST_AUTO_TEST_SUITE(mac)

BOOST_AUTO_TEST_CASE(both_cases_of_digits) {
  const Mac mac{0x02, 0x0a, 0xbc, 0xde, 0xf0, 0x19};
  BOOST_TEST((parse_mac("02:0a:bc:de:f0:19") == mac));
  BOOST_TEST((parse_mac("02:0A:BC:DE:F0:19") == mac));
  BOOST_TEST(to_string(mac) == "02:0a:bc:de:f0:19");
}

BOOST_AUTO_TEST_CASE(bad_macs) {
  std::vector<test::Bad> all;
  std::istringstream texts(
      "02 02:00:5e:00:53 02:00:5e:00:53: 02:00:5e:00:53:1 02:00:5e:00:53:001 02:00:5e:00:53:01: "
      "02:00:5e:00:53:01:02 02-00-5e-00-53-01 0200.5e00.5301 02005e005301 2:0:5e:0:53:1 "
      "02:00:5e:00:53:0g g2:00:5e:00:53:01 02:00:5e:00:5:301 ::::::::::::::::: 02:00:5e:00:53:-1 "
      "0x:00:5e:00:53:01");
  for (std::string text; texts >> text;) all.push_back({text, "'" + text + "' is no MAC address"});
  for (const auto* text : {"", "02:00:5e:00:53:01 ", " 02:00:5e:00:53:01", "02:00:5e:00:53 01"})
    all.push_back({text, "'" + std::string(text) + "' is no MAC address"});
  for (const auto* text : {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01",
                           "33:33:00:00:00:01", "03:00:00:00:00:00"})
    all.push_back({text, "'" + std::string(text) + "' is not the MAC address of one station"});
  check_refused(parse_mac, all);
}

BOOST_AUTO_TEST_CASE(text_and_mac_are_inverse) {
  std::mt19937_64 engine(20);
  for (int i = 0; i < 20000; i++) {
    Mac mac{};
    for (auto& byte : mac) byte = static_cast<std::uint8_t>(engine());
    mac[0] &= 0xfe;
    mac[1] |= 1;  // not all zero
    BOOST_TEST_REQUIRE((parse_mac(to_string(mac)) == mac));
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(static_hop)

BOOST_AUTO_TEST_CASE(parts) {
  for (const auto* ifname : {"e", "eth0", "bond0.100", "fifteen-letters", "a%b"}) {
    const auto hop = StaticHop::parse("02:00:5E:00:53:01%" + std::string(ifname));
    BOOST_TEST((hop.mac == Mac{0x02, 0, 0x5e, 0, 0x53, 1}));
    BOOST_TEST(hop.ifname == ifname);
    BOOST_TEST(hop.to_string() == "02:00:5e:00:53:01%" + std::string(ifname));
  }
}

BOOST_AUTO_TEST_CASE(bad_next_hops) {
  const std::string mac = "02:00:5e:00:53:01";
  check_refused(StaticHop::parse,
                {{"", "next hop '' names no interface"},
                 {mac, "next hop '" + mac + "' names no interface"},
                 {mac + "%", "next hop '" + mac + "%' names no interface"},
                 {mac + "@eth0", "names no interface"},
                 {mac + "%sixteen-letters-", "%sixteen-letters-' names no interface"},
                 {"%", "next hop '%' names no interface"},
                 {"%eth0", "'' is no MAC address"},
                 {"eth0%" + mac, "names no interface"},
                 {"10.0.0.1%eth0", "'10.0.0.1' is no MAC address"},
                 {"01:00:5e:00:53:01%eth0", "'01:00:5e:00:53:01' is not the MAC address of one"}});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(numbers)

BOOST_AUTO_TEST_CASE(bounds) {
  constexpr auto most = std::numeric_limits<unsigned long>::max();
  BOOST_TEST((parse_number("5", 5, 7) == 5));
  BOOST_TEST((parse_number("7", 5, 7) == 7));
  BOOST_TEST((parse_number("007", 5, 7) == 7));
  BOOST_TEST((parse_number("0", 0, 0) == 0));
  BOOST_TEST((parse_number(std::to_string(most), 0, most) == most));
  for (const auto* text : {"4", "8", "0", "-6", "+6", " 6", "6 ", "6.0", "6e0", "0x6", "six", "",
                           "18446744073709551616", "18446744073709551622"})
    BOOST_TEST(!parse_number(text, 5, 7).has_value(), text);
  BOOST_TEST(!parse_number("6\n", 5, 7).has_value());
  BOOST_TEST(!parse_number(std::string("6\0", 2), 5, 7).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(slips)

// A text with some characters changed is refused with Error, or means what its canonical text
// means: nothing else is thrown, and nothing is half understood.
template <typename Type>
void check_slips(const std::string& good, const char* characters) {
  std::mt19937_64 engine(20);
  const std::string alphabet = characters;
  int refused = 0;
  for (int i = 0; i < 20000; i++) {
    std::string text = good;
    for (auto slips = 1 + engine() % 3; slips > 0; slips--) {
      const auto place = engine() % (text.size() + 1);
      const auto kind = engine() % 3;
      if (kind != 0 && place < text.size()) text.erase(place, 1);
      if (kind != 1) text.insert(place, 1, alphabet[engine() % alphabet.size()]);
    }
    try {
      const auto canonical = Type::parse(text).to_string();
      BOOST_TEST_REQUIRE(Type::parse(canonical).to_string() == canonical, text);
    } catch (const Error& error) {
      BOOST_TEST_REQUIRE(!error.hint().empty(), text);
      refused++;
    }
  }
  BOOST_TEST(refused > 1000);
  BOOST_TEST(refused < 20000);
}

BOOST_AUTO_TEST_CASE(of_every_kind) {
  check_slips<Address>("192.0.2.10", "0123456789.:/ ");
  check_slips<Address>("2001:db8::ffff:1a", "0123456789abcdefg:.%[] ");
  check_slips<ServiceId>("192.0.2.10:80/tcp", "0123456789.:/tcpud[] ");
  check_slips<ServiceId>("[2001:db8::1]:443/udp", "0123456789abcdef.:/tcpud[] ");
  check_slips<BackendId>("10.0.0.1:8080", "0123456789.:/[] ");
  check_slips<BackendId>("[2001:db8::1]:8080", "0123456789abcdef.:[] ");
  check_slips<StaticHop>("02:00:5e:00:53:01%eth0", "0123456789abcdef:%- ");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
