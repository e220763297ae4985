// SPDX-License-Identifier: GPL-2.0-only
// Echo requests to a VIP are answered where a service says so.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>

#include "tests/bpf/expect.h"
#include "tests/bpf/icmp_frames.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(echo)

namespace {

const auto& families = icmp_families();

Bytes request(const Family& family, const Address& from, std::size_t size,
              const std::vector<std::uint16_t>& tags = {}, int code = 0) {
  return icmp(family, message(family, from, 8 + size, tags), family.echo, code, Bytes(size, 0xa5));
}

// The reply that the VIP's own host would give.
Bytes reply_to(const Family& family, const PacketSpec& asked, const Bytes& frame) {
  auto spec = asked;
  std::swap(spec.from, spec.to);
  std::swap(spec.dst, spec.src);
  auto reply = icmp(family, spec, family.reply, 0, {});
  const auto l4 = static_cast<long>(l3_offset(spec) + family.ip);
  std::copy(frame.begin() + l4 + 4, frame.end(), reply.begin() + l4 + 4);
  sum_icmp(reply, family, l3_offset(spec));
  return reply;
}

struct Answering : Balancer {
  Answering() {
    for (const auto& family : families) {
      const auto id = ServiceId::parse(family.service(proto_tcp));
      add_service(id.to_string());
      ServiceChange change;
      change.ping = true;
      state().set_service(id, change);
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(is_answered_where_a_service_says_so) {
  Answering balancer;
  for (const auto& family : families)
    for (const std::size_t size : {0, 1, 56, 1400})
      for (const std::vector<std::uint16_t>& tags :
           {std::vector<std::uint16_t>{}, {ether_vlan}, {ether_service_vlan, ether_vlan}}) {
        const auto frame = request(family, family.client, size, tags);
        const auto spec = message(family, family.client, 8 + size, tags);
        const auto before = balancer.totals();
        const auto run = balancer.run(frame);
        BOOST_TEST(run.verdict == XDP_TX);
        BOOST_TEST(run.out == reply_to(family, spec, frame), boost::test_tools::per_element());
        const auto number = service_number(balancer, family.service(proto_tcp));
        const lb_counter one{1, frame.size()};
        BOOST_TEST(balancer.totals() - before ==
                   (Totals{{{CounterId::family, family_of(family.vip), LB_ECHO}, one},
                           {{CounterId::service, number, LB_ECHO}, one}}));
      }
}

// Around the checksums whose update carries.
BOOST_AUTO_TEST_CASE(has_the_right_checksum_where_it_carries) {
  Answering balancer;
  for (const auto& family : families) {
    const auto spec = message(family, family.client, 10);
    const auto at = 14 + family.ip + 2;
    const auto asked = [&](unsigned value) {
      const Bytes rest{static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
      return icmp(family, spec, family.echo, 0, rest);
    };
    const unsigned start = get16(asked(0), at);  // a value more is a checksum less
    std::set<unsigned> checksums;
    for (unsigned i = 0; i < 400; i++) {
      const auto frame = asked((start + 200 - i) & 0xffff);
      checksums.insert(get16(frame, at));
      const auto run = balancer.run(frame);
      BOOST_TEST(run.verdict == XDP_TX);
      auto wanted = run.out;
      sum_icmp(wanted, family, 14);
      // 0xffff and 0 are one number to receivers.
      BOOST_TEST(get16(run.out, at) % 0xffff == get16(wanted, at) % 0xffff);
    }
    BOOST_TEST(checksums.contains(0xfffe));
    BOOST_TEST(checksums.contains(1));
  }
}

BOOST_AUTO_TEST_CASE(passes_where_none_does) {
  Answering balancer;
  for (const auto& family : families) {
    const auto spec = message(family, family.client, 16);
    const auto nobody = family.ip == 20 ? ip("0.0.0.0") : ip("::");
    const auto group = family.ip == 20 ? ip("224.0.0.9") : ip("ff02::9");
    for (const auto& from : {nobody, group}) {
      auto frame = request(family, family.client, 8);
      const auto& bytes = from.bytes();
      std::copy(bytes.begin() + (family.ip == 20 ? 12 : 0), bytes.end(),
                frame.begin() + 14 + (family.ip == 20 ? 12 : 8));
      check_frame(balancer, frame, spec, passes(LB_NOT_TRANSPORT));
    }
    check_frame(balancer, request(family, family.client, 8, {}, 1), spec, passes(LB_NOT_TRANSPORT));
    auto in_group = request(family, family.client, 8);
    in_group[0] |= 1;
    check_frame(balancer, in_group, spec, passes(LB_NOT_TRANSPORT));
    ServiceChange off;
    off.ping = false;
    balancer.state().set_service(ServiceId::parse(family.service(proto_tcp)), off);
    check_frame(balancer, request(family, family.client, 8), spec, passes(LB_NOT_TRANSPORT));
  }
}

BOOST_AUTO_TEST_CASE(is_answered_so_often_and_no_more) {
  Answering balancer;
  const auto& family = families[0];
  const auto frame = request(family, family.client, 8);
  std::size_t limited = 0;
  for (int i = 0; i < 20000; i++) limited += balancer.run(frame).verdict == XDP_DROP ? 1 : 0;
  BOOST_TEST(limited > 0U);
  BOOST_TEST(limited < 20000U);
  const auto number = service_number(balancer, family.service(proto_tcp));
  BOOST_TEST((balancer.totals()[{CounterId::service, number, LB_LIMITED}].packets == limited));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
