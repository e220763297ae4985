// SPDX-License-Identifier: GPL-2.0-only
// Whose forwarding mode counts, and backends that need none.
#include <linux/bpf.h>

#include <boost/test/unit_test.hpp>

#include "tests/bpf/expect.h"
#include "tests/bpf/links.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(forward_mode)

BOOST_AUTO_TEST_CASE(mode_of_a_backend) {
  Balancer balancer;
  balancer.open_egress(loopback_ifindex);
  const auto id = ServiceId::parse("192.0.2.10:80/tcp");
  balancer.state().add_service(id, {Forward::l2, Balance::slack, min_slots});
  const auto backend = BackendId::parse("10.0.0.1");
  BackendChange change{1, hop_to(1)};
  change.source = ip("10.0.0.254");
  balancer.state().add_backend(id, backend, change);
  const auto frame = build({.to = id.vip});
  const auto growth = [&] { return balancer.run_inline(frame).out.size() - frame.size(); };
  BOOST_TEST(growth() == 0U);
  balancer.state().set_service(id, {Forward::gre, std::nullopt, std::nullopt, std::nullopt});
  BOOST_TEST(growth() == 24U);
  BackendChange own;
  own.forward = Forward::ipip;
  balancer.state().set_backend(id, backend, own);
  BOOST_TEST(growth() == 20U);
  balancer.state().set_service(id, {Forward::gue, std::nullopt, std::nullopt, std::nullopt});
  BOOST_TEST(growth() == 20U);
  own.forward = std::optional<Forward>();
  balancer.state().set_backend(id, backend, own);
  BOOST_TEST(growth() == 32U);
  balancer.state().set_service(id, {Forward::l2, std::nullopt, std::nullopt, std::nullopt});
  BOOST_TEST(growth() == 0U);
}

// A backend that is this host: its stack has the VIP, and gets the packet as it came.
BOOST_AUTO_TEST_CASE(local_backend) {
  for (const auto forward : {Forward::l2, Forward::ipip, Forward::gue}) {
    Balancer balancer;
    const auto id = ServiceId::parse("192.0.2.10:80/tcp");
    balancer.state().add_service(id, {forward, Balance::slack, min_slots});
    const auto backend = BackendId::parse("10.0.0.1");
    BackendChange change{1, hop_to(1)};
    change.source = ip("10.0.0.254");
    change.local = true;
    balancer.state().add_backend(id, backend, change);
    const auto frame = build({.to = id.vip, .ttl = 1});
    const auto handle = handle_of(balancer, id.to_string(), 1);
    const auto before = balancer.totals();
    for (const auto& run : {balancer.run(frame), balancer.run_inline(frame)}) {
      BOOST_TEST(run.verdict == XDP_PASS);
      BOOST_TEST(run.out == frame, boost::test_tools::per_element());
    }
    BOOST_TEST(balancer.totals() - before ==
               (Totals{{{CounterId::backend, handle, LB_FORWARDED}, {2, 2 * frame.size()}}}));
    const auto found = balancer.state().find_backend(balancer.state().service(id), backend);
    balancer.state().set_local(*found, false);
    BOOST_TEST(balancer.run_inline(build({.to = id.vip})).verdict == XDP_TX);
  }
}

// Frames to one device share its egress program, whatever their mode: the kernel takes it from the
// first of a bulk.
BOOST_AUTO_TEST_CASE(l2_through_the_egress_program) {
  Balancer balancer;
  balancer.add_service("192.0.2.10:80/tcp");
  balancer.add_backend("192.0.2.10:80/tcp", "10.0.0.1", 1, 1, links().out);
  const auto frame = build({.to = ip("192.0.2.10")});
  const auto wanted = sent_to(frame, 14, hop_to(1));
  BOOST_TEST(balancer.run(frame, links().in).out == wanted, boost::test_tools::per_element());
  balancer.open_egress(links().out);
  const auto ordered = balancer.run(frame, links().in);
  BOOST_TEST(ordered.verdict == XDP_REDIRECT);
  BOOST_TEST(ordered.out != wanted);
  const auto before = balancer.totals();
  const auto run = balancer.run_egress(ordered.out);
  BOOST_TEST(run.verdict == XDP_PASS);
  BOOST_TEST(run.out == wanted, boost::test_tools::per_element());
  BOOST_TEST(balancer.totals() - before == Totals{});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
