// SPDX-License-Identifier: GPL-2.0-only
// From where a packet goes to where, in words.
#pragma once

#include <span>
#include <string>

#include "plugin/address.h"
#include "plugin/dissect.h"

namespace xdplb {

struct Ends {
  std::string from{}, to{}, protocol{};  // with ports; empty where it isn't IP
};
Ends ends_of(const Dissected& packet);

// An address and a port, as they are in a packet.
BackendId end_of(std::span<const __u64, 2> address, unsigned wire_port);

}  // namespace xdplb
