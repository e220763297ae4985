// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Two networks in the sandbox, each a veth pair whose one end is the balancer's:
//   in0  10.9.0.1/24 2001:db8:9::1/64  --- in1
//   out0 10.9.1.1/24 2001:db8:a::1/64  --- out1
// Nobody answers behind in1 and out1: who is there, tests say with neighbour entries. Forwarding is
// on. They are made when first asked for, and go with the network of the suite.

#include <functional>
#include <optional>

#include "plugin/fd.h"
#include "tests/support/bpf_fixture.h"

namespace xdplb::test {

struct Links {
  std::uint32_t in;  // interface numbers of in0 and out0
  std::uint32_t out;
};
Links links();

// For suites whose cases name the interfaces.
struct WithLinks {
  WithLinks() { links(); }
};

// A permanent neighbour entry.
void set_neighbour(const std::string& address, const std::string& ifname, const Mac& mac);

// Every frame that comes to an interface or leaves it.
class Capture {
 public:
  explicit Capture(const std::string& ifname);
  // The next one that does: nothing within two seconds.
  std::optional<Bytes> wait_for(const std::function<bool(const Bytes&)>& wanted) const;

 private:
  Fd socket_;
};

// Attaches an XDP program that passes all: without one, a veth takes no frames sent by XDP.
void attach_pass(const std::string& ifname);

// Tries until it holds, for two seconds at most.
bool within_two_seconds(const std::function<bool()>& holds);

}  // namespace xdplb::test
