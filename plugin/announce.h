// SPDX-License-Identifier: GPL-2.0-only
// VIPs are announced by routing daemons, as long as this host can serve them.
#pragma once

#include <string>
#include <vector>

#include "plugin/address.h"

namespace xdplb {

struct Announcement {
  Address vip;
  std::string why{};     // it isn't announced; empty: it is
  bool changed = false;  // by this call
  [[nodiscard]] bool announced() const { return why.empty(); }
};

enum class Announce : bool {
  withdraw,  // all, whatever runs
  what_runs,
};

// Has the routes to VIPs (plugin/vip_route.h) be those of the VIPs that have a backend that is up,
// where the component runs: on all interfaces named, or on any. By address: VIPs of services, and
// those that were withdrawn. Throws where it can't be told whether it runs, and changes nothing.
std::vector<Announcement> announce(const std::string& pin_path, Announce what,
                                   const std::vector<std::string>& ifnames = {});

}  // namespace xdplb
