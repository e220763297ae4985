// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/cluster_key.h"

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>

namespace xdplb {
namespace {

constexpr ClusterKey counting_key = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
constexpr std::array<std::uint8_t, 16> vip = {0, 0, 0,    0,    0,  0, 0, 0,
                                              0, 0, 0xff, 0xff, 10, 0, 0, 1};
constexpr std::uint8_t tcp = 6;
constexpr std::uint8_t udp = 17;

BOOST_AUTO_TEST_SUITE(cluster_key)

BOOST_AUTO_TEST_CASE(keys_of_a_service) {
  constexpr std::array<std::uint64_t, 7> expected = {
      0x947d56f40bc234dc, 0x0b099ffcd5fb3b67, 0xfe5af58dbf34bee7, 0x77680d6ece5e6a0d,
      0xb7818f869f0f224d, 0xacfc50a2955aa75f, 0x6f6369918978555e};
  const FlowKeys keys = derive_flow_keys(counting_key, vip, 443, tcp);
  for (std::size_t j = 0; j < expected.size(); ++j) {
    BOOST_TEST_CONTEXT("k" << j) { BOOST_TEST(keys.k[j] == expected[j]); }
  }
  BOOST_TEST(keys.table_seed == 0xa520446c900f2ce8);
}

BOOST_AUTO_TEST_CASE(multipliers_are_odd_for_every_service) {
  for (std::uint16_t port = 0; port < 64; ++port) {
    const FlowKeys keys = derive_flow_keys(counting_key, vip, port, udp);
    BOOST_TEST((keys.k[1] & keys.k[2] & keys.k[3] & 1) == 1);
  }
}

BOOST_AUTO_TEST_CASE(each_part_of_a_service_and_of_the_key_counts) {
  const FlowKeys keys = derive_flow_keys(counting_key, vip, 443, tcp);
  const auto differs = [&](const FlowKeys& other) {
    bool all = keys.table_seed != other.table_seed;
    for (std::size_t j = 0; j < keys.k.size(); ++j) all = all && keys.k[j] != other.k[j];
    return all;
  };
  auto other_vip = vip;
  other_vip[0] = 1;
  auto other_key = counting_key;
  other_key[15] ^= 0x80;
  BOOST_TEST(differs(derive_flow_keys(counting_key, other_vip, 443, tcp)));
  BOOST_TEST(differs(derive_flow_keys(counting_key, vip, 444, tcp)));
  BOOST_TEST(differs(derive_flow_keys(counting_key, vip, 443 + 256, tcp)));
  BOOST_TEST(differs(derive_flow_keys(counting_key, vip, 443, udp)));
  BOOST_TEST(differs(derive_flow_keys(other_key, vip, 443, tcp)));
}

BOOST_AUTO_TEST_CASE(parses_32_hex_digits) {
  constexpr ClusterKey key = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
                              0x08, 0x09, 0xab, 0xcd, 0xef, 0xf0, 0x10, 0xff};
  BOOST_TEST((parse_cluster_key("00010203040506070809abcdeff010ff") == key));
  BOOST_TEST((parse_cluster_key("00010203040506070809ABCDEFF010FF") == key));
}

BOOST_AUTO_TEST_CASE(refuses_anything_else) {
  const std::string good = "000102030405060708090a0b0c0d0e0f";
  BOOST_REQUIRE(parse_cluster_key(good).has_value());
  BOOST_TEST(!parse_cluster_key("").has_value());
  BOOST_TEST(!parse_cluster_key(good.substr(1)).has_value());
  BOOST_TEST(!parse_cluster_key(good + "0").has_value());
  BOOST_TEST(!parse_cluster_key(good + "\n").has_value());
  for (const char wrong : {'g', 'G', ' ', '-', '+', 'x', '/', ':', '@', '`', '\0'}) {
    for (std::size_t place = 0; place < good.size(); ++place) {
      std::string bad = good;
      bad[place] = wrong;
      BOOST_TEST(!parse_cluster_key(bad).has_value(), "accepted " << bad);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
