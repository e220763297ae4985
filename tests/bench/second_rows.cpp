// SPDX-License-Identifier: GPL-2.0-only
// What a second chance costs where it is used: on a server, of packets that peers send it.
#include <arpa/inet.h>

#include "plugin/peers.h"
#include "tests/bench/driver.h"
#include "tests/bench/rows.h"
#include "tests/support/http_client.h"
#include "tests/support/outer.h"

namespace xdplb::bench {

namespace {

using namespace test;

constexpr Mac peer{0x02, 0x00, 0x5e, 0x00, 0x53, 0x77};
const ServiceId plain{ip("192.0.2.50"), 80, Protocol::tcp};
const ServiceId packed{ip("192.0.2.51"), 80, Protocol::tcp};
const Address peer_address = ip("10.0.0.77"), here = ip("10.0.0.1"), there = ip("10.0.0.2"),
              source = ip("10.0.0.254");

const Address clients = ip("198.18.0.0");
const Endpoint known{ip("198.19.0.0"), 40000};  // of the only flow that has a socket

Bytes frame(const ServiceId& id, const Address& from = clients) {
  return build({.src = peer, .from = from, .to = id.vip, .extensions = {}, .payload = 0});
}

Row row(const std::string& what, Bytes frame, std::uint64_t flows, std::uint16_t outer,
        const Wanted& wanted) {
  frame.resize(DRIVER_FRAME);
  return {"second chance, " + what,
          "xdp_lb_inline",
          frame,
          flows,
          {static_cast<std::uint16_t>(outer + 28), static_cast<std::uint16_t>(outer + 34)},
          wanted};
}

}  // namespace

void add_second_services(Balancer& balancer, std::uint32_t ifindex) {
  for (const auto& [id, forward] : {std::pair{plain, Forward::l2}, {packed, Forward::ipip}}) {
    ServiceChange options{forward};
    options.second_chance = true;
    balancer.state().add_service(id, options);
    BackendChange local{1, hop_to(1, ifindex)};
    BackendChange other{1, hop_to(2, ifindex)};
    local.local = true;
    other.state = BackendState::drain;  // then every slot is this host's
    if (forward == Forward::ipip) local.source = other.source = source;
    balancer.state().add_backend(id, {here, 0}, local);
    balancer.state().add_backend(id, {there, 0}, other);
  }
  set_peers(balancer.pins(), {peer, peer_address});
}

Fd connect_known() {
  ip_tool("addr add " + plain.vip.to_string() + "/32 dev lo");
  ip_tool("route add " + known.address.to_string() + "/32 dev lo");
  return connected_socket({plain.vip, plain.port}, known);
}

std::vector<Row> second_rows(Balancer& balancer) {
  constexpr std::uint64_t many = 1U << 16;
  constexpr std::uint16_t ipip = 20;
  const auto inner = frame(packed);
  const auto in_outer = wrap(inner, 14, inner.size(), {Forward::ipip, peer_address, here, 0});
  std::vector<Row> rows{
      row("socket here, l2 v4", frame(plain, known.address), 1, 0,
          {XDP_PASS, 0, LB_FROM_PEER, false}),
      row("passed on, l2 v4", frame(plain), many, 0, {XDP_TX, 0, LB_FORWARDED, true}),
      row("passed on, ipip v4", in_outer, many, ipip, {XDP_TX, 0, LB_FORWARDED, true})};
  for (auto& one : rows) one.balancer = &balancer;
  rows.front().base = htons(known.port);  // what the flow's number is added to, in its place
  return rows;
}

}  // namespace xdplb::bench
