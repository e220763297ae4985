// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Routers more in a Site's ways, which have something to say about packets.

#include "tests/support/topology.h"

namespace xdplb::test {

inline constexpr unsigned narrow = 1400;  // bytes that a packet has on a detour's link

// One between client and router. What is too big is told so by this one to the client, and by the
// router, from 10.2.0.1 and fd00:2::1, to whoever answers the client.
class NarrowPath {
 public:
  explicit NarrowPath(const Site& site);

  Host hop{"hop"};
};

// One between lan1, where it is 10.4.0.12 and fd00:4::12, and web4, which is 10.5.0.24 and
// fd00:5::24 then. Both send everything else to the balancer's eth1. The link to web4 is narrow,
// but web4 has its peers believe that it isn't.
class Gateway {
 public:
  explicit Gateway(const Site& site);

  Host gate{"gate"};
};

// Forgets the path MTUs that the host has learned.
void forget_paths(const Host& host);
// What the host has learned of the path there; 0: nothing.
unsigned path_mtu(const Host& host, const Address& to);

}  // namespace xdplb::test
