// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// What forwarding modes ask of a site beyond mode l2, and transfers that must work in each of them.

#include "tests/net/fixture.h"
#include "tests/support/detour.h"

namespace xdplb::test {

inline const Words rewriting{"nat", "fullnat"};

// The options of a service in this mode. Addresses of the pool are the balancer's once add_pool()
// has been called.
std::string forward_options(const std::string& forward, bool v4);
void add_pool(const Site& site);
// Mode nat: what the web servers say to clients goes by the balancer, whatever its source.
void reply_through_balancer(const Site& site);
// A backend of the service: webN, in the rewriting modes at this port.
Member member_of(const TestService& service, const std::string& forward, int number,
                 std::uint16_t port);

std::string random_bytes(std::size_t size);

// An upload and a download of one connection, past a NarrowPath: both arrive as they were, and of
// all hosts the client and the flow's backend alone know afterwards how wide the path is.
void check_narrow_path(const Site& site, const TestService& service, const Endpoint& from,
                       std::size_t size);

}  // namespace xdplb::test
