// SPDX-License-Identifier: GPL-2.0-only
// The other nodes of the same services: what one of them sent for a service has been balanced
// already, and is for this host's own stack (bpf/peer.h), or has a second chance (bpf/second.h).
#pragma once

#include <vector>

#include "plugin/address.h"
#include "plugin/pins.h"

namespace xdplb {

// In order, link addresses first. Callers hold PinLock.
std::vector<Peer> peers_of(const Pins& pins);

// Those that stay are known all the while; killed, it leaves some of both. Throws Error, and
// changes nothing, where too_many_peers().
void set_peers(const Pins& pins, const std::vector<Peer>& peers);

}  // namespace xdplb
