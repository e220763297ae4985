// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

namespace xdplb {

// Which of the capabilities that joining a chain needs this process lacks: CAP_SYS_ADMIN (BPF
// objects by id) and CAP_NET_ADMIN. Empty if none.
std::string missing_capabilities();

bool is_root();  // with or without capabilities

// Throws SystemError where one is missing. Without this, libxdp would quietly attach alone.
void require_privileges();

}  // namespace xdplb
