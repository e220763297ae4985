// SPDX-License-Identifier: GPL-2.0-only
// pcap files, byte by byte as draft-ietf-opsawg-pcap has them, and the packet of a client.
#include "plugin/pcap.h"

#include <boost/test/unit_test.hpp>

#include "plugin/error.h"
#include "plugin/probe.h"
#include "tests/support/packet.h"

namespace xdplb {
namespace {

const Frame header_little{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0,
                          0,    0,    0,    0,    0, 0, 4, 0, 1, 0, 0, 0};
const Frame record_little{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 0xa, 0xb, 0xc};
const Frame header_big{0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4, 0, 0, 0, 0,
                       0,    0,    0,    0,    0, 4, 0, 0, 0, 0, 0, 1};
const Frame record_big{0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 5, 0xa, 0xb, 0xc};

Frame joined(const Frame& a, const Frame& b) {
  Frame all = a;
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

Frame with_byte(Frame file, std::size_t at, std::uint8_t value) {
  file[at] = value;
  return file;
}

void check_refused(const Frame& file, const std::string& message) {
  try {
    static_cast<void>(parse_pcap(file, "a.pcap"));
    BOOST_ERROR("was accepted: " << message);
  } catch (const Error& error) {
    BOOST_TEST(error.what() == "a.pcap" + message);
    BOOST_TEST(!error.hint().empty());
  }
}

BOOST_AUTO_TEST_SUITE(pcap)

BOOST_AUTO_TEST_CASE(both_byte_orders_and_units) {
  struct Case {
    Frame file;
    std::uint64_t nanoseconds;
  };
  for (const auto& [file, nanoseconds] :
       {Case{joined(header_little, record_little), 1'000'002'000},
        Case{joined(with_byte(with_byte(header_little, 0, 0x4d), 1, 0x3c), record_little),
             1'000'000'002},
        Case{joined(header_big, record_big), 1'000'000'002},
        Case{joined(with_byte(with_byte(header_big, 2, 0xc3), 3, 0xd4), record_big),
             1'000'002'000}}) {
    const auto frames = parse_pcap(file, "a.pcap");
    BOOST_REQUIRE(frames.size() == 1U);
    BOOST_TEST(frames[0].nanoseconds == nanoseconds);
    BOOST_TEST(frames[0].size == 5U);
    BOOST_TEST(frames[0].bytes == (Frame{0xa, 0xb, 0xc}), boost::test_tools::per_element());
  }
  BOOST_TEST(parse_pcap(header_little, "a.pcap").empty());
}

BOOST_AUTO_TEST_CASE(other_files_are_refused) {
  check_refused({}, " is no pcap file");
  check_refused(Frame(header_little.begin(), header_little.end() - 1), " is no pcap file");
  check_refused(with_byte(header_little, 0, 0xd5), " is no pcap file");
  Frame next_generation = header_little;
  next_generation[0] = next_generation[3] = 0x0a;
  next_generation[1] = next_generation[2] = 0x0d;
  check_refused(next_generation, " is a pcapng file");
  check_refused(with_byte(header_little, 20, 113), " has link type 113, not Ethernet (1)");
  check_refused(with_byte(header_big, 22, 1), " has link type 257, not Ethernet (1)");
}

BOOST_AUTO_TEST_CASE(broken_packets_are_refused) {
  const auto file = joined(header_little, record_little);
  for (std::size_t size = header_little.size() + 1; size < file.size(); ++size)
    check_refused(Frame(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)),
                  " ends within a packet");
  check_refused(with_byte(file, 24 + 8, 6), ": packet 1 has 6 of 5 bytes");
  check_refused(with_byte(file, 24 + 15, 1), ": packet 1 has 3 of 16777221 bytes");
  check_refused(with_byte(file, 24 + 6, 0x10),
                ": packet 1 has a fraction of a second that is none");
}

BOOST_AUTO_TEST_CASE(what_is_written_is_read) {
  const std::vector<CapturedFrame> frames{{1'700'000'000'123'456'789, 3, {1, 2, 3}}, {5, 1, {9}}};
  const auto read = parse_pcap(to_pcap(frames), "a.pcap");
  BOOST_REQUIRE(read.size() == 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    BOOST_TEST(read[i].nanoseconds == frames[i].nanoseconds);
    BOOST_TEST(read[i].size == frames[i].size);
    BOOST_TEST(read[i].bytes == frames[i].bytes, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(probe)

// The model builds another payload and identification: what it shares is compared.
BOOST_AUTO_TEST_CASE(packets_of_clients) {
  struct Case {
    std::string from, to;
    std::uint8_t flags;
  };
  for (const auto& [from, to, flags] :
       {Case{"198.51.100.7:40000", "192.0.2.10:80/tcp", tcp_syn},
        Case{"198.51.100.7:1", "192.0.2.10:80/tcp", 0x18},
        Case{"[2001:db8::7]:65535", "[2001:db8::10]:443/tcp", tcp_syn}}) {
    const Probe probe{parse_client(from), ServiceId::parse(to), flags, test::node_mac};
    test::PacketSpec spec;
    spec.src = {0x02, 0, 0, 0, 0, 1};
    spec.from = probe.from.address;
    spec.to = probe.to.vip;
    spec.sport = probe.from.port;
    spec.dport = probe.to.port;
    spec.id = 0;
    spec.payload = 0;
    spec.flags = flags;
    auto wanted = test::build(spec);
    auto frame = build_frame(probe);
    BOOST_REQUIRE(frame.size() == wanted.size());
    const auto tcp = frame.size() - 20;
    for (const auto at : {tcp + 4, tcp + 8, tcp + 14, tcp + 16})  // numbers, window, checksum
      for (std::size_t i = at; i < at + (at < tcp + 14 ? 4 : 2); ++i) frame[i] = wanted[i] = 0;
    BOOST_TEST(frame == wanted, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(checksums_of_all_bytes) {
  for (const std::string to : {"192.0.2.10:80/tcp", "192.0.2.10:53/udp"}) {
    const auto frame = build_frame({parse_client("198.51.100.7:40000"), ServiceId::parse(to)});
    const auto sum = [&](std::size_t from, std::uint32_t all) {
      for (std::size_t i = from; i < frame.size(); i += 2) all += test::get16(frame, i);
      while (all >> 16 != 0) all = (all & 0xffff) + (all >> 16);
      return all;
    };
    const std::uint32_t size = static_cast<std::uint32_t>(frame.size()) - 34;
    std::uint32_t pseudo = size + frame[23];
    for (std::size_t i = 26; i < 34; i += 2) pseudo += test::get16(frame, i);
    BOOST_TEST(sum(34, pseudo) == 0xffffU, to);
    BOOST_TEST(test::get16(frame, 16) == frame.size() - 14);
  }
}

BOOST_AUTO_TEST_CASE(flags) {
  BOOST_TEST(parse_tcp_flags("syn") == 0x02);
  BOOST_TEST(parse_tcp_flags("fin,psh,ack,urg,rst") == 0x3d);
  for (const auto* text : {"", "SYN", "syn,", "syn ack", "2"})
    BOOST_CHECK_THROW(parse_tcp_flags(text), Error);
}

BOOST_AUTO_TEST_CASE(clients) {
  BOOST_TEST(parse_client("10.0.0.1:0").port == 0);
  BOOST_TEST(parse_client("[fd00::1]:9").to_string() == "[fd00::1]:9");
  for (const auto* text :
       {"", "10.0.0.1", "10.0.0.1:", "10.0.0.1:65536", "fd00::1", "x:1", "[10.0.0.1]:1"})
    BOOST_CHECK_THROW(parse_client(text), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb
