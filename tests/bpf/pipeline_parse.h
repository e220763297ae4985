// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The first step of the model of the data path (pipeline.h): what a frame is, field by field from
// the protocols' definitions.

#include "bpf/abi.h"
#include "plugin/address.h"
#include "tests/support/packet.h"

namespace xdplb::test {

struct Parsed {
  enum Kind : std::uint8_t {
    whole,
    first_fragment,  // of several
    later_fragment,  // without ports
    icmp,            // a whole message
    other,           // neither of these, but IP
    malformed,
    not_ip,
  } kind = not_ip;
  lb_family family = LB_NO_FAMILY;  // while the addresses aren't known
  Address from{};
  Address to{};
  std::uint8_t proto = 0;
  std::uint16_t sport = 0;
  std::uint16_t dport = 0;
  std::size_t l3 = 0;
  std::size_t l4 = 0;
  std::size_t end = 0;      // of the packet; of the frame while that isn't known
  bool extensions = false;  // between the IPv6 header and l4
};

Parsed parse(const Bytes& frame);

// What an ICMP message quotes, and the flow as its packets to the VIP have it.
struct Quote {
  enum Kind : std::uint8_t { nothing, of_fragment, of_flow } kind = nothing;
  Address client{};
  std::uint8_t proto = 0;
  std::uint16_t sport = 0;
  std::uint16_t dport = 0;
  std::size_t l4 = 0;  // where the ports are
  bool plain = true;   // no fragment, and neither options nor extension headers
};

Quote quoted(const Bytes& frame, const Parsed& message);

}  // namespace xdplb::test
