// SPDX-License-Identifier: GPL-2.0-only
// Packets of services, and what goes out to the backends: each byte of it.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/bpf/expect.h"
#include "tests/support/checksum_model.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(forward)

namespace {

constexpr std::uint32_t other_ifindex = 4711;

// Services with one backend each, so that a case can name it.
struct Services : Balancer {
  Services() {
    const auto add = [this](const std::string& id, const std::string& backend, std::uint16_t number,
                            std::uint32_t ifindex = loopback_ifindex) {
      add_service(id);
      add_backend(id, backend, number, 1, ifindex);
    };
    add("192.0.2.10:80/tcp", "10.0.0.1", 1);
    add("192.0.2.10:80/udp", "10.0.0.2", 2);
    add("[2001:db8::10]:80/tcp", "2001:db8:b::3", 3);
    add("[2001:db8::10]:80/udp", "2001:db8:b::4", 4);
    add("192.0.2.11:80/tcp", "10.0.0.5", 5, other_ifindex);
    add("[2001:db8::11]:80/udp", "2001:db8:b::6", 6, other_ifindex);
    add("192.0.2.12:0/tcp", "10.0.0.7", 7);
    add("192.0.2.12:443/tcp", "10.0.0.8", 8);
    add("[2001:db8::12]:0/udp", "2001:db8:b::9", 9);
    add("[2001:db8::12]:443/udp", "2001:db8:b::a", 10);
    add("192.0.2.13:80/tcp", "2001:db8:b::b", 11);
    add("[2001:db8::13]:80/tcp", "10.0.0.12", 12);
  }
};

// Made once for all cases: none changes it.
Services& services() {
  static Services made;
  return made;
}

const std::vector<std::vector<std::uint16_t>> taggings{
    {},
    {ether_vlan},
    {ether_service_vlan},
    {ether_service_vlan, ether_vlan},
    {ether_vlan, ether_vlan},
    {ether_vlan, ether_service_vlan},
    {ether_service_vlan, ether_service_vlan},
};

const Bytes four_options{7, 4, 4, 0};

}  // namespace

BOOST_AUTO_TEST_CASE(ipv4_tagged_and_with_options) {
  for (const auto& tags : taggings)
    for (const auto& proto : {proto_tcp, proto_udp})
      for (const std::size_t options : {0, 4, 12, 20, 40}) {
        const auto id = std::string("192.0.2.10:80/") + (proto == proto_tcp ? "tcp" : "udp");
        check(services(),
              {id + ", " + std::to_string(tags.size()) + " tags, " + std::to_string(options) +
                   " bytes of options",
               {.tags = tags, .to = ip("192.0.2.10"), .proto = proto, .options = Bytes(options, 1)},
               transmits(id, proto == proto_tcp ? 1 : 2)});
      }
}

BOOST_AUTO_TEST_CASE(ipv6_tagged_and_with_extension_headers) {
  const std::vector<std::vector<Extension>> chains{
      {},
      {hop_by_hop()},
      {hop_by_hop(3), destination_options(1)},
      {destination_options(31)},
      {routing(0)},
      {routing(0, 2), destination_options()},
      {fragment(0, false)},
      {authentication(3)},
      {authentication(6)},
      {authentication(7), destination_options()},
      {hop_by_hop(), destination_options(), routing(0), fragment(0, false), authentication(),
       destination_options(2), destination_options()},
  };
  for (const auto& tags : taggings)
    for (const auto& proto : {proto_tcp, proto_udp})
      for (std::size_t i = 0; i < chains.size(); i++) {
        const auto id = std::string("[2001:db8::10]:80/") + (proto == proto_tcp ? "tcp" : "udp");
        check(services(),
              {id + ", " + std::to_string(tags.size()) + " tags, chain " + std::to_string(i),
               {.tags = tags, .to = ip("2001:db8::10"), .proto = proto, .extensions = chains[i]},
               transmits(id, proto == proto_tcp ? 3 : 4)});
      }
}

BOOST_AUTO_TEST_CASE(one_by_one) {
  const auto v4 = ip("192.0.2.10");
  const auto v6 = ip("2001:db8::10");
  const auto any4 = ip("192.0.2.12");
  const auto any6 = ip("2001:db8::12");
  const std::string tcp4 = "192.0.2.10:80/tcp";
  const std::string tcp6 = "[2001:db8::10]:80/tcp";
  const std::vector<Case> cases{
      {"no payload", {.to = v4, .payload = 0}, transmits(tcp4, 1)},
      {"no payload, v6", {.to = v6, .payload = 0}, transmits(tcp6, 3)},
      {"no payload, udp",
       {.to = v4, .proto = proto_udp, .payload = 0},
       transmits("192.0.2.10:80/udp", 2)},
      {"no payload, v6 udp",
       {.to = v6, .proto = proto_udp, .payload = 0},
       transmits("[2001:db8::10]:80/udp", 4)},
      {"full size", {.to = v4, .payload = 1460}, transmits(tcp4, 1)},
      {"full size, v6", {.to = v6, .payload = 1440}, transmits(tcp6, 3)},
      {"fragments allowed", {.to = v4, .dont_fragment = false}, transmits(tcp4, 1)},
      {"reserved flag",
       {.to = v4},
       transmits(tcp4, 1),
       [](Bytes& f) {
         put16(f, 20, 0x8000);
         fix_ipv4_checksum(f, 14);
       }},
      {"padded to 60 bytes",
       {.to = v4, .proto = proto_udp, .payload = 4, .padding = 14},
       transmits("192.0.2.10:80/udp", 2)},
      {"padded with options",
       {.to = v4, .options = four_options, .payload = 0, .padding = 9},
       transmits(tcp4, 1)},
      {"padded, v6", {.to = v6, .payload = 0, .padding = 100}, transmits(tcp6, 3)},
      {"padded, tagged",
       {.tags = {ether_vlan}, .to = v4, .payload = 0, .padding = 2},
       transmits(tcp4, 1)},
      {"to another interface", {.to = ip("192.0.2.11")}, redirects("192.0.2.11:80/tcp", 5)},
      {"to another interface, v6",
       {.to = ip("2001:db8::11"), .proto = proto_udp},
       redirects("[2001:db8::11]:80/udp", 6)},
      {"to another interface, tagged",
       {.tags = {ether_vlan}, .to = ip("192.0.2.11")},
       redirects("192.0.2.11:80/tcp", 5)},
      {"any port", {.to = any4, .dport = 1}, transmits("192.0.2.12:0/tcp", 7)},
      {"any port: 0", {.to = any4, .dport = 0}, transmits("192.0.2.12:0/tcp", 7)},
      {"any port: 65535", {.to = any4, .dport = 65535}, transmits("192.0.2.12:0/tcp", 7)},
      {"any port, but this one", {.to = any4, .dport = 443}, transmits("192.0.2.12:443/tcp", 8)},
      {"any port, v6",
       {.to = any6, .proto = proto_udp, .dport = 53},
       transmits("[2001:db8::12]:0/udp", 9)},
      {"any port, but this one, v6",
       {.to = any6, .proto = proto_udp, .dport = 443},
       transmits("[2001:db8::12]:443/udp", 10)},
      {"any port, options",
       {.to = any4, .dport = 8, .options = four_options},
       transmits("192.0.2.12:0/tcp", 7)},
      {"any port, extension header",
       {.to = any6, .proto = proto_udp, .dport = 8, .extensions = {hop_by_hop()}},
       transmits("[2001:db8::12]:0/udp", 9)},
      {"v4 to a v6 backend", {.to = ip("192.0.2.13")}, transmits("192.0.2.13:80/tcp", 11)},
      {"v6 to a v4 backend", {.to = ip("2001:db8::13")}, transmits("[2001:db8::13]:80/tcp", 12)},
      {"from the VIP itself", {.from = v4, .to = v4}, transmits(tcp4, 1)},
      {"from port 0", {.to = v4, .sport = 0}, transmits(tcp4, 1)},
      {"wrong TCP checksum",
       {.to = v4},
       transmits(tcp4, 1),
       [](Bytes& f) { put16(f, 14 + 20 + 16, 0xdead); }},
      {"TTL 2", {.to = v4, .ttl = 2}, transmits(tcp4, 1)},
      {"TTL 255", {.to = v4, .ttl = 255}, transmits(tcp4, 1)},
      {"hop limit 2", {.to = v6, .ttl = 2}, transmits(tcp6, 3)},
      {"hop limit 255", {.to = v6, .ttl = 255}, transmits(tcp6, 3)},
  };
  for (const auto& tried : cases) check(services(), tried);
}

// Every header checksum there is, at TTLs where the sum's carry falls differently.
BOOST_AUTO_TEST_CASE(checksum_for_every_header_id) {
  std::size_t wrong = 0;
  std::vector<bool> seen(65536);
  for (const std::uint8_t ttl : {2, 64, 255}) {
    auto frame = build({.to = ip("192.0.2.10"), .ttl = ttl, .payload = 0});
    for (std::uint32_t id = 0; id < 65536; id++) {
      put16(frame, 18, static_cast<std::uint16_t>(id));
      fix_ipv4_checksum(frame, 14);
      seen[get16(frame, 24)] = true;
      const auto run = services().run(frame);
      if (run.verdict != XDP_TX || run.out != sent_to(frame, 14, hop_to(1))) wrong++;
    }
  }
  BOOST_TEST(wrong == 0U);
  // 0xffff is no sum of anything that isn't all zero.
  BOOST_TEST(std::ranges::count(seen, true) == 65535);
}

// Its two ways to write zero are both right to receivers; what comes out sums up in both.
BOOST_AUTO_TEST_CASE(checksum_field_at_its_ends) {
  for (const std::uint16_t wanted : {0x0000, 0xffff}) {
    auto frame = build({.to = ip("192.0.2.10"), .payload = 0});
    put16(frame, 18, 0);
    fix_ipv4_checksum(frame, 14);
    put16(frame, 18, get16(frame, 24));  // now the rest sums up to 0xffff
    put16(frame, 24, wanted);
    BOOST_TEST(ones_sum(std::span(frame).subspan(14, 20)) == 0xffff);
    const auto run = services().run(frame);
    BOOST_TEST(run.verdict == XDP_TX);
    BOOST_TEST(ones_sum(std::span(run.out).subspan(14, 20)) == 0xffff);
    BOOST_TEST(run.out[22] == 63);
  }
}

// A wrong header checksum is the backend's to find: it must not be mended on the way.
BOOST_AUTO_TEST_CASE(wrong_header_checksum_stays_wrong) {
  auto frame = build({.to = ip("192.0.2.10")});
  put16(frame, 24, static_cast<std::uint16_t>(get16(frame, 24) ^ 0x1111));
  const auto run = services().run(frame);
  BOOST_TEST(run.verdict == XDP_TX);
  BOOST_TEST(ones_sum(std::span(run.out).subspan(14, 20)) ==
             ones_sum(std::span(frame).subspan(14, 20)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
