// SPDX-License-Identifier: GPL-2.0-only
// Mode nat: the destination is rewritten, and the source of what comes back, byte by byte.
#include <linux/bpf.h>

#include <boost/test/unit_test.hpp>

#include "tests/bpf/nat_net.h"

namespace xdplb::test {

BOOST_FIXTURE_TEST_SUITE(nat, WithLinks)

namespace {

const auto& families = nat_families();
constexpr std::array protos{proto_tcp, proto_udp};

struct Network : NatNetwork {
  explicit Network(const ServiceChange& options = {}) : NatNetwork(Forward::nat, options) {}
  std::uint32_t number(const NatFamily& family, std::uint8_t proto) {
    return service_number(*this, family.icmp.service(proto));
  }
};

// Of each size and with whatever may lie in front of the ports.
std::vector<PacketSpec> variants(const PacketSpec& spec) {
  std::vector<PacketSpec> all{spec};
  for (const std::size_t payload : {0, 1, 2, 3, 512, 1400}) {
    all.push_back(spec);
    all.back().payload = payload;
  }
  all.push_back(spec);
  all.back().padding = 9;
  all.push_back(spec);
  if (spec.to.is_v4())
    all.back().options = Bytes(40, 1);
  else
    all.back().extensions = {hop_by_hop(3), destination_options(1), fragment(0, false)};
  return all;
}

Bytes error_about(const Family& family, PacketSpec outer, int type, const Bytes& quoted) {
  outer.proto = family.icmp;
  outer.payload = 8 + quoted.size();
  outer.options = {};
  outer.extensions = {};
  return icmp(family, outer, type, 1, quoted);
}

}  // namespace

BOOST_AUTO_TEST_CASE(packets_of_clients) {
  Network network;
  for (const auto& family : families)
    for (const auto proto : protos)
      for (const auto& spec : variants(from_client(family, proto)))
        check_rewritten(network, build(spec), build(to_backend(spec, family)), false,
                        network.number(family, proto));
}

BOOST_AUTO_TEST_CASE(replies) {
  Network network;
  for (const auto& family : families)
    for (const auto proto : protos)
      for (const auto& spec : variants(from_backend(family, proto)))
        check_rewritten(network, build(spec), build(to_client(spec, family)), true,
                        network.number(family, proto));
}

// Every value of a word of the packet, and so every checksum: none becomes one that says there is
// none, and one that says so stays.
BOOST_AUTO_TEST_CASE(checksums_of_udp) {
  Network network;
  for (const auto& family : families) {
    auto spec = from_client(family, proto_udp);
    spec.payload = 2;
    const auto l4 = 14 + family.icmp.ip;
    unsigned wrong = 0;
    for (unsigned sport = 0; sport < 65536; sport++) {
      spec.sport = static_cast<std::uint16_t>(sport);
      const auto run = network.run(build(spec), links().out);
      if (run.out != build(to_backend(spec, family)) || get16(run.out, l4 + 6) == 0) wrong++;
    }
    BOOST_TEST(wrong == 0U);
    auto frame = build(spec);
    auto wanted = build(to_backend(spec, family));
    put16(frame, l4 + 6, 0);
    put16(wanted, l4 + 6, 0);
    check_rewritten(network, frame, wanted, false, network.number(family, proto_udp));
  }
}

// An error of a router, or of the client itself, about what the backend sent.
BOOST_AUTO_TEST_CASE(errors_from_the_client_s_side) {
  Network network;
  for (const auto& family : families)
    for (const auto proto : protos)
      for (const std::size_t quoted : {family.icmp.ip + 8, family.icmp.ip + 20, SIZE_MAX})
        for (const auto& source : {family.icmp.router, family.icmp.client}) {
          const auto seen = to_client(from_backend(family, proto), family);
          auto sent = from_backend(family, proto);
          sent.ttl = seen.ttl;
          PacketSpec outer{.from = source, .to = family.icmp.vip};
          const auto type = family.icmp.types[0];
          const auto frame = error_about(family.icmp, outer, type, packet_of(seen, quoted));
          const auto wanted =
              error_about(family.icmp, to_backend(outer, family), type, packet_of(sent, quoted));
          check_rewritten(network, frame, wanted, false, network.number(family, proto));
        }
}

// An error about what the client sent, as the backend got it: it comes from the VIP then.
BOOST_AUTO_TEST_CASE(errors_from_the_backend_s_side) {
  Network network;
  for (const auto& family : families)
    for (const auto proto : protos)
      for (const std::size_t quoted : {family.icmp.ip + 8, family.icmp.ip + 20, SIZE_MAX})
        for (const auto& source : {family.icmp.router, family.backend}) {
          const auto seen = to_backend(from_client(family, proto), family);
          auto sent = from_client(family, proto);
          sent.ttl = seen.ttl;
          PacketSpec outer{.from = source, .to = family.icmp.client};
          const auto type = family.icmp.types[1];
          const auto frame = error_about(family.icmp, outer, type, packet_of(seen, quoted));
          const auto wanted =
              error_about(family.icmp, to_client(outer, family), type, packet_of(sent, quoted));
          check_rewritten(network, frame, wanted, true, network.number(family, proto));
        }
}

BOOST_AUTO_TEST_CASE(fragments_both_ways) {
  ServiceChange options;
  options.fragments = Fragments::hash3;
  Network network(options);
  for (const auto& family : families)
    for (const bool reply : {false, true})
      for (const bool later : {false, true}) {
        auto spec = reply ? from_backend(family, proto_udp) : from_client(family, proto_udp);
        spec.payload = 64;
        if (family.icmp.ip == 20) {
          spec.dont_fragment = false;
          spec.more = !later;
          spec.offset = later ? 8 : 0;
        } else {
          spec.extensions = {fragment(later ? 8 : 0, !later)};
        }
        const auto wanted = reply ? to_client(spec, family) : to_backend(spec, family);
        check_rewritten(network, build(spec), build(wanted), reply,
                        network.number(family, proto_udp));
      }
}

// From another port of a backend, from another host, and to this host itself.
BOOST_AUTO_TEST_CASE(what_is_no_reply_passes) {
  Network network;
  for (const auto& family : families) {
    auto other_port = from_backend(family, proto_tcp);
    other_port.sport++;
    auto other_host = from_backend(family, proto_tcp);
    other_host.from = family.pool;
    auto to_us = from_backend(family, proto_tcp);
    to_us.to = ip(family.icmp.ip == 20 ? "10.9.0.1" : "2001:db8:9::1");
    for (const auto& spec : {other_port, other_host, to_us})
      check_frame(network, build(spec), spec, passes(LB_NOT_SERVICE), links().in);
  }
}

BOOST_AUTO_TEST_CASE(last_hop_and_no_way_to_the_client) {
  Network network;
  const auto& family = families[0];
  const auto id = family.icmp.service(proto_tcp);
  auto spec = from_backend(family, proto_tcp);
  spec.ttl = 1;
  check_frame(network, build(spec), spec, drops(LB_TTL_EXPIRED, id), links().in);
  spec.ttl = 64;
  spec.to = ip("203.0.113.99");  // the stack says that there is no route
  check_frame(network, build(spec), spec, passes(LB_NOT_SERVICE), links().in);
}

// The kernel forwards what it doesn't know the link address of, and so gets to know it.
BOOST_AUTO_TEST_CASE(replies_to_unknown_neighbours_go_by_the_kernel) {
  Network network;
  for (const auto& family : families) {
    auto spec = from_backend(family, proto_tcp);
    spec.to = ip(family.icmp.ip == 20 ? "10.9.1.77" : "2001:db8:a::77");
    auto wanted = to_client(spec, family);
    wanted.src = spec.src;
    wanted.dst = spec.dst;
    wanted.ttl = spec.ttl;
    const auto before = network.totals();
    for (const auto& run :
         {network.run(build(spec), links().in), network.run_inline(build(spec), links().in)}) {
      BOOST_TEST(run.verdict == XDP_PASS);
      BOOST_TEST(run.out == build(wanted), boost::test_tools::per_element());
    }
    const CounterId returned{CounterId::service, network.number(family, proto_tcp), LB_RETURNED};
    BOOST_TEST((network.totals() - before).contains(returned));
  }
}

// Replies are known as long as there is a backend of mode nat, and no longer.
BOOST_AUTO_TEST_CASE(replies_follow_the_backends) {
  Network network;
  const auto& family = families[0];
  const auto id = ServiceId::parse(family.icmp.service(proto_tcp));
  const auto spec = from_backend(family, proto_tcp);
  const auto is_returned = [&] {
    return network.run(build(spec), links().in).verdict == XDP_REDIRECT;
  };
  BOOST_TEST(is_returned());
  network.state().set_backend(id, {family.backend, backend_port}, {0U});
  BOOST_TEST(is_returned());  // drained, its flows go on
  network.state().delete_backend(id, {family.backend, backend_port}, Removal::now);
  BOOST_TEST(!is_returned());
  network.state().add_backend(id, {family.backend, backend_port}, {});
  BOOST_TEST(is_returned());
  network.state().delete_service(id);
  BOOST_TEST(!is_returned());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
