// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// What tests of modes nat and fullnat stand on: clients behind out0, backends behind in0, and what
// a packet between them must become, built anew from its description.

#include "tests/bpf/expect.h"
#include "tests/bpf/icmp_frames.h"
#include "tests/bpf/links.h"

namespace xdplb::test {

inline constexpr std::uint16_t backend_port = 8080;
inline constexpr Mac client_mac{0x02, 0xc, 0xc, 0xc, 0xc, 0xc};
inline constexpr Mac server_mac{0x02, 0xb, 0xb, 0xb, 0xb, 0xb};

// The same in both families.
struct NatFamily {
  const Family& icmp;
  Address backend;  // on in0
  Address pool;     // the first of four
};
const std::vector<NatFamily>& nat_families();

// A balancer with a service of this mode for each family and protocol, each with one backend.
class NatNetwork : public Balancer {
 public:
  explicit NatNetwork(Forward forward, const ServiceChange& options = {});
  ~NatNetwork();  // the ways to clients go
  NatNetwork(const NatNetwork&) = delete;
  NatNetwork& operator=(const NatNetwork&) = delete;
};

PacketSpec from_client(const NatFamily& family, std::uint8_t proto);
PacketSpec from_backend(const NatFamily& family, std::uint8_t proto);

// What the backend gets of it, and the client of that: with these ends, and one hop less to live.
PacketSpec to_backend(PacketSpec spec, const NatFamily& family);
PacketSpec to_client(PacketSpec spec, const NatFamily& family);

// Runs the frame, by the chain's program and by the one that grows packets; both must send the same
// one, and count it the same.
void check_rewritten(Balancer& balancer, const Bytes& frame, const Bytes& wanted, bool reply,
                     std::uint32_t service);

// The IP packet of a frame.
Bytes packet_of(const PacketSpec& spec, std::size_t size = SIZE_MAX);

}  // namespace xdplb::test
