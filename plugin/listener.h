// SPDX-License-Identifier: GPL-2.0-only
// Servers on this host.
#pragma once

#include <optional>

#include "plugin/address.h"

namespace xdplb {

// Whether a socket in this network namespace takes new connections, or datagrams, to a service's
// address and port (sock_diag(7)); nothing where the kernel doesn't say.
std::optional<bool> has_listener(const ServiceId& service);

}  // namespace xdplb
