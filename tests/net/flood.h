// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// SYNs that nobody means, from the client of a site.

#include "tests/net/fixture.h"

namespace xdplb::test {

// So many, each from another random source out of 198.18.0.0/15, as fast as they go. They reach
// the backends, and are dropped there: those have no route back. Returns when all are sent.
void flood(Site& site, const TestService& service, int count);

}  // namespace xdplb::test
