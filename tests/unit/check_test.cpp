// SPDX-License-Identifier: GPL-2.0-only
// The rules of check, with the facts that no test can bring about on the machine it runs on.
#include <boost/test/unit_test.hpp>
#include <ostream>

#include "plugin/check_backend.h"
#include "plugin/check_host.h"
#include "plugin/check_interface.h"
#include "plugin/check_second.h"
#include "plugin/config.h"
#include "plugin/plan.h"

namespace xdplb {

std::ostream& operator<<(std::ostream& out, Level level) { return out << static_cast<int>(level); }

namespace {

void check(const Finding& finding, Level level, const std::string& text,
           const std::string& remedy = {}) {
  BOOST_TEST(finding.level == level, finding.text);
  BOOST_TEST(finding.text.find(text) != std::string::npos, finding.text);
  BOOST_TEST(finding.remedy.empty() == (level == Level::ok), finding.text);
  BOOST_TEST(finding.remedy.find(remedy) != std::string::npos, finding.remedy);
}

Chain chain_of(std::size_t programs, const std::string& ours = {}) {
  Chain chain;
  chain.kind = Chain::Kind::dispatcher;
  chain.mode = Mode::native;
  chain.components.resize(programs);
  for (auto& component : chain.components) component.running = true;
  if (ours.empty()) return chain;
  chain.components.back().name = ours;
  chain.components.back().ours = true;
  return chain;
}

Backend backend_at(const std::string& address, Forward forward, bool local = false) {
  Backend backend;
  backend.id.address = Address::parse(address);
  backend.forward = forward;
  backend.local = local;
  return backend;
}

BOOST_AUTO_TEST_SUITE(check_rules)

BOOST_AUTO_TEST_CASE(second_chances) {
  const auto judge = [](const std::vector<Backend>& backends, const std::vector<Peer>& peers) {
    Interface eth0;
    eth0.mac = parse_mac("02:00:00:00:00:01");
    return judge_second_chance("http", second_facts(backends, peers, {eth0}));
  };
  for (const auto forward : {Forward::l2, Forward::ipip}) {
    const auto here = backend_at("10.0.0.1", forward, true);
    const auto other = backend_at("10.0.0.2", forward);
    const Peer link = parse_mac("02:00:00:00:00:02");
    const Peer address = other.id.address;
    const bool l2 = forward == Forward::l2;
    check(judge({other}, {}), Level::warn, "none of its backends is this host",
          "http --second-chance off");
    check(judge({other}, {link}), Level::ok, "for its peers, since no backend is this host");
    check(judge({here, other}, {l2 ? address : link}), Level::warn,
          l2 ? "0 link addresses" : "10.0.0.2 is no peer", "peer add");
    if (l2)  // this host's own is among the peers, as in a file that all have
      check(judge({here, other}, {parse_mac("02:00:00:00:00:01")}), Level::warn, "0 link addresses",
            "peer add");
    check(judge({here, other}, {l2 ? link : address}), Level::ok, "peers");
    // As many as can be, of a site with more.
    std::vector<Peer> most;
    for (unsigned i = 3; i < 3 + LB_PEERS; i++)
      l2 ? most.emplace_back(Mac{2, 0, 0, 0, 1, static_cast<std::uint8_t>(i)})
         : most.emplace_back(Address::parse("10.0.0." + std::to_string(i)));
    const std::vector<Backend> more(2 * LB_PEERS, other);
    auto site = more;
    site.push_back(here);
    check(judge(site, most), Level::ok, "peers");
    most.pop_back();
    check(judge(site, most), Level::warn, "peer", "peer add");
    check(judge({here, other, backend_at("10.0.0.3", Forward::gue)},
                {link, address, Peer{Address::parse("10.0.0.3")}}),
          Level::warn, "10.0.0.3 has another mode", "the same");
  }
}

BOOST_AUTO_TEST_CASE(kernel) {
  for (const auto* release : {"6.1.0-30-amd64", "6.12", "7.0.1"})
    check(judge_kernel(release), Level::ok, release);
  for (const auto* release : {"6.0.19", "5.15.0", "unknown"})
    check(judge_kernel(release), Level::fail, release, "6.1 or newer");
}

BOOST_AUTO_TEST_CASE(jit) {
  check(judge_jit(1), Level::ok, "compiled");
  check(judge_jit(0), Level::warn, "interpreted", "bpf_jit_enable=1");
  check(judge_jit({}), Level::warn, "can't tell", "bpf_jit_enable");
}

BOOST_AUTO_TEST_CASE(type_information) {
  check(judge_types(true), Level::ok, "type information");
  check(judge_types(false), Level::fail, "/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF");
}

BOOST_AUTO_TEST_CASE(libxdp) {
  check(judge_libxdp("1.3.0", 2), Level::ok, "version 1.3.0, with dispatcher version 2");
  check(judge_libxdp("1.10.0", 3), Level::ok, "1.10.0");
  check(judge_libxdp("1.2.9", 1), Level::fail, "1.2.9 is too old", "1.3.1");
  check(judge_libxdp("", 2), Level::warn, "can't tell", "1.3.1");
  check(judge_libxdp("1.3.0", {}), Level::warn, "no dispatcher", "xdp-dispatcher.o");
}

BOOST_AUTO_TEST_CASE(chains) {
  check(judge_chain({}), Level::ok, "takes libxdp's dispatcher");
  check(judge_chain("it lacks something"), Level::fail, "lacks something", "--single-ok");
}

BOOST_AUTO_TEST_CASE(growth) {
  check(judge_growth(true), Level::ok, "may grow packets");
  check(judge_growth(false), Level::warn, "may not grow packets", "libxdp 1.5.5");
  check(judge_growth({}), Level::warn, "can't tell", "load");
  check(judge_sockets(true), Level::ok, "second chances work");
  check(judge_sockets(false), Level::fail, "may not look", "CONFIG_INET");
  check(judge_sockets({}), Level::warn, "can't tell", "root");
}

BOOST_AUTO_TEST_CASE(driver) {
  check(judge_driver("eth0", "mlx", XdpFeatures{true, true}), Level::ok, "driver mlx");
  check(judge_driver("eth0", "mlx", XdpFeatures{true, false}), Level::warn, "takes no packets",
        "interface that the packets come in by");
  check(judge_driver("eth0", "mlx", XdpFeatures{}), Level::warn, "no native XDP", "--mode skb");
  check(judge_driver("eth0", "mlx", {}), Level::warn, "doesn't say", "--mode skb");
}

BOOST_AUTO_TEST_CASE(place_in_a_chain) {
  check(judge_place("eth0", chain_of(1), 2, 2), Level::ok, "a chain of 1 in native mode");
  check(judge_place("eth0", chain_of(2, "xdp_lb_inline"), 2, 2), Level::ok, "encapsulates in it");
  check(judge_place("eth0", chain_of(2, "xdp_lb"), 2, {}), Level::ok, "encapsulates on egress");
  check(judge_place("eth0", chain_of(max_components), 2, 2), Level::fail, "full", "xdp-loader");
  check(judge_place("eth0", chain_of(max_components, "xdp_lb"), 2, 2), Level::ok, "chain of 10");
  check(judge_place("eth0", chain_of(2), 1, 2), Level::warn, "version 1, older than libxdp's 2",
        "xdp-loader unload eth0 --all");
  auto broken = chain_of(2, "xdp_lb");
  broken.components.back().running = false;
  check(judge_place("eth0", broken, 2, 2), Level::fail, "doesn't run", "xdp-lb unload eth0");
}

BOOST_AUTO_TEST_CASE(settings_in_a_chain) {
  auto chain = chain_of(2, "xdp_lb");
  chain.components.back().priority = 40;
  chain.components.back().actions = "XDP_TX,XDP_PASS";
  const auto note = [&](const std::string& keys) {
    const auto file = parse_config("[[interface]]\nname = \"eth0\"\n" + keys, "f");
    return settings_note(file.interfaces->at(0), chain).value_or("");
  };
  const std::string priority = "priority = 40\n";
  const std::string actions = "actions = \"XDP_PASS,XDP_TX\"\n";
  BOOST_TEST(note(priority + actions) == "");
  BOOST_TEST(note(actions).starts_with("interface eth0: priority 40 -> 30: counts when"));
  BOOST_TEST(note(priority).starts_with("interface eth0: actions XDP_TX,XDP_PASS -> XDP_PASS: "));
  BOOST_TEST(note("mode = \"skb\"")
                 .starts_with("interface eth0: mode native -> skb, priority 40 -> 30, actions "));
  BOOST_TEST(note(priority).ends_with("'xdp-lb unload --keep-maps eth0'"));
  chain.kind = Chain::Kind::single;
  chain.main = chain.components.back();
  BOOST_TEST(note("") == "");
}

BOOST_AUTO_TEST_CASE(place_without_a_chain) {
  Chain chain;
  check(judge_place("eth0", chain, {}, 2), Level::warn, "no XDP program yet", "load");
  chain.kind = Chain::Kind::single;
  chain.main.name = "pass";
  check(judge_place("eth0", chain, {}, 2), Level::fail, "program pass is attached", "xdp off");
  chain.main.ours = true;
  check(judge_place("eth0", chain, {}, 2), Level::warn, "without a chain", "beside it");
  chain.kind = Chain::Kind::unpinned;
  check(judge_place("eth0", chain, {}, 2), Level::fail, "lost its pins", "--all");
}

BOOST_AUTO_TEST_CASE(vlan_tags) {
  check(judge_vlans("eth0", {.vlan = false}, true), Level::ok, "leaves VLAN tags");
  check(judge_vlans("eth0", {.vlan = true}, false), Level::ok, "no VLAN devices");
  check(judge_vlans("eth0", {.vlan = true}, true), Level::fail, "strips VLAN tags",
        "ethtool -K eth0 rxvlan off");
}

BOOST_AUTO_TEST_CASE(merged_packets) {
  check(judge_merging("eth0", {.merges = false}), Level::ok, "as they came");
  check(judge_merging("eth0", {.merges = true}), Level::warn, "merges packets",
        "ethtool -K eth0 lro off");
}

BOOST_AUTO_TEST_CASE(checksums) {
  check(judge_checksums("v0", "v1", false), Level::ok, "with their checksums");
  check(judge_checksums("v0", "v1", true), Level::warn, "its other end, v1, takes packets",
        "ethtool -K v1 tx off");
  check(judge_checksums("v0", "", false), Level::warn, "can't tell", "tx off");
}

BOOST_AUTO_TEST_CASE(queues) {
  check(judge_queues("eth0", {8, 8, true}, 8), Level::ok, "receive queues: 8, CPUs: 8");
  check(judge_queues("eth0", {16, 32, true}, 8), Level::ok, "receive queues: 16");
  check(judge_queues("eth0", {4, 4, true}, 8), Level::ok, "can't have more");
  check(judge_queues("eth0", {4, 16, true}, 8), Level::warn, "other CPUs",
        "ethtool -L eth0 combined 8");
  check(judge_queues("eth0", {1, 4, false}, 8), Level::warn, "other CPUs", "ethtool -L eth0 rx 4");
  check(judge_queues("eth0", {8, 8, true, 1}, 8), Level::warn, "over 1 of the queues",
        "ethtool -X eth0 default");
  check(judge_queues("eth0", {16, 16, true, 8}, 8), Level::ok, "receive queues: 16");
}

BOOST_AUTO_TEST_CASE(vips) {
  check(judge_vip("192.0.2.1", {}), Level::ok, "come by a route");
  check(judge_vip("192.0.2.1", {true, {"eth0"}, false}), Level::ok, "on eth0");
  check(judge_vip("192.0.2.1", {true, {"lo", "eth0"}, false}), Level::ok, "is an address");
  check(judge_vip("192.0.2.1", {true, {"lo"}, true}), Level::ok, "which is a backend");
  check(judge_vip("192.0.2.1", {true, {"lo"}, false}), Level::warn, "this host is no backend",
        "ip address del 192.0.2.1 dev lo");
  check(judge_vip("192.0.2.1", {true, {}, false}), Level::warn, "this host is no backend",
        "ip route del local 192.0.2.1");
  check(judge_vip("192.0.2.1", {false, {}, true}), Level::fail, "nobody takes them",
        "ip address add 192.0.2.1 dev lo");
}

BOOST_AUTO_TEST_CASE(listeners) {
  check(judge_listener("192.0.2.1:80/tcp", true), Level::ok, "a server listens");
  check(judge_listener("192.0.2.1:80/tcp", false), Level::warn, "no server listens", "start it");
}

BOOST_AUTO_TEST_CASE(room_for_outer_headers) {
  check(judge_mtu("eth0", {.mtu = 1552, .outer = 52, .forward = Forward::gue}), Level::ok,
        "MTU 1552: full-size packets fit in the outer headers of mode gue");
  check(judge_mtu("eth0", {.mtu = 1551, .outer = 52, .forward = Forward::gue}), Level::warn,
        "the 52 bytes more of mode gue", "1552 bytes");
}

BOOST_AUTO_TEST_CASE(replies) {
  check(judge_replies("eth1", {}, 0, 0), Level::ok, "takes replies");
  check(judge_replies("eth1", {}, 2, 0), Level::ok, "takes replies");
  check(judge_replies("eth1", {}, 1, 0), Level::warn, "strict", "ipv4/conf/eth1/rp_filter=2");
  check(judge_replies("eth1", {.local_vip = true}, 0, 1), Level::ok, "takes replies");
  check(judge_replies("eth1", {.local_vip = true}, 0, 0), Level::warn, "addresses of this host",
        "ipv4/conf/eth1/accept_local=1");
}

BOOST_AUTO_TEST_CASE(names_of_sysctls) {
  BOOST_TEST(sysctl_of("eth0.5", "a=1", "") == "sysctl net/ipv4/conf/eth0.5/a=1");
  check(judge_forwarding("eth0", true, true), Level::ok, "forwards IPv4 and IPv6");
  check(judge_forwarding("eth0", false, true), Level::warn,
        "off for IPv4:", "sysctl net/ipv4/conf/eth0/forwarding=1");
  check(judge_eviction("eth0", true, true), Level::ok, "keeps");
  check(judge_eviction("eth0", true, false), Level::warn, "no-neighbour",
        "sysctl net/ipv6/conf/eth0/ndisc_evict_nocarrier=0");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
