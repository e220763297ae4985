// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// What the data path must do with a frame, decided in user space, step by step from the protocols'
// definitions: for tests that make up more frames than anyone can write an outcome for.

#include <map>
#include <optional>
#include <set>

#include "bpf/abi.h"
#include "plugin/address.h"
#include "tests/support/packet.h"

namespace xdplb::test {

struct Verdict {
  lb_reason reason;
  lb_family family;
  std::size_t bytes;                   // counted
  std::optional<ServiceId> service{};  // that the packet is for
  std::size_t l3 = 0;                  // where its IP header starts; 0: nowhere
};

class Oracle {
 public:
  // Services whose backends can be reached.
  explicit Oracle(const std::set<ServiceId>& services) : services_(services) {}

  [[nodiscard]] Verdict judge(const Bytes& frame) const;

 private:
  [[nodiscard]] bool is_vip(const Address& address) const;
  [[nodiscard]] std::optional<ServiceId> find(const Address& vip, std::uint8_t proto,
                                              std::uint16_t port) const;

  std::set<ServiceId> services_;
};

// What an XDP verdict of the data path must be for this reason.
bool is_right(lb_reason reason, std::uint32_t xdp_verdict);

}  // namespace xdplb::test
