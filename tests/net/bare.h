// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Web servers of a site that are no backends yet, and what backend-setup prints to make them so.

#include "tests/net/fixture.h"

namespace xdplb::test {

// Without VIPs, tunnels and routes to the balancer, and with the kernel's own settings, but for a
// strict rp_filter, as many distributions have it.
void make_bare(const Site& site);

// Runs what is printed for the backend on it: every line is understood, and none fails.
void set_up(const Site& site, const Loader& loader, const TestService& service, int number);

}  // namespace xdplb::test
