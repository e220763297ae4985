// SPDX-License-Identifier: GPL-2.0-only
// The way round for chains that take no program which grows packets: xdp_lb redirects to a device
// through lb_egress, and the entry's program, xdp_lb_egress, writes the outer header.
#pragma once

#include <cstdint>
#include <string>

#include "plugin/pins.h"

namespace xdplb {

// Loads the egress program and puts it on the device, with a bond on its ports, where packets come
// in; and on each device that has an older one.
void install_egress(const std::string& file, const Pins& pins, unsigned ifindex);

// Is the egress program on any device, and the one with this tag on all that have one?
bool has_egress(const Pins& pins, const std::string& tag);

// Puts the egress program on one device more, where it is on any.
void allow_egress(const Pins& pins, unsigned ifindex);

}  // namespace xdplb
