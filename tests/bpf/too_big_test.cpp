// SPDX-License-Identifier: GPL-2.0-only
// Packets that are too big for their way with an outer header: the client is told, byte by byte,
// whether the program in the chain does it or the one on egress.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/bpf/expect.h"
#include "tests/bpf/icmp_frames.h"
#include "tests/bpf/links.h"

namespace xdplb::test {

BOOST_FIXTURE_TEST_SUITE(too_big, WithLinks)

namespace {

constexpr Mac neighbour{0x02, 1, 2, 3, 4, 5};
constexpr unsigned mtu = 1400;

struct Mode {
  Forward forward;
  bool v4;  // the backend
  unsigned overhead;
};
const std::vector<Mode> modes{{Forward::ipip, true, 20}, {Forward::ipip, false, 40},
                              {Forward::gue, true, 32},  {Forward::gue, false, 52},
                              {Forward::gre, true, 24},  {Forward::gre, false, 44}};

struct Network : Balancer {
  Network() {
    for (const std::string address : {"10.77.0.5/32", "2001:db8:77::5/128"})
      ip_tool("route replace " + address + " dev in0 mtu lock " + std::to_string(mtu));
    set_neighbour("10.77.0.5", "in0", neighbour);
    set_neighbour("2001:db8:77::5", "in0", neighbour);
    for (const auto& family : icmp_families()) add_service(family.service(proto_tcp));
    open_egress(links().in);
  }

  void use(const Family& family, const Mode& mode, const std::optional<lb_hop>& hop = {}) {
    const auto id = ServiceId::parse(family.service(proto_tcp));
    for (const auto& backend : state().backends(state().service(id).number))
      state().delete_backend(id, backend.id, Removal::now);
    BackendChange change{1, hop};
    change.forward = mode.forward;
    change.source = ip(mode.v4 ? "10.9.0.1" : "2001:db8:9::1");
    state().add_backend(id, BackendId::parse(mode.v4 ? "10.77.0.5" : "2001:db8:77::5"), change);
  }
};

// A packet of this size.
PacketSpec packet(const Family& family, std::size_t size,
                  const std::vector<std::uint16_t>& tags = {}) {
  return {.tags = tags, .from = family.client, .to = family.vip, .payload = size - family.ip - 20};
}

Bytes told(const Family& family, const PacketSpec& spec, const Bytes& frame, unsigned value) {
  const auto l3 = l3_offset(spec);
  const std::size_t quote = family.ip == 20 ? 548 : 1232;
  const PacketSpec reply{.dst = spec.src,
                         .src = spec.dst,
                         .tags = spec.tags,
                         .from = family.vip,
                         .to = family.client,
                         .proto = family.icmp,
                         .id = 0,
                         .dont_fragment = false,
                         .payload = 8 + quote};
  const auto from = frame.begin() + static_cast<long>(l3);
  auto message = icmp(family, reply, family.ip == 20 ? 3 : 2, family.ip == 20 ? 4 : 0,
                      Bytes(from, from + static_cast<long>(quote)));
  const auto at = l3 + family.ip + 4;
  put16(message, at, 0);
  put16(message, at + 2, static_cast<std::uint16_t>(value));
  sum_icmp(message, family, l3);
  return message;
}

void check_told(Network& balancer, const Family& family, const PacketSpec& spec, unsigned value) {
  const auto frame = build(spec);
  const auto wanted = told(family, spec, frame, value);
  const auto number = service_number(balancer, family.service(proto_tcp));
  const lb_counter two{2, 2 * frame.size()};
  const auto before = balancer.totals();
  const auto grown = balancer.run_inline(frame, links().in);
  BOOST_TEST(grown.verdict == XDP_TX);
  BOOST_TEST(grown.out == wanted, boost::test_tools::per_element());
  const auto ordered = balancer.run(frame, links().in);
  BOOST_TEST(ordered.verdict == XDP_REDIRECT);
  BOOST_TEST(ordered.out.size() == frame.size());
  const auto carried_out = balancer.run_egress(ordered.out);
  BOOST_TEST(carried_out.verdict == XDP_PASS);
  BOOST_TEST(carried_out.out == wanted, boost::test_tools::per_element());
  BOOST_TEST(balancer.totals() - before ==
             (Totals{{{CounterId::family, family_of(family.vip), LB_TOLD_TOO_BIG}, two},
                     {{CounterId::service, number, LB_TOLD_TOO_BIG}, two}}));
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_client_is_told_from_one_byte_on) {
  Network balancer;
  for (const auto& family : icmp_families())
    for (const auto& mode : modes) {
      BOOST_TEST_CONTEXT(family.vip.to_string() << ' ' << to_string(mode.forward)) {
        balancer.use(family, mode);
        const auto most = mtu - mode.overhead;
        const auto fits = packet(family, most);
        BOOST_TEST(balancer.run_inline(build(fits), links().in).out.size() ==
                   build(fits).size() + mode.overhead);
        for (const std::vector<std::uint16_t>& tags :
             {std::vector<std::uint16_t>{}, {ether_vlan}, {ether_service_vlan, ether_vlan}})
          for (const auto size : {most + 1, 1500U})
            check_told(balancer, family, packet(family, size, tags), most);
      }
    }
}

// The MTU of the interface that the administrator names.
BOOST_AUTO_TEST_CASE(a_static_next_hop) {
  Network balancer;
  for (const auto& family : icmp_families())
    for (const auto& mode : modes) {
      BOOST_TEST_CONTEXT(family.vip.to_string() << ' ' << to_string(mode.forward)) {
        balancer.use(family, mode, hop_to(1, links().in));
        const auto most = 1500 - mode.overhead;
        const auto fits = build(packet(family, most));
        BOOST_TEST(balancer.run_inline(fits, links().in).out.size() == fits.size() + mode.overhead);
        check_told(balancer, family, packet(family, most + 1), most);
      }
    }
}

BOOST_AUTO_TEST_CASE(nobody_is_told_where_nobody_may_be) {
  Network balancer;
  for (const auto& family : icmp_families()) {
    balancer.use(family, modes[0]);
    const auto id = family.service(proto_tcp);
    const auto check_silent = [&](const PacketSpec& spec) {
      for (const bool inlined : {false, true}) {
        const auto number = service_number(balancer, id);
        const auto before = balancer.totals();
        const auto frame = build(spec);
        const auto run =
            inlined ? balancer.run_inline(frame, links().in) : balancer.run(frame, links().in);
        BOOST_TEST(run.verdict == XDP_DROP);
        const auto moved = balancer.totals() - before;
        BOOST_TEST(moved.contains({CounterId::service, number, LB_TOO_BIG}));
      }
    };
    auto spec = packet(family, 1500);
    if (family.ip == 20) {
      spec.dont_fragment = false;
      check_silent(spec);
      spec.dont_fragment = true;
      for (const auto* from : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"}) {
        spec.from = ip(from);
        if (spec.from != ip("0.0.0.0")) check_silent(spec);
      }
    } else {
      spec.from = ip("ff02::1");
      check_silent(spec);
    }
    // An error about a flow of the service, itself too big.
    const PacketSpec error{
        .from = family.router, .to = family.vip, .proto = family.icmp, .payload = 1480 - family.ip};
    PacketSpec answer{.from = family.vip, .to = family.client, .sport = 80, .dport = 40000};
    answer.payload = 100;
    const auto quoted = build(answer);
    auto frame = icmp(family, error, family.types[0], 1, Bytes(quoted.begin() + 14, quoted.end()));
    BOOST_TEST(balancer.run_inline(frame, links().in).verdict == XDP_DROP);
    BOOST_TEST(balancer.run(frame, links().in).verdict == XDP_DROP);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
