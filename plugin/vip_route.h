// SPDX-License-Identifier: GPL-2.0-only
// Routes of this host that say that it serves a VIP, for a routing daemon to export. They are of
// type blackhole: XDP takes a service's packets before any route is asked, and what it passes on
// must not go back to the router that sent it.
#pragma once

#include <set>

#include "plugin/address.h"

namespace xdplb {

// rtm_protocol, by which daemons and this program know these routes; no other program's
// (linux/rtnetlink.h). In the main table.
inline constexpr unsigned char vip_route_protocol = 200;
inline constexpr unsigned vip_route_metric = 4000;

// These throw SystemError.
std::set<Address> vip_routes();
// Addresses to which an administrator has set a route there. It goes first, and daemons then don't
// see that to the VIP (BIRD 2.0, FRR 8.4).
std::set<Address> set_routes();
void add_vip_route(const Address& vip);
void delete_vip_route(const Address& vip);

}  // namespace xdplb
