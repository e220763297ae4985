// SPDX-License-Identifier: GPL-2.0-only
// Routes and neighbours of backends. The data path asks the kernel for a backend's link address;
// these entries see to it that the kernel knows.
#pragma once

#include <optional>
#include <string>

#include "plugin/address.h"

namespace xdplb {

struct Route {
  unsigned ifindex = 0;
  bool on_link = true;  // no gateway in between
  std::optional<Address> gateway{};
  std::optional<Address> source{};  // of this host
  bool local = false;               // to an address of this host
  unsigned mtu = 0;                 // 0: the interface's
};

std::optional<Route> route_to(const Address& address);

// Has the kernel resolve the address and keep it resolved (NTF_EXT_MANAGED, Linux 5.16). Entries
// that the administrator made permanent are left alone.
void keep_neighbour(const Address& address, unsigned ifindex);

// Is the address resolved?
bool has_neighbour(const Address& address, unsigned ifindex);

// Takes back keep_neighbour().
void release_neighbour(const Address& address, unsigned ifindex);

}  // namespace xdplb
