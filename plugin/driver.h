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

}  // namespace xdplb
