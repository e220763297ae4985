// SPDX-License-Identifier: GPL-2.0-only
// The VLAN devices of this network namespace, in the map where the data path looks for them.
#pragma once

#include "plugin/pins.h"

namespace xdplb {

// Makes lb_vlans what the kernel has now.
void sync_vlans(const Pins& pins);

}  // namespace xdplb
