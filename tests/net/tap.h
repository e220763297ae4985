// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Counts the frames that pass an interface, in both directions, by a filter of the kernel's.

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/host.h"

namespace xdplb::test {

// For Tap: frames without a VLAN tag in their bytes (a socket sees tags beside them).
std::vector<sock_filter> from_address(const Address& address);
std::vector<sock_filter> to_address(const Address& address);
std::vector<sock_filter> longer_than(std::uint32_t bytes);
std::vector<sock_filter> tagged(std::uint16_t vlan);

class Tap {
 public:
  Tap(const Host& host, const std::string& ifname, const std::vector<sock_filter>& filter);

  std::uint64_t count();  // since it was made

 private:
  Fd socket_;
  std::uint64_t count_ = 0;
};

}  // namespace xdplb::test
