// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/expect.h"

#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <stdexcept>

namespace xdplb::test {

namespace {

Totals expected_counters(Balancer& balancer, const Bytes& frame, const PacketSpec& spec,
                         const Outcome& outcome) {
  const lb_counter one{1, outcome.counted != 0 ? outcome.counted : frame.size() - spec.padding};
  if (outcome.backend != 0)
    return {
        {{CounterId::backend, handle_of(balancer, outcome.service, outcome.backend), LB_FORWARDED},
         one}};
  const auto family = outcome.has_family ? family_of(spec.to) : LB_NO_FAMILY;
  Totals moved{{{CounterId::family, family, outcome.reason}, one}};
  if (!outcome.service.empty())
    moved[{CounterId::service, service_number(balancer, outcome.service), outcome.reason}] = one;
  return moved;
}

}  // namespace

Outcome passes(lb_reason reason, const std::string& service) { return {XDP_PASS, reason, service}; }

Outcome drops(lb_reason reason, const std::string& service) { return {XDP_DROP, reason, service}; }

Outcome transmits(const std::string& service, std::uint16_t backend) {
  return {XDP_TX, LB_FORWARDED, service, backend};
}

Outcome redirects(const std::string& service, std::uint16_t backend) {
  return {XDP_REDIRECT, LB_FORWARDED, service, backend};
}

Outcome no_family(Outcome outcome) {
  outcome.has_family = false;
  return outcome;
}

Outcome counting(std::size_t bytes, Outcome outcome) {
  outcome.counted = bytes;
  return outcome;
}

Bytes sent_to(Bytes frame, std::size_t l3, const Mac& dst, const Mac& src) {
  std::ranges::copy(dst, frame.begin());
  std::ranges::copy(src, frame.begin() + 6);
  if (frame.at(l3) >> 4 == 4) {
    frame.at(l3 + 8)--;
    fix_ipv4_checksum(frame, l3);
  } else {
    frame.at(l3 + 7)--;
  }
  return frame;
}

Bytes sent_to(Bytes frame, std::size_t l3, const lb_hop& hop) {
  return sent_to(std::move(frame), l3, std::to_array(hop.dst), std::to_array(hop.src));
}

void check_frame(Balancer& balancer, const Bytes& frame, const PacketSpec& spec,
                 const Outcome& outcome, std::uint32_t ingress) {
  const auto before = balancer.totals();
  const auto run = balancer.run(frame, ingress);
  const auto moved = balancer.totals() - before;

  BOOST_TEST(run.verdict == outcome.verdict);
  BOOST_TEST(moved == expected_counters(balancer, frame, spec, outcome));
  if (outcome.verdict == XDP_PASS)
    BOOST_TEST(run.out == frame, boost::test_tools::per_element());
  else if (outcome.backend != 0)
    BOOST_TEST(run.out == sent_to(frame, l3_offset(spec), hop_to(outcome.backend)),
               boost::test_tools::per_element());
}

void check(Balancer& balancer, const Case& tried, std::uint32_t ingress) {
  BOOST_TEST_CONTEXT(tried.name) {
    auto frame = build(tried.packet);
    if (tried.change != nullptr) tried.change(frame);
    check_frame(balancer, frame, tried.packet, tried.outcome, ingress);
  }
}

std::uint32_t service_number(Balancer& balancer, const std::string& service) {
  return balancer.state().service(ServiceId::parse(service)).number;
}

std::uint32_t handle_of(Balancer& balancer, const std::string& service, std::uint16_t backend) {
  const auto mac = backend_mac(backend);
  for (const auto& candidate : balancer.state().backends(service_number(balancer, service)))
    if (candidate.hop && std::memcmp(candidate.hop->dst, mac.data(), mac.size()) == 0)
      return candidate.handle;
  throw std::logic_error("service " + service + " has no such backend");
}

}  // namespace xdplb::test
