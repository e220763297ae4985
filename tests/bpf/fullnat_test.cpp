// SPDX-License-Identifier: GPL-2.0-only
// Mode fullnat: source and destination are rewritten, and a flow keeps its source and its backend.
#include <linux/bpf.h>

#include <boost/test/unit_test.hpp>
#include <set>

#include "tests/bpf/fullnat_net.h"

namespace xdplb::test {

BOOST_FIXTURE_TEST_SUITE(fullnat, WithLinks)

namespace {

const auto& families = nat_families();
constexpr std::array protos{proto_tcp, proto_udp};
constexpr std::uint8_t fin = 0x11, syn = 0x02, rst = 0x04;

PacketSpec with_flags(PacketSpec spec, std::uint8_t flags) {
  spec.flags = flags;
  return spec;
}

std::uint32_t number_of(FullnatNetwork& network, const NatFamily& family, std::uint8_t proto) {
  return service_number(network, family.icmp.service(proto));
}

}  // namespace

BOOST_AUTO_TEST_CASE(there_and_back) {
  FullnatNetwork network;
  for (const auto& family : families)
    for (const auto proto : protos)
      for (const std::size_t payload : {0, 1, 700, 1400})
        for (const bool more : {false, true}) {
          auto spec = from_client(family, proto);
          spec.payload = payload;
          if (more && family.icmp.ip == 20) spec.options = Bytes(8, 1);
          if (more && family.icmp.ip == 40) spec.extensions = {destination_options()};
          const auto number = number_of(network, family, proto);
          const auto ends = network.ends(from_client(family, proto));
          BOOST_TEST((Pool{family.pool, 4}.contains(ends.from)));
          BOOST_TEST(ends.sport >= 1024U);
          check_rewritten(network, build(spec), build(rewritten(spec, family, ends)), false,
                          number);
          const auto reply = answer(family, proto, ends);
          check_rewritten(network, build(reply), build(answered(reply, family, spec)), true,
                          number);
        }
}

BOOST_AUTO_TEST_CASE(errors_both_ways) {
  FullnatNetwork network;
  for (const auto& family : families)
    for (const auto proto : protos)
      for (const std::size_t quoted : {family.icmp.ip + 8, SIZE_MAX}) {
        const auto asked = from_client(family, proto);
        const auto ends = network.ends(asked);
        const auto number = number_of(network, family, proto);
        const auto message = [&](PacketSpec outer, const PacketSpec& about) {
          const auto bytes = packet_of(about, quoted);
          outer.proto = family.icmp.icmp;
          outer.payload = 8 + bytes.size();
          return icmp(family.icmp, outer, family.icmp.types[0], 4, bytes);
        };
        // From a router before the balancer, about what came back from the backend.
        auto reply = answer(family, proto, ends);
        const auto seen = answered(reply, family, asked);
        reply.ttl = seen.ttl;
        const PacketSpec outer{.from = family.icmp.router, .to = family.icmp.vip};
        check_rewritten(network, message(outer, seen),
                        message(rewritten(outer, family, ends), reply), false, number);
        // From a router behind it, about what went to the backend.
        auto sent = asked;
        const auto got = rewritten(asked, family, ends);
        sent.ttl = got.ttl;
        const PacketSpec back{.from = family.icmp.router, .to = ends.from};
        check_rewritten(network, message(back, got), message(answered(back, family, asked), sent),
                        true, number);
      }
}

// An error opens no flow: there is nothing to send it to.
BOOST_AUTO_TEST_CASE(errors_about_unknown_flows) {
  FullnatNetwork network;
  const auto& family = families[0];
  auto seen = from_backend(family, proto_tcp);
  seen.from = family.icmp.vip;
  seen.sport = 80;
  const auto quoted = packet_of(seen);
  const PacketSpec outer{.from = family.icmp.router,
                         .to = family.icmp.vip,
                         .proto = family.icmp.icmp,
                         .payload = 8 + quoted.size()};
  check_frame(network, icmp(family.icmp, outer, 3, 1, quoted), outer,
              drops(LB_NO_FLOW, family.icmp.service(proto_tcp)), links().out);
}

BOOST_AUTO_TEST_CASE(each_flow_has_its_own_source) {
  FullnatNetwork network;
  for (const auto& family : families) {
    std::set<Ends> seen;
    std::set<Address> sources;
    for (unsigned i = 0; i < 5000; i++) {
      auto spec = from_client(family, proto_udp);
      spec.sport = static_cast<std::uint16_t>(10000 + i);
      const auto ends = network.ends(spec);
      seen.insert(ends);
      sources.insert(ends.from);
      BOOST_REQUIRE(network.ends(spec) == ends);
    }
    BOOST_TEST(seen.size() == 5000U);
    BOOST_TEST(sources.size() == 4U);
  }
}

// A whole pool of one address in use: flows are refused, and none takes another's port.
BOOST_AUTO_TEST_CASE(the_pool_is_finite) {
  FullnatNetwork network;
  const auto& family = families[0];
  const auto id = ServiceId::parse(family.icmp.service(proto_udp));
  ServiceChange one;
  one.pool = Pool{family.pool, 1};
  network.state().set_service(id, one);
  std::set<Ends> seen;
  unsigned refused = 0;
  for (unsigned host = 1; host <= 2; host++)
    for (unsigned sport = 1; sport < 32768; sport++) {
      auto spec = from_client(family, proto_udp);
      spec.from = ip("198.51.100." + std::to_string(host));
      spec.sport = static_cast<std::uint16_t>(sport);
      const auto run = network.send(spec);
      if (run.verdict == XDP_DROP)
        refused++;
      else
        BOOST_REQUIRE(seen.insert(ends_of(run.out)).second);
    }
  BOOST_TEST(refused > 0U);
  BOOST_TEST(seen.size() > 60000U);
  const auto totals = network.totals();
  BOOST_TEST(totals.at({CounterId::family, LB_IPV4, LB_NO_PORT}).packets == refused);
}

// Half of a flow's state is lost: it finds the same source again.
BOOST_AUTO_TEST_CASE(lost_entries_come_back) {
  FullnatNetwork network;
  for (const auto& family : families) {
    const auto spec = from_client(family, proto_tcp);
    const auto ends = network.ends(spec);
    network.lose(family.icmp.client);
    BOOST_TEST((network.ends(spec) == ends));
    network.lose(family.backend);
    BOOST_TEST(!network.returns(family, proto_tcp, ends));
    network.lose(family.icmp.client);
    BOOST_TEST((network.ends(spec) == ends));
    BOOST_TEST(network.returns(family, proto_tcp, ends));
  }
}

// How long a flow may be idle, by its state; its source is another's only after that.
BOOST_AUTO_TEST_CASE(idle_flows) {
  struct Idle {
    std::vector<std::uint8_t> sent;  // flags of the client's packets
    std::uint32_t limit;
  };
  const std::vector<Idle> all{{{syn}, LB_FLOW_OPENING_IDLE},
                              {{syn, 0x10}, LB_FLOW_OPEN_IDLE},
                              {{syn, 0x10, fin}, LB_FLOW_CLOSING_IDLE},
                              {{syn, 0x10, rst}, LB_FLOW_CLOSING_IDLE}};
  for (const auto& [sent, limit] : all)
    for (const bool over : {false, true}) {
      FullnatNetwork network;
      const auto spec = from_client(families[0], proto_tcp);
      Ends ends{};
      for (const auto flags : sent) ends = network.ends(with_flags(spec, flags));
      if (sent.back() == fin) {  // both have closed it
        const auto last = with_flags(answer(families[0], proto_tcp, ends), fin);
        BOOST_TEST(network.run(build(last), links().in).verdict == XDP_REDIRECT);
      }
      network.age(over ? limit + 2 : limit - 2);
      BOOST_TEST(network.returns(families[0], proto_tcp, ends) == !over);
    }
  FullnatNetwork network;
  const auto spec = from_client(families[0], proto_udp);
  network.ends(spec);
  const auto ends = network.ends(spec);
  network.age(LB_FLOW_UDP_IDLE + 2);
  BOOST_TEST(!network.returns(families[0], proto_udp, ends));
}

// Packets in one direction keep both alive.
BOOST_AUTO_TEST_CASE(one_way_traffic) {
  FullnatNetwork network;
  const auto spec = from_client(families[0], proto_udp);
  const auto ends = network.ends(spec);
  for (int i = 0; i < 3; i++) {
    network.age(LB_FLOW_UDP_IDLE - 20);
    BOOST_TEST((network.ends(spec) == ends));
  }
  BOOST_TEST(network.returns(families[0], proto_udp, ends));
  for (int i = 0; i < 3; i++) {
    network.age(LB_FLOW_UDP_IDLE - 20);
    BOOST_TEST(network.returns(families[0], proto_udp, ends));
  }
  BOOST_TEST((network.ends(spec) == ends));
}

// A SYN of an open flow stays with its backend, but not when that takes no new ones.
BOOST_AUTO_TEST_CASE(no_new_flows_while_draining) {
  FullnatNetwork network;
  const auto& family = families[0];
  const auto id = ServiceId::parse(family.icmp.service(proto_tcp));
  const auto spec = from_client(family, proto_tcp);
  const auto opens = with_flags(spec, syn);
  network.ends(opens);
  const auto first = network.ends(spec);
  const BackendId other{ip("10.9.0.22"), backend_port};
  set_neighbour("10.9.0.22", "in0", server_mac);
  network.state().add_backend(id, other, {});
  BOOST_TEST((network.ends(opens) == first));
  ServiceChange none;
  none.remember = Remember::none;  // nothing but the flow's own entry tells
  network.state().set_service(id, none);
  network.state().set_backend(id, {family.backend, backend_port}, {.state = BackendState::drain});
  BOOST_TEST((network.ends(spec) == first));
  BOOST_TEST((network.ends(opens).to == other.address));
  BOOST_TEST((network.ends(spec).to == other.address));
}

// A flow keeps its backend while that drains; a SYN after its end, and its backend's end, open
// another.
BOOST_AUTO_TEST_CASE(flows_and_changes_of_backends) {
  FullnatNetwork network;
  const auto& family = families[0];
  const auto id = ServiceId::parse(family.icmp.service(proto_tcp));
  const auto spec = from_client(family, proto_tcp);
  network.ends(with_flags(spec, syn));
  const auto first = network.ends(spec);
  const BackendId other{ip("10.9.0.22"), backend_port};
  set_neighbour("10.9.0.22", "in0", server_mac);
  network.state().add_backend(id, other, {});
  network.state().set_backend(id, {family.backend, backend_port}, {0U});
  BOOST_TEST((network.ends(spec) == first));
  BOOST_TEST(network.returns(family, proto_tcp, first));
  network.ends(with_flags(spec, fin));
  BOOST_TEST((network.ends(spec) == first));  // the last acknowledgement
  BOOST_TEST((network.ends(with_flags(spec, syn)).to == other.address));

  auto second = spec;
  second.sport++;
  BOOST_TEST((network.ends(second).to == other.address));
  network.state().set_backend(id, {family.backend, backend_port}, {1U});
  network.state().delete_backend(id, other, Removal::now);
  BOOST_TEST((network.ends(second).to == family.backend));
}

// A backend's reset that comes when its client has a flow to another ends the old flow alone: a SYN
// doesn't open the new one anew.
BOOST_AUTO_TEST_CASE(a_late_reset) {
  FullnatNetwork network;
  const auto& family = families[0];
  const auto id = ServiceId::parse(family.icmp.service(proto_tcp));
  const auto spec = from_client(family, proto_tcp);
  const auto first = network.ends(with_flags(spec, syn));
  const BackendId own{family.backend, backend_port}, other{ip("10.9.0.22"), backend_port};
  set_neighbour("10.9.0.22", "in0", server_mac);
  network.state().add_backend(id, other, {});
  network.state().set_backend(id, own, {0U});
  network.ends(with_flags(spec, fin));
  network.ends(with_flags(spec, syn));
  const auto second = network.ends(spec);
  BOOST_TEST((second.to == other.address));
  network.state().set_backend(id, own, {1000U});
  const auto reset = with_flags(answer(family, proto_tcp, first), rst);
  BOOST_TEST(network.run(build(reset), links().in).verdict == XDP_REDIRECT);
  BOOST_TEST((network.ends(with_flags(spec, syn)) == second));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
