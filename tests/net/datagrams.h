// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// UDP servers on a site's web hosts, and clients that ask them through the balancer.

#include "tests/net/fixture.h"

namespace xdplb::test {

inline const std::vector<std::uint16_t> udp_ports{53, 443, 5353, 40000};

// On these ports of the VIPs and of the host's own addresses: what is asked comes back from where
// it was asked, with the host's name in front.
void serve_udp(Site& site);

// So many questions, to all of udp_ports in turn where the service takes any port: each is answered
// by whom the model says, from where it was asked. Boost.Test hears of the first one that isn't.
void check_questions(const Site& site, const TestService& service, Flows& flows, int count);

}  // namespace xdplb::test
