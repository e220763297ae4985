// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// What a host answers where nobody listens, from the VIP.

#include "tests/bpf/icmp_frames.h"

namespace xdplb::test {

void put32(Bytes& frame, std::size_t at, std::uint32_t value);

// The TCP checksum anew, of a packet without options or extension headers.
void sum_tcp(Bytes& frame, const Family& family, std::size_t l3);

struct TcpNumbers {
  std::uint32_t seq;
  std::uint32_t ack;
};
Bytes reset(const Family& family, const PacketSpec& asked, std::uint8_t flags, TcpNumbers numbers);
Bytes unreachable(const Family& family, const PacketSpec& asked, const Bytes& frame);

}  // namespace xdplb::test
