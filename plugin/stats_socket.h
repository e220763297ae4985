// SPDX-License-Identifier: GPL-2.0-only
// The counters for those who may not read the maps: at this socket systemd answers each connection
// with what 'xdp-lb stats --json' prints as root. The socket's group and mode say whom.
#pragma once

#include <optional>
#include <string>

namespace xdplb {

inline constexpr auto stats_socket = "/run/xdp-lb/stats.sock";

// All that is said to who connects, up to its end. Nothing where there is no socket, nobody
// listens, or it isn't for this user. Throws SystemError where it fails otherwise.
std::optional<std::string> read_stats_socket();

}  // namespace xdplb
