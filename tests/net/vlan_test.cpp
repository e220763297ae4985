// SPDX-License-Identifier: GPL-2.0-only
// Clients' packets with VLAN tags.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <iostream>

#include "plugin/error.h"
#include "tests/net/fixture.h"
#include "tests/net/tap.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

constexpr int vlan_tag = 5 << 13 | 100;  // priority 5, VLAN 100
constexpr int wire_vlan = 0x0081;        // ETH_P_8021Q, ETH_P_ARP as the packet has them
constexpr int wire_arp = 0x0608;

bpf_insn insn(unsigned code, unsigned dst, unsigned src, int offset, int immediate) {
  bpf_insn result{};
  result.code = static_cast<std::uint8_t>(code);
  result.dst_reg = dst & 15U;
  result.src_reg = src & 15U;
  result.off = static_cast<std::int16_t>(offset);
  result.imm = immediate;
  return result;
}

// What a switch does at a port with a tagged VLAN: all but ARP leaves with the tag.
std::vector<bpf_insn> tag_program() {
  return {insn(BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(__sk_buff, protocol), 0),
          insn(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 3, wire_arp),
          insn(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, wire_vlan),
          insn(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, vlan_tag),
          insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_vlan_push),
          insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
          insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)};
}

// And what comes in loses it.
std::vector<bpf_insn> untag_program() {
  return {insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_vlan_pop),
          insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0), insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)};
}

void attach_filter(const Host& host, const std::string& port, bpf_tc_attach_point where,
                   const std::vector<bpf_insn>& code) {
  const Fd program(
      ::bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "vlan", "GPL", code.data(), code.size(), nullptr));
  if (!program) throw SystemError(errno, "loading a program for traffic control");
  const auto index = static_cast<int>(host.ifindex(port));
  const Inside here(host);
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = index, .attach_point = where);
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program.get());
  const int error = ::bpf_tc_attach(&hook, &options);
  if (error != 0) throw SystemError(-error, "attaching a program to " + port);
}

// The balancer's port of the router is in a tagged VLAN from now on.
void tag_port(const Site& site) {
  const auto mac = " lladdr " + to_string(site.balancer.mac("eth0")) + " dev lan0 nud permanent";
  site.router.ip("neigh replace 10.2.0.11" + mac + "\nneigh replace fd00:2::11" + mac);
  site.router.require(split("tc qdisc add dev lb0 clsact"));
  attach_filter(site.router, "lb0", BPF_TC_EGRESS, tag_program());
  attach_filter(site.router, "lb0", BPF_TC_INGRESS, untag_program());
}

BOOST_AUTO_TEST_SUITE(vlan)

BOOST_DATA_TEST_CASE(tags_are_kept_with_static_next_hops, data::make(modes) * data::make(families),
                     mode, family) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  tag_port(site);
  const bool v4 = family == "ipv4";
  TestService service(loader, vip(10, v4) + ":80/tcp");
  std::vector<Member> members;
  for (int i = 1; i <= 3; ++i) {
    members.push_back(web(i, 1, v4));
    const auto mac = to_string(site.webs[static_cast<std::size_t>(i - 1)].mac("eth0"));
    loader.require("backend add " + service.id() + " " + members.back().address + " --next-hop " +
                   mac + "%eth0");
  }
  service.believe(members);
  Tap with_tag(site.router, "lb0", tagged(vlan_tag));
  Flows flows(v4);
  const int count = counts(500, 5000);
  check_connections(site, service, flows, count);
  // In the balancer's frames alone: the router's get theirs behind the tap.
  BOOST_TEST(with_tag.count() == loader.forwarded(service.id()));
  BOOST_TEST(loader.forwarded(service.id()) >= 4U * static_cast<unsigned>(count));
  BOOST_TEST(loader.dropped() == 0U);
}

BOOST_DATA_TEST_CASE(an_untagged_way_out_is_counted, data::make(modes), mode) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  tag_port(site);
  TestService service(loader, vip(10) + ":80/tcp");
  service.add({1});
  Flows flows(true);
  for (int i = 0; i < 10; ++i) knock(site, service, flows);
  BOOST_TEST(wait_until([&] { return loader.reason("vlan-mismatch") == 10; }, 2));
  BOOST_TEST(loader.forwarded(service.id()) == 0U);
}

// Both ends and the balancer have VLAN devices; the backends of one VLAN are reached from another.
struct VlanSite : Site {
  VlanSite(const std::string& mode) : Site({.native = mode == "native", .mtu = 1500}) {
    serve_http();
    join(router, "lan0", 1);
    join(balancer, "eth0", 11);
    for (int i = 0; i < 3; ++i) join(webs[static_cast<std::size_t>(i)], "eth0", 21 + i);
    router.ip("route replace 192.0.2.0/24 via 10.100.0.11\n"
              "route replace 2001:db8:ffff::/64 via fd00:100::11");
  }

  static void join(const Host& host, const std::string& parent, int number) {
    std::string lines;
    for (const auto* id : {"100", "200"}) {
      const auto device = parent + "." + id;
      const auto n = std::to_string(number);
      lines += "link add link " + parent + " name " + device + " type vlan id " + id + "\n";
      lines += "link set " + device + " up\n";
      lines += "addr add 10." + std::string(id) + ".0." + n + "/24 dev " + device + "\n";
      lines += "addr add fd00:" + std::string(id) + "::" + n + "/64 dev " + device + " nodad\n";
    }
    host.ip(lines);
  }

  static bool possible() {
    const Host host("probe");
    host.ip("link add name a type veth peer name b");
    const bool can = host.run(split("ip link add link a name a.1 type vlan id 1")).status == 0;
    if (!can) std::cout << "skipped: VLAN devices: this kernel has none\n";
    return can;
  }
};

boost::test_tools::assertion_result has_vlan_devices(boost::unit_test::test_unit_id) {
  static const bool possible = VlanSite::possible();
  return possible;
}

BOOST_TEST_DECORATOR(*boost::unit_test::precondition(has_vlan_devices))
BOOST_DATA_TEST_CASE(vlan_devices_lead_to_backends, data::make(modes) * data::make(families), mode,
                     family) {
  VlanSite site(mode);
  const Loader loader(site.balancer);
  loader.load("eth0", mode);
  const bool v4 = family == "ipv4";
  TestService service(loader, vip(10, v4) + ":80/tcp");
  service.add({"web1", v4 ? "10.100.0.21" : "fd00:100::21"});
  service.add({"web2", v4 ? "10.100.0.22" : "fd00:100::22"});
  service.add({"web3", v4 ? "10.200.0.23" : "fd00:200::23"});
  Tap same(site.router, "lb0", tagged(100));
  Tap other(site.router, "lb0", tagged(200));
  Flows flows(v4);
  const auto answered = check_connections(site, service, flows, counts(500, 5000));
  BOOST_TEST(answered.size() == 3U);
  BOOST_TEST(same.count() > other.count());
  BOOST_TEST(other.count() >= 4U * static_cast<unsigned>(answered.at("web3")));
  BOOST_TEST(loader.dropped() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
