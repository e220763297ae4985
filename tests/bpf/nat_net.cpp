// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/nat_net.h"

#include <linux/bpf.h>

#include <boost/test/unit_test.hpp>

namespace xdplb::test {

const std::vector<NatFamily>& nat_families() {
  static const std::vector<NatFamily> families{
      {icmp_families()[0], ip("10.9.0.21"), ip("10.9.0.128")},
      {icmp_families()[1], ip("2001:db8:9::21"), ip("2001:db8:9::80")}};
  return families;
}

NatNetwork::NatNetwork(Forward forward, const ServiceChange& options) {
  for (const auto& family : nat_families()) {
    const auto length = family.backend.is_v4() ? "/32" : "/128";
    for (const auto& far : {family.icmp.client, family.icmp.router}) {
      ip_tool("route replace " + far.to_string() + length + " dev out0");
      set_neighbour(far.to_string(), "out0", client_mac);
    }
    set_neighbour(family.backend.to_string(), "in0", server_mac);
    for (const auto proto : {proto_tcp, proto_udp}) {
      const auto id = ServiceId::parse(family.icmp.service(proto));
      auto change = options;
      change.forward = forward;
      change.slots = min_slots;
      if (forward == Forward::fullnat) change.pool = Pool{family.pool, 4};
      change.remember = Remember::none;
      state().add_service(id, change);
      state().add_backend(id, {family.backend, backend_port}, {});
    }
  }
}

NatNetwork::~NatNetwork() {
  try {
    for (const auto& family : nat_families())
      for (const auto& far : {family.icmp.client, family.icmp.router})
        ip_tool("route del " + far.to_string() + " dev out0");
  } catch (const std::exception&) {
    // They go with the sandbox anyway.
  }
}

PacketSpec from_client(const NatFamily& family, std::uint8_t proto) {
  return {.from = family.icmp.client, .to = family.icmp.vip, .proto = proto};
}

PacketSpec from_backend(const NatFamily& family, std::uint8_t proto) {
  return {.from = family.backend,
          .to = family.icmp.client,
          .proto = proto,
          .sport = backend_port,
          .dport = 40000};
}

PacketSpec to_backend(PacketSpec spec, const NatFamily& family) {
  spec.src = mac_of("in0");
  spec.dst = server_mac;
  spec.to = family.backend;
  spec.dport = backend_port;
  spec.ttl--;
  return spec;
}

PacketSpec to_client(PacketSpec spec, const NatFamily& family) {
  spec.src = mac_of("out0");
  spec.dst = client_mac;
  spec.from = family.icmp.vip;
  spec.sport = 80;
  spec.ttl--;
  return spec;
}

void check_rewritten(Balancer& balancer, const Bytes& frame, const Bytes& wanted, bool reply,
                     std::uint32_t service) {
  const auto from = reply ? links().in : links().out;
  const auto before = balancer.totals();
  for (const auto& run : {balancer.run(frame, from), balancer.run_inline(frame, from)}) {
    BOOST_TEST(run.verdict == XDP_REDIRECT);
    BOOST_TEST(run.out == wanted, boost::test_tools::per_element());
  }
  const auto moved = balancer.totals() - before;
  if (reply) {
    BOOST_TEST(moved.contains({CounterId::service, service, LB_RETURNED}));
    BOOST_TEST(moved.size() == 2U);
  } else {
    BOOST_TEST(moved.contains(
        {CounterId::backend, balancer.state().backends(service).at(0).handle, LB_FORWARDED}));
    BOOST_TEST(moved.size() == 1U);
  }
}

Bytes packet_of(const PacketSpec& spec, std::size_t size) {
  const auto frame = build(spec);
  Bytes packet(frame.begin() + static_cast<long>(l3_offset(spec)), frame.end());
  packet.resize(std::min(size, packet.size()));
  return packet;
}

}  // namespace xdplb::test
