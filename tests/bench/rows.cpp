// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/rows.h"

#include <algorithm>
#include <stdexcept>

#include "tests/bench/driver.h"
#include "tests/bpf/icmp_frames.h"

namespace xdplb::bench {

namespace {

using namespace test;

constexpr std::uint64_t any_flow = 1, some_flows = 1U << 16, many_flows = 1U << 20,
                        new_flows = std::uint64_t{1} << 32;

// A forwarding mode: its service's VIP, how much it adds to a packet, and what it should cost at
// most; each for IPv4 and IPv6.
struct Mode {
  const char* name;
  Forward forward;
  int vip;
  std::array<int, 2> growth;
  std::array<double, 2> target;
};
const std::vector<Mode> modes{
    {"l2", Forward::l2, 10, {0, 0}, {1.6, 1.6}},
    {"ipip", Forward::ipip, 20, {20, 40}, {2.2, 2.4}},
    {"gue", Forward::gue, 21, {32, 52}, {2.6, 2.6}},
    {"gre", Forward::gre, 22, {24, 44}, {2.6, 2.6}},
};
const Mode nat{"nat", Forward::nat, 30, {0, 0}, {2.3, 2.3}};
const Mode fullnat{"fullnat", Forward::fullnat, 31, {0, 0}, {0, 0}};
constexpr int no_vip = 9;
constexpr double syn_target = 2.2, icmp_target = 3, foreign_target = 0.8, beside_nat_target = 1.6;

// Where a packet's source ends, and its ports are.
constexpr std::array<std::uint16_t, 2> source_at(bool v4) {
  return v4 ? std::array<std::uint16_t, 2>{28, 34} : std::array<std::uint16_t, 2>{36, 54};
}

// The same of the client of the packet that an ICMP error quotes.
constexpr std::array<std::uint16_t, 2> quoted_at(bool v4) {
  return v4 ? std::array<std::uint16_t, 2>{60, 64} : std::array<std::uint16_t, 2>{100, 104};
}

Address vip(bool v4, int number) {
  return ip((v4 ? "192.0.2." : "2001:db8::") + std::to_string(number));
}

ServiceId service(bool v4, int number) { return {vip(v4, number), 80, Protocol::tcp}; }

std::string in(const std::string& what, bool v4) { return what + (v4 ? " v4" : " v6"); }

Bytes frame(bool v4, int number) {
  const PacketSpec spec{.from = ip(v4 ? "198.18.0.0" : "2001:db8:1::"),
                        .to = vip(v4, number),
                        .extensions = {},
                        .payload = 0};
  auto bytes = build(spec);
  bytes.resize(DRIVER_FRAME);
  return bytes;
}

Bytes syn(bool v4, int number) {
  constexpr std::uint8_t flag = 2;
  auto bytes = frame(v4, number);
  bytes.at(source_at(v4)[1] + std::size_t{13}) = flag;
  return bytes;
}

// "Fragmentation needed", or "packet too big", of what a backend sent from the VIP.
Bytes icmp_error(bool v4, int number) {
  auto family = icmp_families().at(v4 ? 0 : 1);
  family.vip = vip(v4, number);
  const PacketSpec answer{.from = family.vip,
                          .to = family.client,
                          .sport = 80,
                          .dport = 40000,
                          .extensions = {},
                          .payload = 0};
  const auto sent = build(answer);
  const auto start = sent.begin() + static_cast<long>(l3_offset(answer));
  const Bytes quoted(start, start + static_cast<long>(family.ip) + 8);
  auto bytes = icmp(family, message(family, family.router, 8 + quoted.size()), v4 ? 3 : 2,
                    v4 ? 4 : 0, quoted);
  bytes.resize(DRIVER_FRAME);
  return bytes;
}

Wanted sent(int growth) { return {XDP_TX, growth, LB_FORWARDED, true}; }

Row to_service(const Mode& mode, bool v4, std::uint64_t flows) {
  return {in(mode.name, v4),
          "xdp_lb_inline",
          frame(v4, mode.vip),
          flows,
          source_at(v4),
          sent(mode.growth.at(v4 ? 0 : 1)),
          mode.target.at(v4 ? 0 : 1)};
}

Row bare(const std::string& series, const std::string& program, std::uint32_t verdict) {
  return {series,   program,         frame(true, no_vip),
          any_flow, source_at(true), {verdict, 0, uncounted, false}};
}

Row swap_floor(bool v4) {
  return {in("parse and swap,", v4),   "parse_and_swap", frame(v4, no_vip), any_flow, source_at(v4),
          {XDP_TX, 0, uncounted, true}};
}

Row outer_floor() {
  return {ipip_floor, "parse_and_ipip", frame(true, no_vip),
          any_flow,   source_at(true),  {XDP_TX, 20, uncounted, true}};
}

Row syn_flood(const Mode& mode, bool v4) {
  auto row = to_service(mode, v4, new_flows);
  row.series = "SYN flood, " + row.series;
  row.frame = syn(v4, mode.vip);
  row.target = syn_target;
  return row;
}

Row icmp_errors(const Mode& mode, bool v4) {
  auto row = to_service(mode, v4, some_flows);
  row.series = "ICMP error, " + row.series;
  row.frame = icmp_error(v4, mode.vip);
  row.at = quoted_at(v4);
  row.target = icmp_target;
  return row;
}

Row not_for_service(bool v4) {
  return {in("not for a service,", v4),
          "xdp_lb_inline",
          frame(v4, no_vip),
          some_flows,
          source_at(v4),
          {XDP_PASS, 0, LB_NOT_SERVICE, false},
          foreign_target};
}

// A backend's, of mode nat, to one client: where that is, packets ask for once a second.
Row reply(bool v4) {
  const PacketSpec spec{.from = ip(v4 ? "10.0.0.1" : "2001:db8:b::1"),
                        .to = ip(v4 ? client_v4 : client_v6),
                        .sport = 80,
                        .extensions = {},
                        .payload = 0};
  auto bytes = build(spec);
  bytes.resize(DRIVER_FRAME);
  const std::uint16_t dport = v4 ? 36 : 56;
  return {in("reply, nat", v4),          "xdp_lb_inline", bytes, 1U << 16, {dport, dport},
          {XDP_TX, 0, LB_RETURNED, true}};
}

// The frame as it is redirected by the program that doesn't grow packets.
Row ordered(const Mode& mode, bool v4) {
  auto row = to_service(mode, v4, some_flows);
  row.series = "egress way, " + row.series;
  row.program = "xdp_lb";
  row.wanted = {XDP_REDIRECT, 0, LB_FORWARDED, true};
  row.target = 0;
  return row;
}

// And what becomes of it then: one flow's packet for each of the backends in turn, since only the
// backend's number is read from the order.
Row carried_out(Balancer& balancer, const Mode& mode, bool v4) {
  auto row = ordered(mode, v4);
  std::vector<std::uint32_t> handles;
  const auto number = balancer.state().service(service(v4, mode.vip)).number;
  for (const auto& backend : balancer.state().backends(number)) handles.push_back(backend.handle);
  std::ranges::sort(handles);
  if (handles.back() - handles.front() != backends - 1)
    throw std::runtime_error("the backends' handles aren't consecutive");
  row.series += ", carried out";
  row.program = "xdp_lb_egress";
  row.flows = backends;
  row.at[1] = 2;
  row.base = static_cast<std::uint16_t>(handles.front());
  row.frame.at(0) = LB_ORDER_LOCAL;
  row.frame.at(1) = LB_ORDER_ENCAP;
  row.wanted = {XDP_PASS, mode.growth.at(v4 ? 0 : 1), uncounted, true};
  row.on_top = true;
  return row;
}

const Mode& mode(const std::string& name) {
  return *std::ranges::find_if(modes, [&](const auto& mode) { return mode.name == name; });
}

void add_service(Balancer& balancer, const Mode& mode, bool v4, std::uint32_t ifindex) {
  const auto id = service(v4, mode.vip);
  const std::string net = v4 ? "10.0.0." : "2001:db8:b::";
  ServiceChange options{mode.forward};
  if (mode.forward == Forward::fullnat) options.pool = Pool{ip(net + (v4 ? "128" : "8000")), 64};
  balancer.state().add_service(id, options);
  for (std::uint16_t number = 1; number <= backends; number++) {
    BackendChange change{1, hop_to(number, ifindex)};
    if (mode.forward != Forward::l2) change.source = ip(net + "254");
    balancer.state().add_backend(id, BackendId::parse(net + std::to_string(number)), change);
  }
}

// The sink sees what has passed the egress program.
Row live_ordered(const Mode& mode, bool v4) {
  auto row = ordered(mode, v4);
  row.wanted.growth = mode.growth.at(v4 ? 0 : 1);
  return row;
}

std::vector<Row> of(Balancer& balancer, std::vector<Row> rows) {
  for (auto& row : rows) row.balancer = &balancer;
  return rows;
}

std::vector<Row> by_flows(const Mode& mode) {
  std::vector<Row> rows;
  for (const bool v4 : {true, false})
    for (const auto flows : {any_flow, some_flows, many_flows})
      rows.push_back(to_service(mode, v4, flows));
  return rows;
}

}  // namespace

std::string Row::name() const {
  if (wanted.reason == uncounted || flows == new_flows) return series;
  if (flows == 1) return series + ", 1 flow";
  return series + ", " +
         (flows < many_flows ? std::to_string(flows >> 10) + "k"
                             : std::to_string(flows >> 20) + "M") +
         " flows";
}

bool Row::v4() const { return get16(frame, 12) == ether_ipv4; }

void add_services(Balancer& balancer, std::uint32_t ifindex) {
  for (const auto& mode : modes)
    for (const bool v4 : {true, false}) add_service(balancer, mode, v4, ifindex);
}

void add_nat_services(Balancer& balancer, std::uint32_t ifindex) {
  for (const bool v4 : {true, false}) add_service(balancer, nat, v4, ifindex);
}

void add_fullnat_services(Balancer& balancer, std::uint32_t ifindex) {
  for (const bool v4 : {true, false}) add_service(balancer, fullnat, v4, ifindex);
}

std::vector<Row> path_rows(Balancer& balancer) {
  std::vector<Row> rows{bare("bare XDP_TX", "bare_tx", XDP_TX), swap_floor(true), swap_floor(false),
                        outer_floor()};
  for (const auto& mode : modes) std::ranges::move(by_flows(mode), std::back_inserter(rows));
  for (const auto* name : {"l2", "ipip"})
    for (const bool v4 : {true, false}) {
      rows.push_back(syn_flood(mode(name), v4));
      rows.push_back(icmp_errors(mode(name), v4));
    }
  for (const bool v4 : {true, false}) rows.push_back(not_for_service(v4));
  for (const bool v4 : {true, false}) {
    rows.push_back(ordered(mode("ipip"), v4));
    rows.push_back(carried_out(balancer, mode("ipip"), v4));
  }
  return of(balancer, rows);
}

std::vector<Row> nat_rows(Balancer& balancer) {
  auto rows = by_flows(nat);
  for (const bool v4 : {true, false}) {
    rows.push_back(reply(v4));
    rows.push_back(not_for_service(v4));
    rows.back().series += ", nat on";
    rows.back().target = beside_nat_target;
  }
  return of(balancer, rows);
}

std::vector<Row> fullnat_rows(Balancer& balancer) { return of(balancer, by_flows(fullnat)); }

std::vector<Row> live_rows(Balancer& balancer) {
  return of(
      balancer,
      {bare("bare XDP_TX", "bare_tx", XDP_TX), outer_floor(),
       to_service(mode("l2"), true, some_flows), to_service(mode("l2"), false, some_flows),
       to_service(mode("ipip"), true, some_flows), to_service(mode("ipip"), false, some_flows),
       syn_flood(mode("ipip"), true), bare("bare redirect", "bare_redirect", XDP_REDIRECT),
       live_ordered(mode("ipip"), true), live_ordered(mode("ipip"), false)});
}

}  // namespace xdplb::bench
