// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/relay_net.h"

#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

namespace xdplb::test {

namespace {

constexpr Mac client_mac{0x02, 0xcc, 1, 2, 3, 4};
constexpr std::uint16_t gue_port = 5555;

const std::vector<Address> targets{ip("10.0.0.1"), ip("2001:db8:b::1")};
const std::vector<Address> sources{ip("10.0.0.254"), ip("2001:db8:b::ffff")};

void put_rest(Bytes& frame, const Family& family, std::size_t l3, std::uint32_t value) {
  put16(frame, l3 + family.ip + 4, static_cast<std::uint16_t>(value >> 16));
  put16(frame, l3 + family.ip + 6, static_cast<std::uint16_t>(value));
  sum_icmp(frame, family, l3);
}

}  // namespace

RelayNet::RelayNet(const std::string& ifname, bool egress) {
  for (const auto& family : icmp_families()) {
    const auto client = family.client.to_string();
    ip_tool("route replace " + client + " dev " + ifname);
    set_neighbour(client, ifname, client_mac);
    for (const auto proto : {proto_tcp, proto_udp}) {
      ServiceChange options{Forward::ipip, Balance::slack, min_slots};
      options.gue_port = gue_port;
      state().add_service(ServiceId::parse(family.service(proto)), options);
    }
  }
  if (egress) open_egress(ifindex_of(ifname));
}

void RelayNet::use(const Family& family, const Mode& mode) {
  for (const auto proto : {proto_tcp, proto_udp}) {
    const auto id = ServiceId::parse(family.service(proto));
    for (const auto& backend : state().backends(state().service(id).number))
      state().delete_backend(id, backend.id, Removal::now);
    BackendChange change{1, hop_to(1, links().in)};
    change.forward = mode.forward;
    change.source = sources.at(mode.outer);
    state().add_backend(id, {backend_of(mode), 0}, change);
  }
}

void RelayNet::for_each_mode(const std::function<void(const Family&, const Mode&)>& check) {
  for (const auto& family : icmp_families())
    for (const auto& mode : relay_modes()) {
      use(family, mode);
      BOOST_TEST_CONTEXT(family.vip.to_string() << ' ' << to_string(mode.forward) << " to "
                                                << backend_of(mode).to_string())
      check(family, mode);
    }
}

const std::vector<Mode>& relay_modes() {
  static const std::vector<Mode> modes{{Forward::ipip, 0, 20}, {Forward::ipip, 1, 40},
                                       {Forward::gue, 0, 32},  {Forward::gue, 1, 52},
                                       {Forward::gre, 0, 24},  {Forward::gre, 1, 44}};
  return modes;
}

const Address& backend_of(const Mode& mode) { return targets.at(mode.outer); }

Family outer_family(const Mode& mode) {
  auto family = icmp_families().at(mode.outer);
  family.vip = sources.at(mode.outer);
  return family;
}

Bytes outer_packet(const Mode& mode, const PacketSpec& inner) {
  const Outer outer{mode.forward, sources.at(mode.outer), targets.at(mode.outer), 0x1234, gue_port};
  const auto frame = build(inner);
  const auto wrapped = wrap(frame, 14, frame.size(), outer);
  return {wrapped.begin() + 14, wrapped.end()};
}

RouterError error_about(const Mode& mode, Bytes quoted, std::size_t size, std::uint32_t mtu,
                        const std::vector<std::uint16_t>& tags) {
  const auto family = outer_family(mode);
  quoted.resize(std::min(quoted.size(), size));
  const auto spec = message(family, family.router, 8 + quoted.size(), tags);
  auto frame = icmp(family, spec, mode.outer == 0 ? 3 : 2, mode.outer == 0 ? 4 : 0, quoted);
  put_rest(frame, family, l3_offset(spec), mtu);
  return {spec, frame};
}

Bytes told(const Family& family, const PacketSpec& inner, std::size_t size, std::uint32_t mtu,
           const std::string& ifname, const std::vector<std::uint16_t>& tags) {
  const auto frame = build(inner);
  const auto quote =
      std::min({size, frame.size() - 14, std::size_t{family.ip == 20 ? 548U : 1232U}});
  const PacketSpec spec{.dst = client_mac,
                        .src = mac_of(ifname),
                        .tags = tags,
                        .from = family.vip,
                        .to = family.client,
                        .proto = family.icmp,
                        .id = 0,
                        .dont_fragment = false,
                        .payload = 8 + quote};
  auto message = icmp(family, spec, family.ip == 20 ? 3 : 2, family.ip == 20 ? 4 : 0,
                      Bytes(frame.begin() + 14, frame.begin() + 14 + static_cast<long>(quote)));
  put_rest(message, family, l3_offset(spec), mtu);
  return message;
}

void check_told(RelayNet& balancer, const Family& family, const PacketSpec& inner,
                const RouterError& error, const Bytes& wanted, std::uint32_t verdict) {
  const auto number = service_number(balancer, family.service(inner.proto));
  const lb_counter two{2, 2 * error.frame.size()};
  const auto before = balancer.totals();
  const auto resized = balancer.run_inline(error.frame, links().in);
  BOOST_TEST(resized.verdict == verdict);
  BOOST_TEST(resized.out == wanted, boost::test_tools::per_element());
  const auto ordered = balancer.run(error.frame, links().in);
  BOOST_TEST(ordered.verdict == XDP_REDIRECT);
  BOOST_TEST(ordered.out.size() == error.frame.size());
  const auto carried_out = balancer.run_egress(ordered.out);
  BOOST_TEST(carried_out.verdict == XDP_PASS);
  BOOST_TEST(carried_out.out == wanted, boost::test_tools::per_element());
  BOOST_TEST(balancer.totals() - before ==
             (Totals{{{CounterId::family, family_of(error.spec.to), LB_RELAYED_TOO_BIG}, two},
                     {{CounterId::service, number, LB_RELAYED_TOO_BIG}, two}}));
}

void check_passed(RelayNet& balancer, const RouterError& error) {
  check_frame(balancer, error.frame, error.spec, passes(LB_NOT_TRANSPORT), links().in);
  const auto inlined = balancer.run_inline(error.frame, links().in);
  BOOST_TEST(inlined.verdict == XDP_PASS);
  BOOST_TEST(inlined.out == error.frame, boost::test_tools::per_element());
}

PacketSpec inner_packet(const Family& family, std::uint8_t proto) {
  return {.from = family.client, .to = family.vip, .proto = proto, .payload = 1400};
}

unsigned inner_mtu(const Family& family, unsigned left) {
  return family.ip == 20 ? left : std::max(left, 1280U);
}

}  // namespace xdplb::test
