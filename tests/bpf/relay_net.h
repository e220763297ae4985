// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// A balancer whose services send through tunnels, the packet-too-big messages of routers on the
// way, and what the client is to be told then.

#include <linux/bpf.h>

#include <functional>

#include "tests/bpf/expect.h"
#include "tests/bpf/icmp_frames.h"
#include "tests/bpf/links.h"
#include "tests/support/outer.h"

namespace xdplb::test {

struct Mode {
  Forward forward;
  std::size_t outer;  // 0: IPv4, 1: IPv6
  unsigned overhead;
};

struct RelayNet : Balancer {
  // Clients are behind the interface. egress: frames may be redirected to it.
  explicit RelayNet(const std::string& ifname = "in0", bool egress = true);

  // The services of the family get a backend of this mode.
  void use(const Family& family, const Mode& mode);
  void for_each_mode(const std::function<void(const Family&, const Mode&)>& check);
};

const std::vector<Mode>& relay_modes();
const Address& backend_of(const Mode& mode);

// The outer header's family; its VIP is the address of the balancer that errors come to.
Family outer_family(const Mode& mode);

// A client's packet, and what the backend would get of it.
PacketSpec inner_packet(const Family& family, std::uint8_t proto = proto_tcp);
Bytes outer_packet(const Mode& mode, const PacketSpec& inner);

struct RouterError {
  PacketSpec spec;
  Bytes frame;
};
// About the first `size` bytes of what is quoted.
RouterError error_about(const Mode& mode, Bytes quoted, std::size_t size, std::uint32_t mtu,
                        const std::vector<std::uint16_t>& tags = {});

// The message that the client gets, about the first `size` bytes of its packet.
Bytes told(const Family& family, const PacketSpec& inner, std::size_t size, std::uint32_t mtu,
           const std::string& ifname, const std::vector<std::uint16_t>& tags = {});
// The MTU in it, where so much is left.
unsigned inner_mtu(const Family& family, unsigned left);

void check_told(RelayNet& balancer, const Family& family, const PacketSpec& inner,
                const RouterError& error, const Bytes& wanted, std::uint32_t verdict = XDP_TX);
void check_passed(RelayNet& balancer, const RouterError& error);

}  // namespace xdplb::test
