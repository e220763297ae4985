// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// ICMP errors about flows of modes nat and fullnat, told by what Linux hands to sockets: it looks
// at checksums, and at the addresses and ports that are quoted.

#include "tests/net/forwarding.h"

namespace xdplb::test {

// The site has a Gateway, and web4 behind it is the backend. Packets end on the way there, on the
// way back, at closed ports and before a narrow link: their sender hears of it each time.
void check_errors(const Site& site, const Loader& loader, const std::string& forward, bool v4);

}  // namespace xdplb::test
