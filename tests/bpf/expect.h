// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// A case of the data path's tables: a packet, and what must become of it: the verdict, each byte
// that comes out, and the counters that move, which are those and no others.

#include <string>

#include "tests/support/bpf_fixture.h"

namespace xdplb::test {

struct Outcome {
  std::uint32_t verdict;
  lb_reason reason;
  std::string service{};      // that counts it, if one does
  std::uint16_t backend = 0;  // where it goes: its number
  bool has_family = true;     // false: the packet is counted under no family
  std::size_t counted = 0;    // bytes; 0: all but the padding
};

Outcome passes(lb_reason reason, const std::string& service = {});
Outcome drops(lb_reason reason, const std::string& service = {});
Outcome transmits(const std::string& service, std::uint16_t backend);
Outcome redirects(const std::string& service, std::uint16_t backend);
Outcome no_family(Outcome outcome);
Outcome counting(std::size_t bytes, Outcome outcome);

struct Case {
  std::string name;
  PacketSpec packet;
  Outcome outcome;
  void (*change)(Bytes& frame) = nullptr;  // made after lengths and checksums
};

void check(Balancer& balancer, const Case& tried, std::uint32_t ingress = loopback_ifindex);

// The same for a frame that no PacketSpec describes.
void check_frame(Balancer& balancer, const Bytes& frame, const PacketSpec& spec,
                 const Outcome& outcome, std::uint32_t ingress = loopback_ifindex);

// The frame with these two link addresses, one hop less to live, and its IPv4 header checksum
// computed anew from all of the header.
Bytes sent_to(Bytes frame, std::size_t l3, const Mac& dst, const Mac& src);
Bytes sent_to(Bytes frame, std::size_t l3, const lb_hop& hop);

std::uint32_t service_number(Balancer& balancer, const std::string& service);
std::uint32_t handle_of(Balancer& balancer, const std::string& service, std::uint16_t backend);

}  // namespace xdplb::test
