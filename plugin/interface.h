// SPDX-License-Identifier: GPL-2.0-only
// Network interfaces, as the kernel describes them.
#pragma once

#include <string>
#include <vector>

#include "plugin/address.h"

namespace xdplb {

struct Interface {
  unsigned index = 0;
  std::string name;
  std::string kind;        // vlan, bridge, bond, veth ...; empty for hardware
  std::string port_kind;   // of what it is a port: bond, bridge; empty for none
  unsigned master = 0;     // ifindex of the bond or bridge that it is a port of
  unsigned parent = 0;     // ifindex, of a VLAN device; of a veth its other end
  bool elsewhere = false;  // that is in another network namespace
  unsigned vlan = 0;       // its VLAN's id
  unsigned mtu = 0;
  bool up = false;
  bool xdp = false;  // a program is attached, in whatever mode
  bool ethernet = false;
  Mac mac{};
};

std::vector<Interface> interfaces();
// These throw Error where there is none.
Interface find_interface(const std::string& name);
const Interface& find_interface(const std::vector<Interface>& all, const std::string& name);
std::string interface_name(unsigned index);  // or "ifindex N"

bool is_there(unsigned index);  // an interface, whatever its name

// Throws Error, with what to attach to instead, where the component has no business: VLAN devices,
// bridges, ports of bonds, interfaces without Ethernet headers.
void require_attachable(const Interface& interface);

// Is forwarding on for this interface? The kernel's routes answer only then.
bool forwards(const Interface& interface, bool v4);

}  // namespace xdplb
