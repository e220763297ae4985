// SPDX-License-Identifier: GPL-2.0-only
// Packets that no backend gets: each passes or is dropped, for one counted reason.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/bpf/expect.h"

namespace xdplb::test {

namespace {

const std::string tcp4 = "192.0.2.10:80/tcp";
const std::string tcp6 = "[2001:db8::10]:80/tcp";
const Address v4 = ip("192.0.2.10");
const Address v6 = ip("2001:db8::10");
const Address other4 = ip("192.0.2.99");
const Address other6 = ip("2001:db8::99");
const Mac all_nodes{0x33, 0x33, 0, 0, 0, 1};

struct Services : Balancer {
  Services() {
    for (const auto& id : {tcp4, tcp6, std::string("192.0.2.12:0/udp")}) add_service(id);
    add_backend(tcp4, "10.0.0.1", 1);
    add_backend(tcp6, "2001:db8:b::2", 2);
    add_backend("192.0.2.12:0/udp", "10.0.0.3", 3);
  }
};

// For the cases that don't change it.
Services& services() {
  static Services made;
  return made;
}

void check_all(const std::vector<Case>& cases, Balancer& balancer = services()) {
  for (const auto& tried : cases) check(balancer, tried);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(verdict)

BOOST_AUTO_TEST_CASE(not_for_a_service) {
  const auto not_service = passes(LB_NOT_SERVICE);
  check_all({
      {"other address", {.to = other4}, not_service},
      {"other address, v6", {.to = other6}, not_service},
      {"other port", {.to = v4, .dport = 81}, not_service},
      {"other port, v6", {.to = v6, .dport = 81}, not_service},
      {"port 0", {.to = v4, .dport = 0}, not_service},
      {"port with its bytes swapped", {.to = v4, .dport = 0x5000}, not_service},
      {"service port as the source's", {.to = v4, .sport = 80, .dport = 1024}, not_service},
      {"other protocol", {.to = v4, .proto = proto_udp}, not_service},
      {"other protocol, v6", {.to = v6, .proto = proto_udp}, not_service},
      {"any port, other protocol", {.to = ip("192.0.2.12")}, not_service},
      {"from a VIP", {.from = v4, .to = other4}, not_service},
      {"v4 VIP as ::ffff:a.b.c.d",
       {.to = other6},
       not_service,
       [](Bytes& f) {
         const Bytes mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 10};
         std::ranges::copy(mapped, f.begin() + 38);
       }},
      {"v4 VIP as ::a.b.c.d",
       {.to = other6},
       not_service,
       [](Bytes& f) {
         const Bytes compatible{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 10};
         std::ranges::copy(compatible, f.begin() + 38);
       }},
      {"v4 address in front of a v6 one", {.to = ip("c000:20a::")}, not_service},
      {"tagged", {.tags = {ether_vlan}, .to = other4}, not_service},
      {"tagged twice, v6", {.tags = {ether_service_vlan, ether_vlan}, .to = other6}, not_service},
      {"options", {.to = other4, .options = Bytes(8, 1)}, not_service},
      {"extension header", {.to = other6, .extensions = {hop_by_hop()}}, not_service},
      {"first fragment", {.to = other4, .more = true}, not_service},
      {"first fragment, v6", {.to = other6, .extensions = {fragment(0, true)}}, not_service},
      {"first fragment to other port", {.to = v4, .dport = 81, .more = true}, not_service},
      {"TTL 1", {.to = other4, .ttl = 1}, not_service},
      {"broadcast", {.dst = broadcast_mac, .to = other4}, not_service},
      {"padded", {.to = other4, .payload = 0, .padding = 6}, not_service},
  });
}

BOOST_AUTO_TEST_CASE(not_tcp_or_udp) {
  const auto other = passes(LB_NOT_TRANSPORT);
  check_all({
      {"ICMP to a VIP", {.to = v4, .proto = 1}, other},
      {"IGMP to a VIP", {.to = v4, .proto = 2}, other},
      {"IPIP to a VIP", {.to = v4, .proto = 4}, other},
      {"GRE to a VIP", {.to = v4, .proto = 47}, other},
      {"ESP to a VIP", {.to = v4, .proto = 50}, other},
      {"AH over IPv4 to a VIP", {.to = v4, .proto = 51}, other},
      {"SCTP to a VIP", {.to = v4, .proto = 132}, other},
      {"UDP-Lite to a VIP", {.to = v4, .proto = 136}, other},
      {"nothing at all to a VIP", {.to = v4, .proto = 1, .payload = 0}, other},
      {"ICMPv6 to a VIP", {.to = v6, .proto = 58}, other},
      {"GRE to a VIP, v6", {.to = v6, .proto = 47}, other},
      {"no next header", {.to = v6, .proto = 59, .payload = 0}, other},
      {"ICMPv6 behind an extension header",
       {.to = v6, .proto = 58, .extensions = {hop_by_hop()}},
       other},
      {"first fragment of ICMP", {.to = v4, .proto = 1, .more = true}, other},
      {"first fragment of ICMPv6",
       {.to = v6, .proto = 58, .extensions = {fragment(0, true)}},
       other},
      {"ICMP", {.to = other4, .proto = 1}, other},
      {"segments left", {.to = v6, .extensions = {routing(1)}}, other},
      {"segments left, 255", {.to = v6, .extensions = {hop_by_hop(), routing(255)}}, other},
      {"nine extension headers",
       {.to = v6, .extensions = std::vector(9, destination_options())},
       other},
  });
}

BOOST_AUTO_TEST_CASE(later_fragments) {
  const auto later = passes(LB_LATER_FRAGMENT);
  check_all({
      {"for a VIP", {.to = v4, .offset = 185}, later},
      {"for a VIP, not the last", {.to = v4, .offset = 185, .more = true}, later},
      {"at the least offset", {.to = v4, .offset = 1}, later},
      {"at the largest offset", {.to = v4, .offset = 0x1fff}, later},
      {"not for a VIP", {.to = other4, .offset = 185}, later},
      {"empty", {.to = v4, .offset = 185, .payload = 0}, later},
      {"for a VIP, v6", {.to = v6, .extensions = {fragment(185, false)}}, later},
      {"at the least offset, v6", {.to = v6, .extensions = {fragment(1, true)}}, later},
      {"at the largest offset, v6", {.to = v6, .extensions = {fragment(0x1fff, false)}}, later},
      {"not for a VIP, v6",
       {.to = other6, .extensions = {hop_by_hop(), fragment(2, false)}},
       later},
      {"of ICMP", {.to = v4, .proto = 1, .offset = 3}, later},
  });
}

BOOST_AUTO_TEST_CASE(first_fragments) {
  const auto fragment4 = drops(LB_FRAGMENT, tcp4);
  const auto fragment6 = drops(LB_FRAGMENT, tcp6);
  check_all({
      {"v4", {.to = v4, .more = true}, fragment4},
      {"v4, full", {.to = v4, .more = true, .payload = 1460}, fragment4},
      {"v4, options and a tag",
       {.tags = {ether_vlan}, .to = v4, .more = true, .options = Bytes(4, 1)},
       fragment4},
      {"v4, the ports alone",
       {.to = v4, .more = true},
       counting(38, fragment4),
       [](Bytes& f) {
         f.resize(38);
         put16(f, 16, 24);
         fix_ipv4_checksum(f, 14);
       }},
      {"v6", {.to = v6, .extensions = {fragment(0, true)}}, fragment6},
      {"v6, behind options",
       {.to = v6, .extensions = {hop_by_hop(), fragment(0, true), destination_options()}},
       fragment6},
      {"any port",
       {.to = ip("192.0.2.12"), .proto = proto_udp, .more = true},
       drops(LB_FRAGMENT, "192.0.2.12:0/udp")},
  });
}

BOOST_AUTO_TEST_CASE(group_frames) {
  check_all({
      {"broadcast", {.dst = broadcast_mac, .to = v4}, passes(LB_GROUP_FRAME, tcp4)},
      {"multicast", {.dst = {1, 0, 0x5e, 0, 0, 1}, .to = v4}, passes(LB_GROUP_FRAME, tcp4)},
      {"multicast, v6", {.dst = all_nodes, .to = v6}, passes(LB_GROUP_FRAME, tcp6)},
      {"multicast, tagged",
       {.dst = all_nodes, .tags = {ether_vlan}, .to = v6},
       passes(LB_GROUP_FRAME, tcp6)},
      {"multicast, extension header",
       {.dst = all_nodes, .to = v6, .extensions = {hop_by_hop()}},
       passes(LB_GROUP_FRAME, tcp6)},
      {"broadcast, TTL 1",
       {.dst = broadcast_mac, .to = v4, .ttl = 1},
       passes(LB_GROUP_FRAME, tcp4)},
      {"another station's", {.dst = {2, 9, 9, 9, 9, 9}, .to = v4}, transmits(tcp4, 1)},
  });
}

BOOST_AUTO_TEST_CASE(last_hop) {
  check_all({
      {"TTL 1", {.to = v4, .ttl = 1}, drops(LB_TTL_EXPIRED, tcp4)},
      {"TTL 0", {.to = v4, .ttl = 0}, drops(LB_TTL_EXPIRED, tcp4)},
      {"TTL 1, options", {.to = v4, .ttl = 1, .options = Bytes(4, 1)}, drops(LB_TTL_EXPIRED, tcp4)},
      {"hop limit 1", {.to = v6, .ttl = 1}, drops(LB_TTL_EXPIRED, tcp6)},
      {"hop limit 0", {.to = v6, .ttl = 0}, drops(LB_TTL_EXPIRED, tcp6)},
      {"hop limit 1, tagged",
       {.tags = {ether_vlan}, .to = v6, .ttl = 1},
       drops(LB_TTL_EXPIRED, tcp6)},
  });
}

BOOST_AUTO_TEST_CASE(no_backend) {
  Services own;
  const std::string empty4 = "192.0.2.20:80/tcp";
  const std::string empty6 = "[2001:db8::20]:80/udp";
  const std::string drained = "192.0.2.21:80/tcp";
  for (const auto& id : {empty4, empty6, drained}) own.add_service(id);
  own.add_backend(drained, "10.0.0.4", 4, 7);
  own.add_backend(drained, "10.0.0.5", 5);
  own.state().set_backend(ServiceId::parse(drained), BackendId::parse("10.0.0.4"), {0, {}});
  own.state().set_backend(ServiceId::parse(drained), BackendId::parse("10.0.0.5"), {0, {}});
  check_all(
      {
          {"none", {.to = ip("192.0.2.20")}, drops(LB_NO_BACKEND, empty4)},
          {"none, TTL 1", {.to = ip("192.0.2.20"), .ttl = 1}, drops(LB_NO_BACKEND, empty4)},
          {"none, v6",
           {.to = ip("2001:db8::20"), .proto = proto_udp},
           drops(LB_NO_BACKEND, empty6)},
          {"all drain", {.to = ip("192.0.2.21")}, drops(LB_NO_BACKEND, drained)},
          {"none, in a broadcast",
           {.dst = broadcast_mac, .to = ip("192.0.2.20")},
           passes(LB_GROUP_FRAME, empty4)},
      },
      own);
  own.state().delete_backend(ServiceId::parse(tcp4), BackendId::parse("10.0.0.1"), Removal::now);
  check(own, {"the last was deleted", {.to = v4}, drops(LB_NO_BACKEND, tcp4)});
  own.state().delete_service(ServiceId::parse(tcp4));
  check(own, {"the service was deleted", {.to = v4}, passes(LB_NOT_SERVICE)});
  check(own, {"no VIP any more", {.to = v4}, passes(LB_RUNT), [](Bytes& f) { f[14] = 0x44; }});
}

BOOST_AUTO_TEST_CASE(no_service_at_all) {
  Services own;
  for (const auto& service : own.state().services()) own.state().delete_service(service.id);
  check_all(
      {
          {"v4", {.to = v4}, passes(LB_NOT_SERVICE)},
          {"v6", {.to = v6}, passes(LB_NOT_SERVICE)},
          {"first fragment", {.to = v4, .more = true}, passes(LB_NOT_SERVICE)},
          {"malformed", {.to = v4}, passes(LB_RUNT), [](Bytes& f) { f[14] = 0x44; }},
      },
      own);
}

BOOST_AUTO_TEST_CASE(not_ip) {
  const auto not_ip = no_family(passes(LB_NOT_IP));
  check_all({
      {"ARP", {.to = v4}, not_ip, [](Bytes& f) { put16(f, 12, 0x0806); }},
      {"length field, not an ethertype", {.to = v4}, not_ip, [](Bytes& f) { put16(f, 12, 46); }},
      {"LLDP, tagged",
       {.tags = {ether_vlan}, .to = v4},
       not_ip,
       [](Bytes& f) { put16(f, 16, 0x88cc); }},
      {"three tags", {.tags = {ether_vlan, ether_vlan, ether_vlan}, .to = v4}, not_ip},
      {"other tag protocol", {.tags = {0x9100}, .to = v4}, not_ip},
      {"ethertype with its bytes swapped",
       {.to = v4},
       not_ip,
       [](Bytes& f) { put16(f, 12, 0x0008); }},
      {"MPLS", {.to = v4}, not_ip, [](Bytes& f) { put16(f, 12, 0x8847); }},
      {"padding counts",
       {.to = v4, .padding = 20},
       counting(84, not_ip),
       [](Bytes& f) { put16(f, 12, 0x0806); }},
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
