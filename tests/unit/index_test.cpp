// SPDX-License-Identifier: GPL-2.0-only
// The service index, read by a lookup that is written from nothing but bpf/abi.h.
#include "plugin/index.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace xdplb {
namespace {

// What a packet is looked up by. Family apart from the address, as in a packet.
struct Wanted {
  std::array<std::uint8_t, 16> address;
  std::uint16_t port;
  std::uint8_t protocol;
  lb_family family;
};

Wanted wanted(const ServiceId& id) {
  return {id.vip.bytes(), id.port, static_cast<std::uint8_t>(id.protocol), family_of(id.vip)};
}

class Reader {
 public:
  explicit Reader(const Index& index) : ref_(index.ref), bytes_(index.bytes) {
    if (bytes_.empty()) return;
    const std::size_t displacements = std::size_t{2} << ref_.bucket_bits;
    entries_ = (displacements + LB_LINE - 1) / LB_LINE * LB_LINE;
    BOOST_TEST_REQUIRE(bytes_.size() == entries_ + (sizeof(lb_index_entry) << ref_.entry_bits));
  }

  // The entry's service, or nothing.
  [[nodiscard]] std::optional<std::uint32_t> find(const Wanted& key) const {
    if (bytes_.empty()) return std::nullopt;
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::memcpy(&high, key.address.data(), 8);
    std::memcpy(&low, key.address.data() + 8, 8);
    const std::uint32_t tag =
        htons(key.port) | std::uint32_t{key.protocol} << 16 | std::uint32_t{key.family} << 24;
    const std::uint64_t h = lb_index_hash(high, low, tag, ref_.seed);
    std::uint16_t displacement = 0;
    std::memcpy(&displacement, bytes_.data() + 2 * (h % (1ULL << ref_.bucket_bits)), 2);
    const auto found = entry(((h >> 32) + displacement) % (1ULL << ref_.entry_bits));
    if (found.addr[0] != high || found.addr[1] != low || found.tag != tag) return std::nullopt;
    return found.service;
  }

  [[nodiscard]] lb_index_entry entry(std::size_t number) const {
    lb_index_entry found{};
    std::memcpy(&found, bytes_.data() + entries_ + number * sizeof(found), sizeof(found));
    return found;
  }
  [[nodiscard]] std::size_t places() const {
    return bytes_.empty() ? 0 : std::size_t{1} << ref_.entry_bits;
  }

 private:
  lb_index_ref ref_;
  const std::vector<std::byte>& bytes_;
  std::size_t entries_ = 0;
};

std::vector<IndexKey> number(const std::set<ServiceId>& ids) {
  std::vector<IndexKey> keys;
  for (const auto& id : ids) keys.push_back({id, static_cast<std::uint32_t>(keys.size() * 7 + 3)});
  return keys;
}

// Exactly the services, each with its number, and exactly their VIPs are in the index.
void check_contents(const std::vector<IndexKey>& keys, const Reader& reader) {
  std::set<Address> vips;
  for (const auto& key : keys) {
    BOOST_TEST_REQUIRE((reader.find(wanted(key.id)) == key.service), key.id.to_string());
    vips.insert(key.id.vip);
  }
  for (const auto& vip : vips)
    BOOST_TEST_REQUIRE((reader.find({vip.bytes(), 0, 0, family_of(vip)}) == LB_VIP_ENTRY),
                       vip.to_string());
  std::size_t entries = 0;
  for (std::size_t i = 0; i < reader.places(); i++) entries += reader.entry(i).tag != 0 ? 1 : 0;
  BOOST_TEST(entries == keys.size() + vips.size());
}

// Keys that differ from a service in one part.
std::vector<Wanted> neighbours(const ServiceId& id) {
  std::vector<Wanted> all;
  const auto with = [&](auto change) {
    all.push_back(wanted(id));
    change(all.back());
  };
  with([](Wanted& key) { key.port++; });
  with([](Wanted& key) { key.port ^= 0x8000; });
  with([](Wanted& key) { key.port = ntohs(key.port); });
  with([](Wanted& key) { key.port = 0; });
  with([](Wanted& key) { key.protocol ^= 6 ^ 17; });
  with([](Wanted& key) { key.protocol = 132; });
  with([](Wanted& key) { key.address[15] ^= 1; });
  with([](Wanted& key) { key.address[12] ^= 0x80; });
  with([](Wanted& key) { key.address[0] ^= 1; });
  with([](Wanted& key) { key.address[8] ^= 0x10; });
  with([](Wanted& key) { key.family = key.family == LB_IPV4 ? LB_IPV6 : LB_IPV4; });
  return all;
}

void check_absent(const std::vector<IndexKey>& keys, const Reader& reader) {
  std::map<std::pair<std::array<std::uint8_t, 16>, int>, std::set<std::pair<int, int>>> present;
  for (const auto& key : keys) {
    auto& ports = present[{key.id.vip.bytes(), family_of(key.id.vip)}];
    ports.insert({key.id.port, static_cast<int>(key.id.protocol)});
  }
  const std::size_t step = keys.size() / 512 + 1;
  for (std::size_t i = 0; i < keys.size(); i += step)
    for (const auto& key : neighbours(keys[i].id)) {
      const auto found = present.find({key.address, key.family});
      if (found != present.end() && found->second.contains({key.port, key.protocol})) continue;
      BOOST_TEST_REQUIRE(!reader.find(key).has_value(), keys[i].id.to_string());
    }
}

void check_index(const std::set<ServiceId>& ids) {
  const auto keys = number(ids);
  const auto index = build_index(keys);
  const Reader reader(index);
  BOOST_TEST(index.ref.line == 0U);
  BOOST_TEST(index.bytes.size() % LB_LINE == 0U);
  BOOST_TEST(((index.ref.flags & LB_INDEX_HAS_ANY_PORT) != 0) ==
             std::ranges::any_of(ids, [](const auto& id) { return id.port == 0; }));
  check_contents(keys, reader);
  check_absent(keys, reader);
}

constexpr std::size_t most = LB_SERVICES;

Address v4(std::uint32_t host_order) {
  std::array<std::uint8_t, 16> bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  for (int i = 0; i < 4; i++) bytes[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return Address(bytes);
}

// 2001:db8::, with a number's bytes laid over it, the lowest at `last`.
Address v6(std::uint64_t number, std::size_t last = 15) {
  std::array<std::uint8_t, 16> bytes{0x20, 1, 0x0d, 0xb8};
  for (std::size_t at = last; number != 0; number >>= 8, at--)
    bytes[at] = static_cast<std::uint8_t>(bytes[at] + number);
  return Address(bytes);
}

ServiceId tcp(const Address& vip, std::uint32_t port) {
  return {vip, static_cast<std::uint16_t>(port), Protocol::tcp};
}

using Make = ServiceId (*)(std::uint32_t);
struct Family {
  const char* name;
  Make make;  // the i-th service
};

// What a plan of addresses may look like, and what a weak hash would stumble over.
const std::vector<Family> families{
    {"v4 addresses in sequence", [](std::uint32_t i) { return tcp(v4(0xc0000200 + i), 80); }},
    {"v4 ports in sequence", [](std::uint32_t i) { return tcp(v4(0xc0000201), 1 + i); }},
    {"v4 ports, both protocols",
     [](std::uint32_t i) {
       return ServiceId{v4(0xc0000201), static_cast<std::uint16_t>(i / 2),
                        i % 2 == 0 ? Protocol::tcp : Protocol::udp};
     }},
    {"v4 one address a network",
     [](std::uint32_t i) { return tcp(v4(0x0a000001 + (i << 12)), 443); }},
    {"v4 port and address together",
     [](std::uint32_t i) { return tcp(v4(0xc0000200 + i), 1024 + i); }},
    {"v4 multiples of 256", [](std::uint32_t i) { return tcp(v4(0x0a000000 + (i << 8)), i << 4); }},
    {"any port", [](std::uint32_t i) { return tcp(v4(0xc0000200 + i), 0); }},
    {"v6 addresses in sequence", [](std::uint32_t i) { return tcp(v6(i), 80); }},
    {"v6 one address a network", [](std::uint32_t i) { return tcp(v6(i, 7), 80); }},
    {"v6 in the interface's upper half", [](std::uint32_t i) { return tcp(v6(i, 11), 80); }},
    {"v6 ports in sequence", [](std::uint32_t i) { return tcp(v6(1), 1 + i); }},
    {"v6 address as port", [](std::uint32_t i) { return tcp(v6(1 + i), 1 + i); }},
    {"v6 network and address together",
     [](std::uint32_t i) { return tcp(v6(std::uint64_t{i} << 32 | i), i); }},
    {"v6 with a v4 address in it", [](std::uint32_t i) { return tcp(v6(0xc0000200 + i), 80); }},
    {"v4 and v6", [](std::uint32_t i) {
       return tcp(i % 2 == 0 ? v4(0xc0000200 + i) : v6(0xc0000200 + i), i % 3 * 443);
     }}};

BOOST_AUTO_TEST_SUITE(index)

BOOST_AUTO_TEST_CASE(no_services) {
  const auto index = build_index({});
  BOOST_TEST(index.bytes.empty());
  BOOST_TEST(index.ref.line == 0U);
}

BOOST_AUTO_TEST_CASE(few) {
  for (const auto& [name, make] : families) BOOST_TEST_CONTEXT(name) {
      std::set<ServiceId> ids;
      for (std::uint32_t i = 0; i < 40; i++) {
        ids.insert(make(i));
        check_index(ids);
      }
    }
}

BOOST_AUTO_TEST_CASE(most_of_every_family) {
  for (const auto& [name, make] : families) BOOST_TEST_CONTEXT(name) {
      std::set<ServiceId> ids;
      for (std::uint32_t i = 0; i < most; i++) ids.insert(make(i));
      BOOST_TEST(ids.size() == most);
      check_index(ids);
    }
}

BOOST_AUTO_TEST_CASE(random) {
  std::mt19937_64 engine(20);
  for (const std::size_t count : {1, 2, 3, 5, 17, 100, 1000, 2047, 2048, 2049, 4095, 4096}) {
    std::set<ServiceId> ids;
    while (ids.size() < count) {
      const auto vip = engine() % 2 == 0 ? v4(static_cast<std::uint32_t>(engine())) : v6(engine());
      const auto protocol = engine() % 2 == 0 ? Protocol::tcp : Protocol::udp;
      for (auto ports = 1 + engine() % 4; ports > 0 && ids.size() < count; ports--)
        ids.insert({vip, static_cast<std::uint16_t>(engine()), protocol});
    }
    BOOST_TEST_CONTEXT(count << " services") { check_index(ids); }
  }
}

// An address of one family is never taken for one of the other.
BOOST_AUTO_TEST_CASE(mapped_addresses_are_v4) {
  const auto id = ServiceId::parse("192.0.2.10:80/tcp");
  const auto index = build_index(std::vector<IndexKey>{{id, 5}});
  const Reader reader(index);
  auto key = wanted(id);
  BOOST_TEST((reader.find(key) == 5U));
  key.family = LB_IPV6;
  BOOST_TEST(!reader.find(key).has_value());
}

// The same words in another order: port and address can make up for each other in a sum or in an
// exclusive or, and no seed would help.
BOOST_AUTO_TEST_CASE(port_and_address_that_cancel) {
  for (std::size_t at = 0; at < 15; at++)
    for (const unsigned other : {443U, 53U, 8080U, 65535U})
      BOOST_TEST_CONTEXT("ports 80 and " << other << " in bytes " << at << " and " << at + 1) {
        auto one = v6(1).bytes();
        auto two = one;
        one[at] = 0;
        one[at + 1] = 80;
        two[at] = static_cast<std::uint8_t>(other >> 8);
        two[at + 1] = static_cast<std::uint8_t>(other);
        check_index({tcp(Address(one), other), tcp(Address(two), 80)});
      }
}

BOOST_AUTO_TEST_CASE(the_same_service_twice) {
  const auto id = ServiceId::parse("192.0.2.10:80/tcp");
  BOOST_CHECK_THROW(build_index(std::vector<IndexKey>{{id, 1}, {id, 2}}), std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
