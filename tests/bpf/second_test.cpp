// SPDX-License-Identifier: GPL-2.0-only
// Second chances of what peers send: passed on, in an outer header rewritten where it stands, byte
// by byte, or left to this host's stack as it came.
#include <linux/bpf.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "plugin/exceptions.h"
#include "plugin/map.h"
#include "plugin/peers.h"
#include "tests/bpf/links.h"
#include "tests/bpf/packed.h"
#include "tests/bpf/pipeline_bytes.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(second_hop)

namespace {

namespace data = boost::unit_test::data;

const std::vector<std::string> modes{"l2", "ipip", "gue", "gre"};
const std::vector<std::string> tunnels{"ipip", "gue", "gre"};

Balancer& balancer() {
  static Balancer made;
  return made;
}

BOOST_DATA_TEST_CASE(goes_to_the_other,
                     data::make(modes) * data::make({true, false}) * data::make({true, false}),
                     mode, inner4, outer4) {
  if (mode == "l2" && inner4 != outer4) return;
  Packed node(balancer(), mode, inner4, outer4);
  for (std::uint16_t port = 40000; port < 40004; port++) {
    auto spec = node.packet();
    spec.sport = port;
    node.goes_on(spec);
    spec.ttl = 3;
    spec.payload = 1;
    node.goes_on(spec);
  }
}

BOOST_DATA_TEST_CASE(stays_here, data::make(modes) * data::make({true, false}), mode, v4) {
  Packed node(balancer(), mode, v4, v4);
  auto spec = node.packet();
  node.stays(node.wrapped(spec, node.there, node.here));  // which asked that one before
  spec.ttl = 1;
  node.stays(spec);
  spec = node.packet();
  spec.flags = 2;  // SYN
  node.stays(spec);
  spec = node.packet();
  if (mode != "l2") node.stays(node.wrapped(spec, node.peer, node.third));  // on its way there
  spec.dst = broadcast_mac;
  node.stays(spec);
  spec = node.packet();
  node.goes_on(spec);
}

// A node may know another tale of the service than its peer.
BOOST_DATA_TEST_CASE(goes_on_where_this_host_is_no_backend,
                     data::make(modes) * data::make({true, false}), mode, v4) {
  Packed node(balancer(), mode, v4, v4);
  balancer().state().delete_backend(node.id, {node.here.address, 0}, Removal::now);
  node.goes_on(node.packet());
}

// Errors go where the connection may be that they are about.
BOOST_DATA_TEST_CASE(errors_go_there_too,
                     data::make(modes) * data::make({true, false}) * data::make({true, false}),
                     mode, inner4, outer4) {
  if (mode == "l2" && inner4 != outer4) return;
  Packed node(balancer(), mode, inner4, outer4);
  node.goes_on(node.error(), node.error(40000, 3));
  node.goes_on(node.error(40001, 2), node.error(40001, 1));
  node.stays(node.wrapped(node.error(40000, 1), node.peer, node.here));
  node.stays(node.wrapped(node.error(), node.there, node.here));
}

// Has this node sent the flow elsewhere, before its slot changed: that is asked first.
BOOST_DATA_TEST_CASE(goes_where_it_is_remembered, data::make(modes) * data::make({true, false}),
                     mode, v4) {
  Packed node(balancer(), mode, v4, v4);
  node.add_third();
  auto spec = node.packet();
  const auto by_table = [&] {
    return backend_of(balancer().run(node.wrapped(spec, node.peer, node.here)).out);
  };
  while (by_table() != 2) spec.sport++;
  ServiceChange always;
  always.remember = Remember::always;
  balancer().state().set_service(node.id, always);
  const auto exceptions = balancer().pins().exceptions();
  const std::vector<std::uint64_t> before(exceptions.begin(), exceptions.end());
  BOOST_TEST(balancer().run_inline(build(spec)).verdict != XDP_DROP);  // of a router
  std::uint64_t* entry = nullptr;
  for (std::size_t i = 0; i < before.size(); i++)
    if (exceptions[i] != before[i]) entry = &exceptions[i];
  BOOST_REQUIRE(entry != nullptr);
  const auto remember = [&](std::uint16_t number) {
    const auto handle = handle_of(balancer(), node.id.to_string(), number);
    *entry = lb_exception(*entry, handle, 1, epoch_seconds());
  };
  remember(3);
  node.goes_on(spec, 3);
  remember(1);
  node.goes_on(spec, 2);
  do spec.sport++;
  while (by_table() != 2);
  node.goes_on(spec);
}

// The way to the other may be narrower than the first one: its sender is told, and tells the
// client.
BOOST_DATA_TEST_CASE(the_sender_is_told_what_is_too_big,
                     data::make(tunnels) * data::make({true, false}) * data::make({true, false}),
                     mode, inner4, outer4) {
  constexpr unsigned mtu = 1400;
  Packed node(balancer(), mode, inner4, outer4);
  const auto other = node.there.address.to_string();
  const auto in = links().in;
  const Setting narrow("route replace " + other + " dev in0 mtu lock " + std::to_string(mtu));
  set_neighbour(other, "in0", node.there.mac);
  balancer().open_egress(in);
  BackendChange by_kernel;
  by_kernel.hop = lb_hop{};
  balancer().state().set_backend(node.id, {node.there.address, 0}, by_kernel);

  auto spec = node.packet();
  const auto of_peer = [&] { return node.wrapped(spec, node.peer, node.here); };
  spec.payload += mtu + 14 - of_peer().size();
  for (const auto& run : {balancer().run(of_peer(), in), balancer().run_inline(of_peer(), in)})
    BOOST_TEST(run.verdict == XDP_TX);
  spec.payload++;
  const auto frame = of_peer();
  const auto told = packet_too_big(frame, parse(frame), mtu);
  const auto before = balancer().totals();
  const auto grown = balancer().run_inline(frame, in);
  BOOST_TEST(grown.verdict == XDP_TX);
  BOOST_TEST(grown.out == told, boost::test_tools::per_element());
  const auto ordered = balancer().run(frame, in);
  BOOST_TEST(ordered.verdict == XDP_REDIRECT);
  BOOST_TEST(balancer().run_egress(ordered.out).out == told, boost::test_tools::per_element());
  const CounterId at{CounterId::service, service_number(balancer(), node.id.to_string()),
                     LB_TOLD_TOO_BIG};
  BOOST_TEST((balancer().totals() - before)[at].packets == 2U);
}

// What isn't a peer's, or not for a service with second chances, is none of ours.
BOOST_DATA_TEST_CASE(is_left_alone, data::make(tunnels) * data::make({true, false}), mode, v4) {
  Packed node(balancer(), mode, v4, v4);
  const auto untouched = [&](const Bytes& frame) {
    const auto before = balancer().totals();
    for (const auto& run : {balancer().run(frame), balancer().run_inline(frame)}) {
      BOOST_TEST(run.verdict == XDP_PASS);
      BOOST_TEST(run.out == frame, boost::test_tools::per_element());
    }
    const CounterId at{CounterId::family, v4 ? LB_IPV4 : LB_IPV6,
                       mode == "gue" ? LB_NOT_SERVICE : LB_NOT_TRANSPORT};
    BOOST_TEST((balancer().totals() - before)[at].packets == 2U);
  };
  const auto of_peer = [&](const auto& packet) {
    return node.wrapped(packet, node.peer, node.here);
  };
  auto spec = node.packet();
  untouched(node.wrapped(spec, node.third, node.here));
  if (!v4) untouched(node.wrapped(spec, {}, node.here));
  spec.dport = 81;
  untouched(of_peer(spec));
  auto echo = node.error();
  echo.at(l3_offset(spec) + (v4 ? 20 : 40)) = v4 ? 8 : 128;
  untouched(of_peer(echo));
  if (v4) {
    spec = node.packet();
    spec.more = true;
    untouched(of_peer(spec));
  }
  spec = node.packet();
  set_peers(balancer().pins(), {});
  untouched(of_peer(spec));
  set_peers(balancer().pins(), {node.peer.address});
  node.goes_on(spec);
  ServiceChange off;
  off.second_chance = false;
  balancer().state().set_service(node.id, off);
  untouched(of_peer(spec));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
