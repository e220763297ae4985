// SPDX-License-Identifier: GPL-2.0-only
// The other nodes of the same services, by their link addresses: a service's frame from one of them
// has been balanced already, and goes to this host's own stack (bpf/peer.h).
#pragma once

#include <vector>

#include "plugin/address.h"
#include "plugin/pins.h"

namespace xdplb {

// In order. Callers hold PinLock.
std::vector<Mac> peers_of(const Pins& pins);

// Those that stay are known all the while; killed, it leaves some of both. Throws Error, and
// changes nothing, where there are more than LB_PEERS.
void set_peers(const Pins& pins, const std::vector<Mac>& peers);

}  // namespace xdplb
