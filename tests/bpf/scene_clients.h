// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Where clients of the scene are, on all kinds of ways back.

#include <vector>

#include "tests/bpf/pipeline_config.h"

namespace xdplb::test {

inline constexpr std::uint16_t scene_vlan = 0x2a5;
// Makes the routes, once: to 198.18.N.0/24 and 2001:db8:c0N::/64, N from 1 on, to all but the last.
std::vector<Network> client_networks();
inline constexpr unsigned client_network_count = 7;
Address client_address(bool v4, unsigned network, unsigned host);

}  // namespace xdplb::test
