// SPDX-License-Identifier: GPL-2.0-only
// Frames of other nodes go to this host's own stack, whatever its own table says.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <random>

#include "plugin/error.h"
#include "plugin/peers.h"
#include "tests/bpf/expect.h"
#include "tests/bpf/icmp_frames.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(peer_node)

namespace {

const std::string tcp4 = "192.0.2.10:80/tcp";
const std::string udp6 = "[2001:db8::10]:53/udp";
const Address v4 = ip("192.0.2.10");
const Address v6 = ip("2001:db8::10");
constexpr Mac peer{0x02, 0xff, 0x80, 0x01, 0x7f, 0xfe};

struct Node : Balancer {
  Node() {
    add_service(tcp4);
    add_service(udp6);
    add_backend(tcp4, "10.0.0.1", 1);
    add_backend(udp6, "2001:db8:b::2", 2);
    ServiceChange change;
    change.fragments = Fragments::hash3;
    state().set_service(ServiceId::parse(tcp4), change);
  }
};

// As it comes from a router, and from the peer.
void check_both(Node& node, const std::string& name, PacketSpec packet, const Outcome& forwarded,
                const std::string& service) {
  check(node, {name + ", of a router", packet, forwarded});
  packet.src = peer;
  check(node, {name + ", of the peer", packet, passes(LB_FROM_PEER, service)});
}

BOOST_AUTO_TEST_CASE(its_frames_are_not_balanced_again) {
  Node node;
  const auto to4 = transmits(tcp4, 1);
  const auto to6 = transmits(udp6, 2);
  check(node, {"without peers", {.src = peer, .to = v4}, to4});
  set_peers(node.pins(), {peer});
  check_both(node, "v4", {.to = v4}, to4, tcp4);
  check_both(node, "v4, SYN", {.to = v4, .flags = 2}, to4, tcp4);
  check_both(node, "v4, tagged", {.tags = {ether_vlan}, .to = v4}, to4, tcp4);
  check_both(node, "v4, options", {.to = v4, .options = Bytes(8, 1)}, to4, tcp4);
  check_both(node, "v4, fragment", {.to = v4, .more = true}, to4, tcp4);
  check_both(node, "v6", {.to = v6, .proto = proto_udp, .dport = 53}, to6, udp6);
  check(node, {"v4, another port", {.src = peer, .to = v4, .dport = 81}, passes(LB_NOT_SERVICE)});
  set_peers(node.pins(), {});
  check(node, {"when it is none any more", {.src = peer, .to = v4}, to4});
}

// The address differs in one byte, or its bytes are in another order.
BOOST_AUTO_TEST_CASE(others_are_not_taken_for_it) {
  Node node;
  set_peers(node.pins(), {peer});
  for (std::size_t byte = 0; byte < peer.size(); byte++) {
    auto other = peer;
    other[byte] ^= 0x40;
    check(node, {"byte " + std::to_string(byte), {.src = other, .to = v4}, transmits(tcp4, 1)});
  }
  auto other = peer;
  std::ranges::reverse(other);
  check(node, {"reversed", {.src = other, .to = v4}, transmits(tcp4, 1)});
  check(node, {"none", {.src = Mac{}, .to = v4}, transmits(tcp4, 1)});
}

BOOST_AUTO_TEST_CASE(errors_about_its_flows) {
  Node node;
  set_peers(node.pins(), {peer});
  for (const auto& family : icmp_families()) {
    const auto id = ServiceId::parse(family.service(proto_tcp));
    if (id.to_string() != tcp4) node.add_service(id.to_string());
    const auto answer =
        build({.from = id.vip, .to = family.client, .sport = id.port, .dport = 40000});
    const Bytes quoted(answer.begin() + 14, answer.begin() + 14 + static_cast<long>(family.ip) + 8);
    auto spec = message(family, family.router, 8 + quoted.size());
    spec.src = peer;
    const auto frame = icmp(family, spec, family.types.at(0), 1, quoted);
    check_frame(node, frame, spec, passes(LB_FROM_PEER, id.to_string()));
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_remembered_of_them) {
  Node node;
  ServiceChange change;
  change.remember = Remember::always;
  node.state().set_service(ServiceId::parse(tcp4), change);
  set_peers(node.pins(), {peer});
  const auto remembered = [&] {
    return std::ranges::count_if(node.pins().exceptions(), [](auto entry) { return entry != 0; });
  };
  BOOST_TEST(node.run(build({.src = peer, .to = v4})).verdict == XDP_PASS);
  BOOST_TEST(remembered() == 0);
  BOOST_TEST(node.run(build({.to = v4})).verdict == XDP_TX);
  BOOST_TEST(remembered() == 1);
}

BOOST_AUTO_TEST_CASE(as_many_as_there_may_be) {
  Node node;
  std::mt19937 random(static_cast<unsigned>(test_seed()));
  std::vector<Peer> all;
  for (unsigned i = 0; i < LB_PEERS; i++) {
    Mac mac{2};
    for (std::size_t byte = 1; byte < mac.size(); byte++)
      mac[byte] = static_cast<std::uint8_t>(random());
    all.emplace_back(mac);
    all.emplace_back(ip("10.0.1." + std::to_string(i)));
    all.emplace_back(ip("2001:db8::1:" + std::to_string(i)));
  }
  set_peers(node.pins(), all);
  const auto passes_all = [&](const std::vector<Peer>& peers) {
    for (const auto& one : peers)
      if (const auto* mac = std::get_if<Mac>(&one))
        BOOST_TEST(node.run(build({.src = *mac, .to = v4})).verdict == XDP_PASS);
  };
  passes_all(all);
  auto known = peers_of(node.pins());
  std::ranges::sort(all);
  BOOST_TEST((known == all));
  for (const Peer& more : {Peer{peer}, Peer{ip("10.0.2.1")}, Peer{ip("2001:db8::2:1")}}) {
    all.push_back(more);
    BOOST_CHECK_THROW(set_peers(node.pins(), all), Error);
    BOOST_TEST((peers_of(node.pins()) == known));
    all.pop_back();
  }
  // Half of them go; the others are known where they were.
  known.resize(LB_PEERS / 2);
  set_peers(node.pins(), known);
  BOOST_TEST((peers_of(node.pins()) == known));
  passes_all(known);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
