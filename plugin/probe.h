// SPDX-License-Identifier: GPL-2.0-only
// The packet that a client would send.
#pragma once

#include <array>
#include <string_view>

#include "plugin/address.h"
#include "plugin/pcap.h"

namespace xdplb {

inline constexpr std::uint8_t tcp_syn = 0x02;

struct Probe {
  BackendId from{};  // the client's address and port
  ServiceId to{};
  std::uint8_t flags = tcp_syn;
  Mac mac{};  // of the interface that it comes in by
};

// The flags of a TCP header, by their names: "syn,ack". Throws Error.
inline constexpr std::array<std::string_view, 6> tcp_flags{"fin", "syn", "rst",
                                                           "psh", "ack", "urg"};
std::uint8_t parse_tcp_flags(std::string_view text);

// An Ethernet frame with right lengths and checksums; of UDP with eight bytes of payload.
Frame build_frame(const Probe& probe);

}  // namespace xdplb
