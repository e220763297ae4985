// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// ICMP messages to a VIP, in both families.

#include <string>
#include <vector>

#include "plugin/address.h"
#include "tests/support/packet.h"

namespace xdplb::test {

// The same in both families.
struct Family {
  Address vip;
  Address router;  // that sends the error
  Address client;
  std::uint8_t icmp;       // protocol number
  std::size_t ip;          // bytes of the header
  std::vector<int> types;  // of errors
  std::uint8_t echo;
  std::uint8_t reply;

  [[nodiscard]] std::string service(std::uint8_t proto) const;
};
const std::vector<Family>& icmp_families();

PacketSpec message(const Family& family, const Address& from, std::size_t payload,
                   const std::vector<std::uint16_t>& tags = {});

// The ICMP message of this type with these bytes behind its header.
Bytes icmp(const Family& family, const PacketSpec& spec, int type, int code, const Bytes& rest);

// A router's error about what the service sent its client: it was too big somewhere.
Bytes router_error(const ServiceId& service, const Address& client, std::uint16_t port,
                   std::uint8_t ttl = 64);

// Writes the checksum of the message anew.
void sum_icmp(Bytes& frame, const Family& family, std::size_t l3);

}  // namespace xdplb::test
