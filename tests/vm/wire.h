// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// A cable into the interface under test. Frames are sent from its far end; what the chain does
// with them is seen at both ends: balanced ones come back, passed ones reach the network stack.

#include <cstdint>
#include <map>
#include <ostream>
#include <string>

#include "plugin/address.h"
#include "tests/support/host.h"

namespace xdplb::test {

inline constexpr auto client_address = "198.51.100.7";
inline constexpr auto vip_address = "192.0.2.10";

// One of two backends' link addresses.
Mac wire_mac(unsigned number);

struct Seen {
  unsigned balanced = 0;  // came back, for a backend, with one hop less to live
  unsigned passed = 0;    // reached the network stack
  unsigned counted = 0;   // by the program behind ours
  bool operator==(const Seen&) const = default;
};

// By destination port.
struct Traffic {
  std::map<std::uint16_t, Seen> by_port;
  bool operator==(const Traffic&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Traffic& traffic);

class Wire {
 public:
  Wire(const Host& host, const std::string& ifname, const std::string& far_end);

  // TCP segments from client_address to vip_address, each another flow.
  void send(std::uint16_t port, unsigned count, std::size_t payload);
  void look(Traffic& traffic);  // adds what has been seen since it was last called

 private:
  Mac near_mac_, far_mac_;
  Fd near_, far_;
  std::uint16_t source_port_ = 1024;
};

}  // namespace xdplb::test
