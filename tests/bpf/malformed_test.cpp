// SPDX-License-Identifier: GPL-2.0-only
// Frames that are cut short or contradict themselves: dropped where the address is a VIP, passed
// where it is not or can't be told.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/bpf/expect.h"
#include "tests/bpf/pipeline.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(malformed)

namespace {

const std::string tcp4 = "192.0.2.10:80/tcp";
const std::string tcp6 = "[2001:db8::10]:80/tcp";

struct Services : Balancer {
  Services() {
    add_service(tcp4);
    add_service(tcp6);
    add_backend(tcp4, "10.0.0.1", 1);
    add_backend(tcp6, "2001:db8:b::2", 2);
  }

  [[nodiscard]] Pipeline pipeline() {
    std::vector<PipelineService> modelled;
    for (const auto& id : {tcp4, tcp6}) {
      const auto number = static_cast<std::uint16_t>(modelled.size() + 1);
      const auto hop = hop_to(number);
      PipelineBackend backend{.handle = handle_of(*this, id, number)};
      backend.way.ifindex = hop.ifindex;
      std::ranges::copy(hop.dst, backend.way.dst.begin());
      std::ranges::copy(hop.src, backend.way.src.begin());
      PipelineService service{ServiceId::parse(id), service_number(*this, id)};
      service.owners.assign(service.slots, 1);
      service.backends.push_back(backend);
      modelled.push_back(service);
    }
    return {modelled, {}, {{loopback_ifindex, 65536}}};
  }
};

Services& services() {
  static Services made;
  return made;
}

struct Damage {
  std::string name;
  PacketSpec packet;    // its destination is filled in
  std::size_t counted;  // 0: the whole frame
  void (*change)(Bytes& frame);
};

void check_damage(Balancer& balancer, const Damage& damage, const Address& vip,
                  const Address& other) {
  for (const auto& to : {vip, other}) {
    Case tried{damage.name, damage.packet, to == vip ? drops(LB_MALFORMED) : passes(LB_RUNT),
               damage.change};
    tried.packet.to = to;
    auto frame = build(tried.packet);
    damage.change(frame);
    tried.outcome.counted = damage.counted != 0 ? damage.counted : frame.size();
    check(balancer, tried);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(ipv4) {
  const std::vector<Damage> table{
      {"version 6", {}, 0, [](Bytes& f) { f[14] = 0x65; }},
      {"version 0", {}, 0, [](Bytes& f) { f[14] = 0x05; }},
      {"header of 16 bytes", {}, 0, [](Bytes& f) { f[14] = 0x44; }},
      {"header of 0 bytes", {}, 0, [](Bytes& f) { f[14] = 0x40; }},
      {"header longer than the packet", {.payload = 0}, 0, [](Bytes& f) { f[14] = 0x4f; }},
      {"length 0", {}, 0, [](Bytes& f) { put16(f, 16, 0); }},
      {"length 19", {}, 0, [](Bytes& f) { put16(f, 16, 19); }},
      {"length one beyond the frame", {}, 0, [](Bytes& f) { put16(f, 16, 51); }},
      {"length 65535", {}, 0, [](Bytes& f) { put16(f, 16, 65535); }},
      {"length of the header alone", {}, 34, [](Bytes& f) { put16(f, 16, 20); }},
      {"TCP header short of a byte", {}, 53, [](Bytes& f) { put16(f, 16, 39); }},
      {"UDP header short of a byte", {.proto = proto_udp}, 41, [](Bytes& f) { put16(f, 16, 27); }},
      {"options, and no room for TCP",
       {.options = Bytes(40, 1), .payload = 0},
       93,
       [](Bytes& f) { put16(f, 16, 79); }},
      {"first fragment short of its ports", {.more = true}, 37, [](Bytes& f) { put16(f, 16, 23); }},
      {"cut in the TCP header", {}, 0, [](Bytes& f) { f.resize(14 + 20 + 19); }},
      {"cut by a byte", {}, 0, [](Bytes& f) { f.resize(f.size() - 1); }},
      {"tagged, length one beyond the frame",
       {.tags = {ether_vlan}},
       0,
       [](Bytes& f) { put16(f, 20, 51); }},
  };
  for (const auto& damage : table)
    check_damage(services(), damage, ip("192.0.2.10"), ip("192.0.2.99"));
}

BOOST_AUTO_TEST_CASE(ipv6) {
  const std::vector<Damage> table{
      {"version 4", {}, 0, [](Bytes& f) { f[14] = 0x45; }},
      {"version 15", {}, 0, [](Bytes& f) { f[14] = 0xf0; }},
      {"no payload", {}, 54, [](Bytes& f) { put16(f, 18, 0); }},
      {"length one beyond the frame", {}, 0, [](Bytes& f) { put16(f, 18, 31); }},
      {"length 65535", {}, 0, [](Bytes& f) { put16(f, 18, 65535); }},
      {"TCP header short of a byte", {}, 73, [](Bytes& f) { put16(f, 18, 19); }},
      {"UDP header short of a byte", {.proto = proto_udp}, 61, [](Bytes& f) { put16(f, 18, 7); }},
      {"cut in an extension header",
       {.extensions = {hop_by_hop()}},
       61,
       [](Bytes& f) { put16(f, 18, 7); }},
      {"extension header beyond the packet",
       {.extensions = {destination_options()}},
       0,
       [](Bytes& f) { f[55] = 200; }},
      {"extension header up to the end",
       {.extensions = {destination_options()}, .payload = 12},
       0,
       [](Bytes& f) { f[55] = 4; }},
      {"fragment header cut",
       {.extensions = {fragment(0, true)}},
       58,
       [](Bytes& f) { put16(f, 18, 4); }},
      {"first fragment short of its ports",
       {.extensions = {fragment(0, true)}},
       65,
       [](Bytes& f) { put16(f, 18, 11); }},
      {"authentication header beyond the packet",
       {.extensions = {authentication()}},
       0,
       [](Bytes& f) { f[55] = 250; }},
      {"second of two headers cut",
       {.extensions = {hop_by_hop(), destination_options()}},
       66,
       [](Bytes& f) { put16(f, 18, 12); }},
      {"cut by a byte", {}, 0, [](Bytes& f) { f.resize(f.size() - 1); }},
      {"tagged, length one beyond the frame",
       {.tags = {ether_service_vlan}},
       0,
       [](Bytes& f) { put16(f, 22, 31); }},
  };
  for (const auto& damage : table)
    check_damage(services(), damage, ip("2001:db8::10"), ip("2001:db8::99"));
}

// Too short for an address: nobody's.
BOOST_AUTO_TEST_CASE(cut_before_the_address) {
  const auto runt = no_family(passes(LB_RUNT));
  for (const std::size_t size : {14, 15, 30, 33})
    check_frame(
        services(),
        [&] {
          auto f = build({.to = ip("192.0.2.10")});
          f.resize(size);
          return f;
        }(),
        {.to = ip("192.0.2.10")}, runt);
  for (const std::size_t size : {14, 34, 38, 53})
    check_frame(
        services(),
        [&] {
          auto f = build({.to = ip("2001:db8::10")});
          f.resize(size);
          return f;
        }(),
        {.to = ip("2001:db8::10")}, runt);
  for (const std::size_t size : {14, 15, 17, 18, 21})
    check_frame(
        services(),
        [&] {
          auto f = build({.tags = {ether_vlan, ether_vlan}, .to = ip("192.0.2.10")});
          f.resize(size);
          return f;
        }(),
        {.to = ip("192.0.2.10")}, runt);
}

// Each of these packets at every length from a bare Ethernet header up: cut, and with its length
// fields in step: all as the model has it.
BOOST_AUTO_TEST_CASE(every_length) {
  const auto pipeline = services().pipeline();
  const std::vector<PacketSpec> packets{
      {.to = ip("192.0.2.10")},
      {.to = ip("192.0.2.99")},
      {.tags = {ether_vlan}, .to = ip("192.0.2.10"), .options = Bytes(12, 1)},
      {.to = ip("192.0.2.10"), .more = true},
      {.to = ip("2001:db8::10")},
      {.to = ip("2001:db8::99"), .proto = proto_udp},
      {.tags = {ether_vlan, ether_vlan},
       .to = ip("2001:db8::10"),
       .extensions = {hop_by_hop(1), routing(0), fragment(0, false), authentication()}},
      {.to = ip("2001:db8::10"), .extensions = {destination_options(), fragment(0, true)}},
  };
  std::size_t ran = 0;
  for (const auto& packet : packets) {
    const auto whole = build(packet);
    const auto l3 = l3_offset(packet);
    const bool v4 = packet.to.is_v4();
    const std::size_t header = v4 ? 20 + packet.options.size() : 40;
    for (std::size_t size = 14; size <= whole.size(); size++)
      for (const bool adjust : {false, true}) {
        auto frame = whole;
        frame.resize(size);
        if (adjust && size < l3 + header) continue;
        if (adjust && v4) put16(frame, l3 + 2, static_cast<std::uint16_t>(size - l3));
        if (adjust && !v4) put16(frame, l3 + 4, static_cast<std::uint16_t>(size - l3 - 40));
        const auto right = pipeline.judge(frame, loopback_ifindex, Program::by_egress);
        const auto before = services().totals();
        const auto run = services().run(frame);
        ran++;
        BOOST_TEST_CONTEXT("size " << size << ", reason " << reason_name(right.reason)) {
          BOOST_TEST(run.verdict == right.verdict);
          if (run.verdict != XDP_DROP)
            BOOST_TEST(run.out == right.out, boost::test_tools::per_element());
          BOOST_TEST(services().totals() - before == counters_of(right));
        }
      }
  }
  BOOST_TEST(ran > 900U);
}

// Nothing but zeros, or ones, of every length that a driver could hand over.
BOOST_AUTO_TEST_CASE(plain_frames) {
  for (std::size_t size = 14; size <= 128; size++)
    for (const std::uint8_t fill : {0x00, 0xff}) {
      const Bytes frame(size, fill);
      check_frame(services(), frame, {.to = ip("192.0.2.10")}, no_family(passes(LB_NOT_IP)));
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
