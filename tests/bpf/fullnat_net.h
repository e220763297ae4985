// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The network of nat_net.h with services of mode fullnat, and the flows' sources.

#include <compare>

#include "tests/bpf/nat_net.h"

namespace xdplb::test {

// Where a frame comes from, and where to.
struct Ends {
  Address from, to;
  std::uint16_t sport, dport;
  auto operator<=>(const Ends&) const = default;
};
Ends ends_of(const Bytes& frame);

class FullnatNetwork : public NatNetwork {
 public:
  FullnatNetwork() : NatNetwork(Forward::fullnat) {}

  [[nodiscard]] Run send(const PacketSpec& spec) const;
  Ends ends(const PacketSpec& spec) const;  // of what the backend gets
  // Does the backend's answer to these ends go to a client?
  [[nodiscard]] bool returns(const NatFamily& family, std::uint8_t proto, const Ends& ends) const;

  // All entries, as if they had last been used that long ago.
  void age(std::uint32_t seconds) const;
  // Without the entries whose packets come from this address.
  void lose(const Address& from) const;
};

// The packet, as the backend gets it from these ends.
PacketSpec rewritten(const PacketSpec& spec, const NatFamily& family, const Ends& ends);
// What the backend answers to these ends, and the client gets of it.
PacketSpec answer(const NatFamily& family, std::uint8_t proto, const Ends& ends);
PacketSpec answered(const PacketSpec& spec, const NatFamily& family, const PacketSpec& asked);

}  // namespace xdplb::test
