// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/packed.h"

#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "plugin/peers.h"
#include "tests/bpf/icmp_frames.h"
#include "tests/support/outer.h"

namespace xdplb::test {

namespace {

constexpr std::size_t l3 = 14;
constexpr Mac peer_mac{0x02, 0x00, 0x5e, 0x00, 0x53, 0x77};

Address at(bool v4, const std::string& host) {
  return ip((v4 ? "10.0.0." : "2001:db8:b::") + host);
}

Bytes with_link(Bytes frame, const Mac& dst, const Mac& src) {
  std::ranges::copy(dst, frame.begin());
  std::ranges::copy(src, frame.begin() + 6);
  return frame;
}

}  // namespace

Setting::Setting(std::string words) : line_(std::move(words)) { ip_tool(line_); }
Setting::~Setting() { ip_tool(line_.replace(line_.find("replace"), 7, "del")); }

std::string on_loopback(const Address& address) {
  return "addr replace " + address.to_string() +
         (address.is_v4() ? "/32 dev lo" : "/128 dev lo nodad");
}

Packed::Packed(Balancer& on, const std::string& mode, bool inner4, bool outer4)
    : balancer(on),
      forward(parse_forward(mode).value()),
      v4(inner4),
      client(ip(v4 ? "198.51.100.78" : "2001:db8:c::78")),
      vip(ip(v4 ? "192.0.2.10" : "2001:db8::10")),
      id(ServiceId{vip, 80, Protocol::tcp}),
      peer{at(outer4, "77"), peer_mac},
      here{at(outer4, "1"), node_mac},
      there{at(outer4, "2"), backend_mac(2)},
      third{at(outer4, "3"), backend_mac(3)},
      source_(at(outer4, outer4 ? "254" : "ffff")),
      own_(on_loopback(here.address)),
      elsewhere_("route replace unreachable " + third.address.to_string()) {
  for (const std::string family : {"ipv4", "ipv6"}) set_sysctl(family + "/conf/lo/forwarding", "1");
  ServiceChange options{forward, Balance::slack, min_slots};
  options.second_chance = true;
  balancer.state().add_service(id, options);
  add(here, 1, BackendState::up);
  add(there, 2, BackendState::up);
  if (forward == Forward::l2)
    set_peers(balancer.pins(), {peer.mac, there.mac});
  else
    set_peers(balancer.pins(), {peer.address, there.address});
}

Packed::~Packed() { balancer.state().delete_service(id); }

void Packed::add(const Node& node, std::uint16_t number, BackendState state) {
  BackendChange change{1, hop_to(number)};
  if (forward != Forward::l2) change.source = source_;
  change.local = number == 1;
  change.state = state;
  balancer.state().add_backend(id, {node.address, 0}, change);
}

void Packed::add_third() { add(third, 3, BackendState::drain); }

Bytes Packed::error(std::uint16_t port, std::uint8_t ttl) const {
  return router_error(id, client, port, ttl);
}

Bytes Packed::wrapped(const Bytes& frame, const Node& from, const Node& to) const {
  if (forward == Forward::l2)
    return with_link(frame, frame[0] & 1 ? broadcast_mac : to.mac, from.mac);
  return wrap(frame, l3, frame.size(), {forward, from.address, to.address, 0x1234});
}

void Packed::stays(const Bytes& frame) {
  check_all(frame, {XDP_PASS, frame},
            {CounterId::service, service_number(balancer, id.to_string()), LB_FROM_PEER});
}

void Packed::goes_on(const PacketSpec& spec, std::uint16_t to) {
  auto later = spec;
  later.ttl = std::min<std::uint8_t>(spec.ttl, 4) - 1;
  goes_on(build(spec), build(later), to);
}

void Packed::goes_on(const Bytes& frame, const Bytes& later, std::uint16_t to) {
  const auto hop = hop_to(to);
  const Node& node = to == 2 ? there : third;
  const auto out = forward == Forward::l2 ? with_link(later, node.mac, std::to_array(hop.src))
                                          : sent_to(wrapped(later, {source_, {}}, node), l3, hop);
  check_all(wrapped(frame, peer, here), {XDP_TX, out},
            {CounterId::backend, handle_of(balancer, id.to_string(), to), LB_FORWARDED});
}

void Packed::check_all(const Bytes& frame, const Run& wanted, const CounterId& at) {
  const auto before = balancer.totals();
  for (const auto& run : {balancer.run(frame), balancer.run_inline(frame)}) {
    BOOST_TEST(run.verdict == wanted.verdict);
    BOOST_TEST(run.out == wanted.out, boost::test_tools::per_element());
  }
  BOOST_TEST((balancer.totals() - before)[at].packets == 2U);
}

}  // namespace xdplb::test
