// SPDX-License-Identifier: GPL-2.0-only
// What backends need, by mode and families. That it is enough, tests/net and tests/vm show.
#include "plugin/backend_setup.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

namespace xdplb {
namespace {

SetupFacts facts_of(const std::string& service, const std::string& backend, Forward forward) {
  SetupFacts facts{ServiceId::parse(service), BackendId::parse(backend), forward, 6080};
  facts.mtu = 1500;
  return facts;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

std::string commands(const std::string& service, const std::string& backend, Forward forward) {
  return joined(backend_setup(facts_of(service, backend, forward)).commands);
}

std::string file(const Setup& setup, const std::string& path) {
  const auto found = std::ranges::find(setup.files, path, &Setup::File::path);
  return found == setup.files.end() ? "none" : joined(found->lines);
}

const std::string v4 = "192.0.2.10:80/tcp";
const std::string v6 = "[2001:db8::10]:80/tcp";
const std::string vip_v6 = "ip address replace 2001:db8::10/128 dev lo nodad\n";

std::string vip_v4(const std::string& device) {
  return "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2\n"
         "ip address replace 192.0.2.10/32 dev " +
         device + "\n";
}

// What is before, the device, and the VIP.
std::string v4_in(const std::string& device, const std::string& module,
                  const std::string& between = {}) {
  return "modprobe " + module + "\n" + between + "ip link set " + device +
         " up\nsysctl -w net.ipv4.conf." + device + ".rp_filter=2\n" + vip_v4(device);
}

std::string v6_in(const std::string& device, const std::string& module) {
  return "modprobe " + module + "\nip link set " + device + " up\n" + vip_v6;
}

BOOST_AUTO_TEST_SUITE(setup_of_backends)

BOOST_AUTO_TEST_CASE(l2) {
  BOOST_TEST(commands(v4, "10.0.0.1", Forward::l2) == vip_v4("lo"));
  BOOST_TEST(commands(v6, "fd00::1", Forward::l2) == vip_v6);
  const auto setup = backend_setup(facts_of(v4, "10.0.0.1", Forward::l2));
  BOOST_TEST(file(setup, "/etc/systemd/network/lo.network") == "[Match]\nName=lo\n");
  BOOST_TEST(file(setup, "/etc/systemd/network/lo.network.d/192.0.2.10.conf") ==
             "[Network]\nAddress=192.0.2.10/32\n");
  BOOST_TEST(file(setup, "/etc/sysctl.d/50-xdp-lb-arp.conf") ==
             "net.ipv4.conf.all.arp_ignore = 1\nnet.ipv4.conf.all.arp_announce = 2\n");
  BOOST_TEST(!setup.mss.has_value());
  BOOST_TEST(setup.advice.empty());
}

BOOST_AUTO_TEST_CASE(devices_of_tunnels) {
  const std::string any = "ip -6 tunnel change ip6tnl0 mode any\n";
  BOOST_TEST(commands(v4, "10.0.0.1", Forward::ipip) == v4_in("tunl0", "ipip"));
  BOOST_TEST(commands(v6, "10.0.0.1", Forward::ipip) == v6_in("sit0", "sit"));
  BOOST_TEST(commands(v4, "fd00::1", Forward::ipip) == v4_in("ip6tnl0", "ip6_tunnel", any));
  BOOST_TEST(commands(v6, "fd00::1", Forward::ipip) == v6_in("ip6tnl0", "ip6_tunnel"));
  BOOST_TEST(commands(v4, "10.0.0.1", Forward::gre) == v4_in("gre0", "ip_gre"));
  BOOST_TEST(commands(v6, "fd00::1", Forward::gre) == v6_in("ip6gre0", "ip6_gre"));
  const std::string fou = "modprobe fou\nip fou add port 6080 gue\n";
  const std::string fou6 = "modprobe fou6\nip -6 fou add port 6080 gue\n";
  BOOST_TEST(commands(v4, "10.0.0.1", Forward::gue) == fou + v4_in("tunl0", "ipip"));
  BOOST_TEST(commands(v4, "fd00::1", Forward::gue) == fou6 + v4_in("ip6tnl0", "ip6_tunnel", any));
}

BOOST_AUTO_TEST_CASE(files_of_tunnels) {
  auto setup = backend_setup(facts_of(v4, "10.0.0.1", Forward::gue));
  BOOST_TEST(file(setup, "/etc/systemd/network/gue6080.netdev") ==
             "[NetDev]\nName=gue6080\nKind=fou\n[FooOverUDP]\n"
             "Encapsulation=GenericUDPEncapsulation\nPort=6080\n");
  BOOST_TEST(file(setup, "/etc/modules-load.d/xdp-lb-fou.conf") == "fou\n");
  BOOST_TEST(file(setup, "/etc/systemd/network/tunl0.network") ==
             "[Match]\nName=tunl0\n[Link]\nRequiredForOnline=no\n");
  BOOST_TEST(file(setup, "/etc/systemd/network/tunl0.network.d/192.0.2.10.conf") ==
             "[Network]\nAddress=192.0.2.10/32\n");
  BOOST_TEST(file(setup, "/etc/sysctl.d/50-xdp-lb-tunl0.conf") ==
             "net.ipv4.conf.tunl0.rp_filter = 2\n");
  setup = backend_setup(facts_of(v4, "fd00::1", Forward::gue));
  BOOST_TEST(file(setup, "/etc/systemd/network/gue6080.netdev") == "none");
  BOOST_TEST(file(setup, "/etc/systemd/system/xdp-lb-gue6-6080.service")
                 .find("ExecStart=ip -6 fou add port 6080 gue\n") != std::string::npos);
  BOOST_TEST(file(setup, "/etc/systemd/system/xdp-lb-ip6tnl0.service")
                 .find("ExecStart=ip -6 tunnel change ip6tnl0 mode any\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(segments_that_fit) {
  struct Case {
    std::string service, backend;
    Forward forward;
    unsigned mtu, mss;
  };
  const std::vector<Case> cases{{v4, "10.0.0.1", Forward::ipip, 1500, 1440},
                                {v6, "10.0.0.1", Forward::ipip, 1500, 1420},
                                {v4, "fd00::1", Forward::gue, 1500, 1408},
                                {v4, "10.0.0.1", Forward::gre, 1523, 1459},
                                {v4, "10.0.0.1", Forward::gre, 1524, 0},
                                {v4, "10.0.0.1", Forward::gre, 0, 0},
                                {"192.0.2.10:53/udp", "10.0.0.1", Forward::gre, 1500, 0}};
  for (const auto& one : cases) BOOST_TEST_CONTEXT(one.service << " " << one.mtu) {
      auto facts = facts_of(one.service, one.backend, one.forward);
      facts.mtu = one.mtu;
      const auto setup = backend_setup(facts);
      BOOST_TEST(setup.mss.value_or(0) == one.mss);
      const auto advice = joined(setup.advice);
      BOOST_TEST(advice.empty() == (one.mss == 0));
      const auto mss = std::to_string(one.mss);
      BOOST_TEST((advice.find(" advmss " + mss + "\n") != std::string::npos) == (one.mss != 0));
      BOOST_TEST((advice.find("maxseg size set " + mss + ";") != std::string::npos) ==
                 (one.mss != 0));
    }
}

BOOST_AUTO_TEST_CASE(nat) {
  auto facts = facts_of(v4, "10.0.0.1:8080", Forward::nat);
  facts.balancer = Address::parse("10.0.0.9");
  auto setup = backend_setup(facts);
  BOOST_TEST(joined(setup.commands) ==
             "ip route replace default via 10.0.0.9 table 100\n"
             "ip rule add from 10.0.0.1 ipproto tcp sport 8080 table 100\n");
  BOOST_TEST(file(setup, "/etc/systemd/network/NAME.network.d/192.0.2.10-8080-tcp.conf") ==
             "[Route]\nGateway=10.0.0.9\nTable=100\n[RoutingPolicyRule]\nFrom=10.0.0.1\n"
             "IPProtocol=tcp\nSourcePort=8080\nTable=100\n");
  facts.gateway = true;
  setup = backend_setup(facts);
  BOOST_TEST(setup.commands.empty());
  BOOST_TEST(joined(setup.advice).find("from 10.0.0.1, port 8080/tcp") != std::string::npos);

  facts = facts_of(v6, "fd00::1", Forward::nat);
  facts.balancer = Address::parse("fd00::9");
  BOOST_TEST(joined(backend_setup(facts).commands) ==
             "ip -6 route replace default via fd00::9 table 100\n"
             "ip -6 rule add from fd00::1 ipproto tcp sport 80 table 100\n");
}

BOOST_AUTO_TEST_CASE(nothing_to_do) {
  const auto setup = backend_setup(facts_of(v4, "10.0.0.1", Forward::fullnat));
  BOOST_TEST(setup.summary.starts_with("nothing"));
  BOOST_TEST(setup.commands.empty());
  BOOST_TEST(setup.files.empty());
}

BOOST_AUTO_TEST_CASE(the_balancer_itself) {
  for (const auto forward : {Forward::l2, Forward::gue, Forward::nat}) {
    auto facts = facts_of(v4, "10.0.0.1", forward);
    facts.local = true;
    BOOST_TEST(joined(backend_setup(facts).commands) ==
               "ip address replace 192.0.2.10/32 dev lo\n");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
