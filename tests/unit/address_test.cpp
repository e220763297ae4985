// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/address.h"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <ostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "plugin/error.h"
#include "tests/support/refused.h"

namespace xdplb {

// What the tests print of values that differ.
static std::ostream& operator<<(std::ostream& out, const Address& address) {
  return out << address.to_string();
}
static std::ostream& operator<<(std::ostream& out, const ServiceId& id) {
  return out << id.to_string();
}
static std::ostream& operator<<(std::ostream& out, const BackendId& id) {
  return out << id.to_string();
}

namespace {

using test::check_refused;

// Random addresses; a third of the words of an IPv6 one are zero, so that all of its short forms
// occur.
class RandomAddresses {
 public:
  Address v4() {
    std::array<std::uint8_t, 16> bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    for (std::size_t i = 12; i < bytes.size(); i++) bytes[i] = byte();
    return Address(bytes);
  }
  Address v6() {
    while (true) {
      std::array<std::uint8_t, 16> bytes{};
      for (std::size_t i = 0; i < bytes.size(); i += 2)
        if (engine_() % 3 != 0) bytes[i] = byte(), bytes[i + 1] = byte();
      if (!Address(bytes).is_v4()) return Address(bytes);
    }
  }
  Address any() { return engine_() % 2 == 0 ? v4() : v6(); }
  Address unicast() {
    while (true)
      if (const auto address = any(); address.is_unicast()) return address;
  }
  std::uint16_t port() { return static_cast<std::uint16_t>(engine_()); }
  std::uint8_t byte() { return static_cast<std::uint8_t>(engine_()); }
  std::size_t below(std::size_t limit) { return engine_() % limit; }

 private:
  std::mt19937_64 engine_{20};
};

constexpr int rounds = 20000;

BOOST_AUTO_TEST_SUITE(address)

BOOST_AUTO_TEST_CASE(v4_is_kept_as_mapped) {
  const std::array<std::uint8_t, 16> bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 10};
  BOOST_TEST(Address::parse("192.0.2.10") == Address(bytes));
  BOOST_TEST(Address::parse("192.0.2.10").is_v4());
}

BOOST_AUTO_TEST_CASE(forms_of_one_v6_address) {
  const std::array<std::uint8_t, 16> bytes{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0,
                                           0,    0, 0,    0,    0, 0, 0, 0x1a};
  for (const auto* text : {"2001:db8::1a", "2001:DB8::1A", "2001:0db8:0:0:0:0:0:001a",
                           "2001:db8::0:1a", "2001:db8::0.0.0.26"}) {
    BOOST_TEST(Address::parse(text) == Address(bytes));
    BOOST_TEST(Address::parse(text).to_string() == "2001:db8::1a");
    BOOST_TEST(!Address::parse(text).is_v4());
  }
}

BOOST_AUTO_TEST_CASE(unicast) {
  for (const auto* text : {"0.0.0.1", "0.0.0.0", "224.0.0.1", "239.1.2.3", "240.0.0.1",
                           "255.255.255.255", "::", "ff02::1", "ff00::", "ffff::1"})
    BOOST_TEST(!Address::parse(text).is_unicast(), text);
  for (const auto* text : {"1.0.0.0", "10.0.0.1", "223.255.255.255", "127.0.0.1", "::1", "fe80::1",
                           "2001:db8::", "fe00::"})
    BOOST_TEST(Address::parse(text).is_unicast(), text);
}

BOOST_AUTO_TEST_CASE(bad_addresses) {
  std::vector<test::Bad> all;
  std::istringstream texts(
      "1 1.2.3 1.2.3. .1.2.3 1.2.3.4.5 256.0.0.1 1.2.3.256 01.2.3.4 0x1.2.3.4 1.2.3.-4 1.2.3.+4 "
      "1.2.3.4/24 1.2.3.4:80 1..2.3 1,2,3,4 localhost example.org - * : ::: ::1:: 2001:db8:::1 "
      "2001:db8::1::2 12345:: g::1 ::1%lo fe80::1%eth0 [::1] [::1 ::1] 1:2:3:4:5:6:7 "
      "1:2:3:4:5:6:7:8:9 ::1/64 1:2:3:4:5:6:7:8: :1:2:3:4:5:6:7:8 ::1.2.3 ::256.0.0.1");
  for (std::string text; texts >> text;) all.push_back({text, "'" + text + "' is no IP address"});
  for (const auto* text : {"", " ", " 1.2.3.4", "1.2.3.4 ", "::1 ", "1.2.3.4\n"})
    all.push_back({text, "'" + std::string(text) + "' is no IP address"});
  all.push_back({std::string("1.2.3.4\0", 8), "'1.2.3.4"});  // what() ends there
  all.push_back({std::string("::1\0x", 5), "'::1"});
  check_refused(Address::parse, all);
}

BOOST_AUTO_TEST_CASE(mapped_form_is_refused_and_the_right_one_shown) {
  for (const auto* text : {"::ffff:192.0.2.10", "::FFFF:c000:20a", "0:0:0:0:0:ffff:192.0.2.10"}) {
    check_refused(Address::parse, {{text, "'" + std::string(text) + "'"}});
    BOOST_CHECK_EXCEPTION(Address::parse(text), Error, [](const Error& error) {
      return error.hint().find("192.0.2.10") != std::string::npos;
    });
  }
}

BOOST_AUTO_TEST_CASE(text_and_address_are_inverse) {
  RandomAddresses random;
  for (int i = 0; i < rounds; i++) {
    const auto address = random.any();
    const auto text = address.to_string();
    BOOST_TEST_REQUIRE(Address::parse(text) == address);
    BOOST_TEST_REQUIRE(address.is_v4() == (text.find(':') == std::string::npos));
  }
}

BOOST_AUTO_TEST_CASE(order_is_that_of_the_bytes) {
  RandomAddresses random;
  for (int i = 0; i < rounds; i++) {
    const auto a = random.any();
    const auto b = random.any();
    BOOST_TEST((a < b) == std::ranges::lexicographical_compare(a.bytes(), b.bytes()));
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(service_id)

BOOST_AUTO_TEST_CASE(parts) {
  const auto v4 = ServiceId::parse("192.0.2.10:80/tcp");
  BOOST_TEST(v4.vip == Address::parse("192.0.2.10"));
  BOOST_TEST(v4.port == 80);
  BOOST_TEST((v4.protocol == Protocol::tcp));
  const auto v6 = ServiceId::parse("[2001:db8::1]:443/udp");
  BOOST_TEST(v6.vip == Address::parse("2001:db8::1"));
  BOOST_TEST(v6.port == 443);
  BOOST_TEST((v6.protocol == Protocol::udp));
  BOOST_TEST(ServiceId::parse("192.0.2.10:0/udp").port == 0);
  BOOST_TEST(ServiceId::parse("192.0.2.10:65535/udp").port == 65535);
}

BOOST_AUTO_TEST_CASE(one_text_for_each) {
  BOOST_TEST(ServiceId::parse("192.0.2.10:080/tcp").to_string() == "192.0.2.10:80/tcp");
  BOOST_TEST(ServiceId::parse("[2001:DB8:0::1]:443/udp").to_string() == "[2001:db8::1]:443/udp");
  BOOST_TEST(ServiceId::parse("[::1]:0/tcp").to_string() == "[::1]:0/tcp");
}

BOOST_AUTO_TEST_CASE(bad_services) {
  check_refused(ServiceId::parse,
                {{"", "service '': no protocol"},
                 {"192.0.2.1", "service '192.0.2.1': no protocol"},
                 {"192.0.2.1:80", "service '192.0.2.1:80': no protocol"},
                 {"192.0.2.1:80/", "protocol '' is neither tcp nor udp"},
                 {"192.0.2.1:80/TCP", "protocol 'TCP' is neither tcp nor udp"},
                 {"192.0.2.1:80/sctp", "protocol 'sctp'"},
                 {"192.0.2.1:80/tcp ", "protocol 'tcp '"},
                 {"192.0.2.1:80/6", "protocol '6'"},
                 {"192.0.2.1:80/tcp/udp", "port '80/tcp' is not a number"},
                 {"/tcp", "service '/tcp': no address and port"},
                 {"192.0.2.1/tcp", "service '192.0.2.1/tcp': no address and port"},
                 {"2001:db8::1/tcp", "service '2001:db8::1/tcp': no address and port"},
                 {"2001:db8::1:80/tcp", "service '2001:db8::1:80/tcp': no address and port"},
                 {"[2001:db8::1]/tcp", "service '[2001:db8::1]/tcp': no address and port"},
                 {"[2001:db8::1/tcp", "service '[2001:db8::1/tcp'"},
                 {"[2001:db8::1]80/tcp", "service '[2001:db8::1]80/tcp'"},
                 {"[192.0.2.1]:80/tcp", "service '[192.0.2.1]:80/tcp'"},
                 {"[]:80/tcp", "service '[]:80/tcp'"},
                 {"192.0.2.1:/tcp", "port '' is not a number from 0 to 65535"},
                 {"192.0.2.1:65536/tcp", "port '65536' is not a number from 0 to 65535"},
                 {"192.0.2.1:-1/tcp", "port '-1' is not"},
                 {"192.0.2.1:+80/tcp", "port '+80' is not"},
                 {"192.0.2.1: 80/tcp", "port ' 80' is not"},
                 {"192.0.2.1:80 /tcp", "port '80 ' is not"},
                 {"192.0.2.1:0x50/tcp", "port '0x50' is not"},
                 {"192.0.2.1:http/tcp", "port 'http' is not"},
                 {"192.0.2.1:18446744073709551696/tcp", "port '18446744073709551696' is not"},
                 {":80/tcp", "'' is no IP address"},
                 {"example.org:80/tcp", "'example.org' is no IP address"},
                 {"192.0.2.256:80/tcp", "'192.0.2.256' is no IP address"},
                 {"[2001:db8:::1]:80/tcp", "'2001:db8:::1' is no IP address"},
                 {"[fe80::1%eth0]:80/tcp", "'fe80::1%eth0' is no IP address"},
                 {"[::ffff:192.0.2.1]:80/tcp", "'::ffff:192.0.2.1'"},
                 {"0.0.0.0:80/tcp", "service '0.0.0.0:80/tcp': the VIP must be a unicast address"},
                 {"224.0.0.1:80/tcp", "unicast"},
                 {"255.255.255.255:80/udp", "unicast"},
                 {"[::]:80/tcp", "service '[::]:80/tcp': the VIP must be a unicast address"},
                 {"[ff02::1]:80/tcp", "unicast"}});
}

BOOST_AUTO_TEST_CASE(text_and_service_are_inverse) {
  RandomAddresses random;
  for (int i = 0; i < rounds; i++) {
    const ServiceId id{random.unicast(), random.port(),
                       random.below(2) == 0 ? Protocol::tcp : Protocol::udp};
    BOOST_TEST_REQUIRE(ServiceId::parse(id.to_string()) == id);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(backend_id)

BOOST_AUTO_TEST_CASE(parts) {
  BOOST_TEST(BackendId::parse("10.0.0.1") == (BackendId{Address::parse("10.0.0.1"), 0}));
  BOOST_TEST(BackendId::parse("10.0.0.1:8080") == (BackendId{Address::parse("10.0.0.1"), 8080}));
  BOOST_TEST(BackendId::parse("2001:db8::1") == (BackendId{Address::parse("2001:db8::1"), 0}));
  BOOST_TEST(BackendId::parse("[2001:db8::1]") == (BackendId{Address::parse("2001:db8::1"), 0}));
  BOOST_TEST(BackendId::parse("[2001:db8::1]:65535") ==
             (BackendId{Address::parse("2001:db8::1"), 65535}));
  // without brackets all of it is the address
  BOOST_TEST(BackendId::parse("2001:db8::1:80") ==
             (BackendId{Address::parse("2001:db8::1:80"), 0}));
}

BOOST_AUTO_TEST_CASE(bad_backends) {
  check_refused(BackendId::parse, {{"", "'' is no IP address"},
                                   {"10.0.0", "'10.0.0' is no IP address"},
                                   {"10.0.0.1/tcp", "'10.0.0.1/tcp' is no IP address"},
                                   {"10.0.0.1:", "backend '10.0.0.1:': port '' is not a number"},
                                   {"10.0.0.1:0", "port '0' is not a number from 1 to 65535"},
                                   {"10.0.0.1:65536", "port '65536'"},
                                   {"10.0.0.1:80/tcp", "port '80/tcp'"},
                                   {"10.0.0.1:80:80", "'10.0.0.1:80:80' is no IP address"},
                                   {"[2001:db8::1", "backend '[2001:db8::1'"},
                                   {"[2001:db8::1]8080", "backend '[2001:db8::1]8080'"},
                                   {"[2001:db8::1]:", "port ''"},
                                   {"[10.0.0.1]:80", "backend '[10.0.0.1]:80'"},
                                   {"[]", "backend '[]'"},
                                   {"2001:db8::1]:80", "'2001:db8::1]:80' is no IP address"},
                                   {"0.0.0.0", "backend '0.0.0.0'"},
                                   {"239.0.0.1:80", "unicast"},
                                   {"::", "unicast"},
                                   {"ff02::1", "unicast"}});
}

BOOST_AUTO_TEST_CASE(text_and_backend_are_inverse) {
  RandomAddresses random;
  for (int i = 0; i < rounds; i++) {
    const BackendId id{random.unicast(), random.below(4) == 0 ? std::uint16_t{0} : random.port()};
    BOOST_TEST_REQUIRE(BackendId::parse(id.to_string()) == id);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
