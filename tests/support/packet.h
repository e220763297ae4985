// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Frames for tests, written down field by field: Ethernet, up to two VLAN tags, IPv4 with options
// or IPv6 with extension headers, TCP, UDP or anything else. Lengths and checksums are right until
// a test makes them wrong. Numbers are in host order.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "plugin/address.h"

namespace xdplb::test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr Mac node_mac{0x02, 0x00, 0x5e, 0x00, 0x53, 0x01};  // the balancer's
inline constexpr Mac router_mac{0x02, 0x00, 0x5e, 0x00, 0x53, 0x02};
inline constexpr Mac broadcast_mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

inline constexpr std::uint16_t ether_ipv4 = 0x0800;
inline constexpr std::uint16_t ether_ipv6 = 0x86dd;
inline constexpr std::uint16_t ether_vlan = 0x8100;
inline constexpr std::uint16_t ether_service_vlan = 0x88a8;

inline constexpr std::uint8_t proto_tcp = 6;
inline constexpr std::uint8_t proto_udp = 17;

inline Address ip(std::string_view text) { return Address::parse(text); }

// An IPv6 extension header: its number, and its bytes behind the "next header" byte.
struct Extension {
  std::uint8_t type;
  Bytes rest;
};
Extension hop_by_hop(std::uint8_t units = 0);  // units: of 8 bytes, besides the first
Extension destination_options(std::uint8_t units = 0);
Extension routing(std::uint8_t segments_left, std::uint8_t type = 4);
Extension fragment(std::uint16_t offset, bool more);  // offset: in units of 8 bytes
Extension authentication(std::uint8_t words = 6);     // words: its length in units of 4 bytes

struct PacketSpec {
  Mac dst = node_mac;
  Mac src = router_mac;
  std::vector<std::uint16_t> tags{};  // their TPIDs, the outermost first
  Address from{};                     // unspecified: some client of to's family
  Address to{};
  std::uint8_t proto = proto_tcp;
  std::uint16_t sport = 40000;
  std::uint16_t dport = 80;
  std::uint8_t ttl = 64;
  std::uint16_t id = 0x1234;  // IPv4
  std::uint16_t offset = 0;   // IPv4: of a fragment, in units of 8 bytes
  bool more = false;          // IPv4: more fragments
  bool dont_fragment = true;  // IPv4
  Bytes options{};            // IPv4: a multiple of 4 bytes, at most 40
  std::vector<Extension> extensions{};
  std::size_t payload = 10;   // bytes behind the transport header
  std::size_t padding = 0;    // bytes behind the packet
  std::uint8_t flags = 0x10;  // TCP: ACK
};

Bytes build(const PacketSpec& spec);

// Where the IP header of a frame with these tags starts.
std::size_t l3_offset(const PacketSpec& spec);

std::uint16_t get16(const Bytes& frame, std::size_t at);
void put16(Bytes& frame, std::size_t at, std::uint16_t value);

// Writes the IPv4 header checksum anew, as the header's own length says.
void fix_ipv4_checksum(Bytes& frame, std::size_t l3);

}  // namespace xdplb::test
