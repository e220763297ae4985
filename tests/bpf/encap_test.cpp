// SPDX-License-Identifier: GPL-2.0-only
// Forwarding modes ipip, gue and gre: what goes out, byte by byte, whether the program in the chain
// writes the outer header or the one on egress does.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>

#include "tests/bpf/expect.h"
#include "tests/bpf/model.h"
#include "tests/support/checksum_model.h"
#include "tests/support/outer.h"

namespace xdplb::test {

namespace {

constexpr std::uint16_t other_gue_port = 5555;
constexpr std::uint32_t no_device = 4711;

const std::vector<Forward> modes{Forward::ipip, Forward::gue, Forward::gre};
const std::vector<std::string> vips{"192.0.2.", "2001:db8::"};
const std::vector<std::string> targets{"10.0.0.1", "2001:db8:b::1"};
const std::vector<std::string> sources{"10.0.0.254", "2001:db8:b::ffff"};

// One service for each mode, family of VIP and family of backend, for TCP and for UDP.
struct Tunnel {
  Forward forward;
  Address vip{};
  std::size_t outer;  // 0: IPv4, 1: IPv6
  std::uint16_t number;
  std::uint16_t gue_port = default_gue_port;

  [[nodiscard]] ServiceId id(std::uint8_t proto) const {
    return {vip, 80, static_cast<Protocol>(proto)};
  }
};

struct Tunnels : Balancer {
  std::vector<Tunnel> all;

  Tunnels() {
    std::uint16_t number = 0;
    for (const auto forward : modes)
      for (const auto& vip : vips)
        for (std::size_t outer = 0; outer < targets.size(); outer++) {
          number++;
          Tunnel tunnel{forward, ip(vip + std::to_string(10 + number)), outer, number};
          if (outer == 1) tunnel.gue_port = other_gue_port;
          add(tunnel);
        }
    open_egress(loopback_ifindex);
  }

  void add(const Tunnel& tunnel, std::uint32_t ifindex = loopback_ifindex) {
    for (const auto proto : {proto_tcp, proto_udp}) {
      ServiceChange options{tunnel.forward, Balance::slack, min_slots};
      options.gue_port = tunnel.gue_port;
      state().add_service(tunnel.id(proto), options);
      BackendChange change{1, hop_to(tunnel.number, ifindex)};
      change.source = ip(sources.at(tunnel.outer));
      state().add_backend(tunnel.id(proto), BackendId::parse(targets.at(tunnel.outer)), change);
    }
    all.push_back(tunnel);
  }
};

Tunnels& tunnels() {
  static Tunnels made;
  return made;
}

// The order for the egress program, in place of the destination.
Bytes order(Bytes frame, std::uint32_t handle, std::uint16_t entropy, const lb_hop& hop) {
  const lb_order wanted{LB_ORDER_LOCAL, LB_ORDER_ENCAP, static_cast<std::uint16_t>(handle),
                        entropy};
  std::memcpy(frame.data(), &wanted, sizeof(wanted));
  std::ranges::copy(hop.src, frame.begin() + 6);
  return frame;
}

struct Expected {
  Bytes ordered;  // by xdp_lb, for the egress program
  Bytes sent;
};

Expected expected(const Tunnel& tunnel, const Bytes& frame, const PacketSpec& spec, bool checksum) {
  const auto hop = hop_to(tunnel.number);
  const auto id = tunnel.id(spec.proto);
  const ModelService model{id, min_slots, Balance::slack};
  const auto l3 = l3_offset(spec);
  const auto from =
      spec.from == Address() ? ip(id.vip.is_v4() ? "198.51.100.7" : "2001:db8:c::7") : spec.from;
  const auto entropy =
      static_cast<std::uint16_t>(model.hash_of(from, spec.sport, spec.dport) >> 48);
  const auto inner = sent_to(frame, l3, hop);
  Outer outer{tunnel.forward,
              ip(sources.at(tunnel.outer)),
              ip(targets.at(tunnel.outer)),
              entropy,
              tunnel.gue_port,
              checksum};
  const auto number = id.to_string();
  return {order(inner, handle_of(tunnels(), number, tunnel.number), entropy, hop),
          wrap(inner, l3, frame.size() - spec.padding, outer)};
}

void check_both(const Tunnel& tunnel, PacketSpec spec, void (*change)(Bytes&) = nullptr,
                bool checksum = true) {
  auto& balancer = tunnels();
  spec.to = tunnel.vip;
  spec.from = ip(tunnel.vip.is_v4() ? "198.51.100.7" : "2001:db8:c::7");
  auto frame = build(spec);
  if (change != nullptr) change(frame);
  const auto wanted = expected(tunnel, frame, spec, checksum);
  const auto id = tunnel.id(spec.proto).to_string();
  BOOST_TEST_CONTEXT(to_string(tunnel.forward)
                     << " to " << targets.at(tunnel.outer) << ", " << id) {
    const auto handle = handle_of(balancer, id, tunnel.number);
    const Totals forwarded{
        {{CounterId::backend, handle, LB_FORWARDED}, {1, frame.size() - spec.padding}}};
    auto before = balancer.totals();
    const auto grown = balancer.run_inline(frame);
    BOOST_TEST(grown.verdict == XDP_TX);
    BOOST_TEST(grown.out == wanted.sent, boost::test_tools::per_element());
    BOOST_TEST(balancer.totals() - before == forwarded);

    before = balancer.totals();
    const auto ordered = balancer.run(frame);
    BOOST_TEST(ordered.verdict == XDP_REDIRECT);
    BOOST_TEST(ordered.out == wanted.ordered, boost::test_tools::per_element());
    const auto carried_out = balancer.run_egress(ordered.out);
    BOOST_TEST(carried_out.verdict == XDP_PASS);
    BOOST_TEST(carried_out.out == wanted.sent, boost::test_tools::per_element());
    BOOST_TEST(balancer.totals() - before == forwarded);
  }
}

const std::vector<std::vector<std::uint16_t>> taggings{
    {}, {ether_vlan}, {ether_service_vlan, ether_vlan}};

}  // namespace

BOOST_AUTO_TEST_SUITE(encap)

BOOST_AUTO_TEST_CASE(every_mode_family_tag_and_size) {
  for (const auto& tunnel : tunnels().all)
    for (const auto& tags : taggings)
      for (const auto proto : {proto_tcp, proto_udp})
        for (const std::size_t payload : {0, 1, 2, 3, 100, 1399, 1400})
          check_both(tunnel, {.tags = tags, .proto = proto, .payload = payload});
}

BOOST_AUTO_TEST_CASE(padding_stays_outside) {
  for (const auto& tunnel : tunnels().all)
    for (const std::size_t padding : {1, 6, 18})
      check_both(tunnel, {.proto = proto_udp, .payload = 3, .padding = padding});
}

BOOST_AUTO_TEST_CASE(options) {
  for (const auto& tunnel : tunnels().all)
    if (tunnel.vip.is_v4())
      for (const std::size_t size : {4, 20, 40})
        check_both(tunnel, {.options = Bytes(size, 1), .payload = 31});
}

// Without a walk over them the sum isn't known: the outer UDP header has none.
BOOST_AUTO_TEST_CASE(extension_headers) {
  for (const auto& tunnel : tunnels().all)
    if (!tunnel.vip.is_v4())
      check_both(tunnel, {.extensions = {hop_by_hop(), destination_options(2)}, .payload = 31},
                 nullptr, false);
}

BOOST_AUTO_TEST_CASE(udp_without_checksum) {
  for (const auto& tunnel : tunnels().all)
    if (tunnel.vip.is_v4())
      check_both(
          tunnel, {.proto = proto_udp, .payload = 5}, [](Bytes& f) { put16(f, 14 + 20 + 6, 0); },
          false);
}

BOOST_AUTO_TEST_CASE(dscp_and_ecn_are_copied) {
  for (const auto& tunnel : tunnels().all) {
    if (tunnel.vip.is_v4())
      check_both(tunnel, {.payload = 9}, [](Bytes& f) {
        f[15] = 0xb9;  // expedited forwarding, ECT(1)
        fix_ipv4_checksum(f, 14);
      });
    else
      check_both(tunnel, {.payload = 9}, [](Bytes& f) {
        f[14] = 0x6b;
        f[15] = 0x9f;  // likewise, and a flow label
      });
  }
}

// The UDP checksum of every sum there is: it is never zero (RFC 8200 8.1).
BOOST_AUTO_TEST_CASE(gue_checksum_of_every_sum) {
  for (const auto& tunnel : tunnels().all) {
    if (tunnel.forward != Forward::gue || tunnel.outer == 0 || tunnel.vip.is_v4()) continue;
    PacketSpec spec{.from = ip("2001:db8:c::7"), .to = tunnel.vip, .proto = proto_tcp};
    std::size_t wrong = 0;
    auto frame = build(spec);
    for (unsigned value = 0; value < 65536; value++) {
      put16(frame, 16, static_cast<std::uint16_t>(value));  // the flow label
      const auto out = tunnels().run_inline(frame).out;
      Bytes covered(out.begin() + 22, out.end());
      const auto length = static_cast<std::uint16_t>(out.size() - 54);
      for (const auto byte : {0, 0, length >> 8, length & 255, 0, 0, 0, 17})
        covered.push_back(static_cast<std::uint8_t>(byte));
      if (out.size() % 2 != 0 || ones_sum(covered) != 0xffff || get16(out, 60) == 0) wrong++;
    }
    BOOST_TEST(wrong == 0U);
  }
}

BOOST_AUTO_TEST_CASE(what_is_missing) {
  Balancer balancer;
  const auto id = ServiceId::parse("192.0.2.10:80/tcp");
  const PacketSpec spec{.to = id.vip};
  balancer.state().add_service(id, {Forward::ipip, Balance::slack, min_slots});
  const auto backend = BackendId::parse("10.0.0.1");
  balancer.state().add_backend(id, backend, {1, hop_to(1, no_device)});
  check_frame(balancer, build(spec), spec, drops(LB_NO_SOURCE, id.to_string()));
  balancer.state().set_source(*balancer.state().find_backend(balancer.state().service(id), backend),
                              ip("10.0.0.254"));
  check_frame(balancer, build(spec), spec, drops(LB_NO_EGRESS, id.to_string()));
}

// Newer kernels refuse resizing programs in the dispatchers of old libxdp releases, dead code too.
bool resizes(const Balancer& balancer, const char* name) {
  const auto code = balancer.code(name);
  return std::ranges::any_of(code, [](const bpf_insn& insn) {
    return insn.code == (BPF_JMP | BPF_CALL) && insn.src_reg == 0 &&
           (insn.imm == BPF_FUNC_xdp_adjust_head || insn.imm == BPF_FUNC_xdp_adjust_meta ||
            insn.imm == BPF_FUNC_xdp_adjust_tail);
  });
}

BOOST_AUTO_TEST_CASE(the_entry_program_resizes_nothing) {
  BOOST_TEST(!resizes(tunnels(), "xdp_lb"));
  BOOST_TEST(resizes(tunnels(), "xdp_lb_inline"));
  BOOST_TEST(resizes(tunnels(), "xdp_lb_egress"));
}

// On the device, what isn't ours passes as it is, and is counted: it may take ours along.
BOOST_AUTO_TEST_CASE(foreign_frames_on_egress) {
  // Among them those whose destination begins nearly as an order does.
  for (const Mac& to :
       {node_mac, Mac{LB_ORDER_LOCAL, LB_ORDER_TO_SEND - 1, 1, 2, 3, 4},
        Mac{LB_ORDER_LOCAL, LB_ORDER_TO_END, 1, 2, 3, 4}, Mac{6, LB_ORDER_TO_SEND, 1, 2, 3, 4}}) {
    const auto frame = build({.dst = to, .to = ip("192.0.2.99")});
    const auto before = tunnels().totals();
    const auto run = tunnels().run_egress(frame);
    BOOST_TEST(run.verdict == XDP_PASS);
    BOOST_TEST(run.out == frame, boost::test_tools::per_element());
    const auto moved = tunnels().totals() - before;
    BOOST_TEST(moved.size() == 1U);
    BOOST_TEST(moved.contains({CounterId::family, LB_NO_FAMILY, LB_FOREIGN}));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
