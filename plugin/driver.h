// SPDX-License-Identifier: GPL-2.0-only
// What an interface's driver is, and can do with XDP.
#pragma once

#include <optional>
#include <string>

namespace xdplb {

std::string driver_name(const std::string& ifname);  // "unknown" where it doesn't say

struct XdpFeatures {
  bool basic = false;            // native XDP
  bool redirect_target = false;  // takes packets that others redirect to it
};

// As the netdev netlink family tells it since Linux 6.3; nothing on older kernels.
std::optional<XdpFeatures> xdp_features(unsigned ifindex);

// What the device does to packets before XDP sees them, and asks for of those that it sends.
struct Offloads {
  bool vlan = false;     // strips their VLAN tags (rxvlan)
  bool merges = false;   // makes one of several (lro, rx-gro-hw)
  bool partial = false;  // takes them with checksums yet to be made (tx)
};
std::optional<Offloads> offloads_of(const std::string& ifname);  // nothing where it doesn't say

// Receive queues: packets are spread over them, and each has a CPU.
struct Queues {
  unsigned rx = 0;
  unsigned most = 0;
  bool combined = false;  // with send queues, in ethtool's words
  unsigned spread = 0;    // those in the table that hashes go by (RSS); 0 where it doesn't say
};
std::optional<Queues> rx_queues(const std::string& ifname);  // nothing where it doesn't say

}  // namespace xdplb
