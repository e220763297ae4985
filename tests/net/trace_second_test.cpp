// SPDX-License-Identifier: GPL-2.0-only
// xdp-lb trace of what goes by sockets and peers, not by the table alone.
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>

#include "tests/net/cli_fixture.h"
#include "tests/net/traced_packet.h"
#include "tests/support/outer.h"

namespace xdplb::test {
namespace {

constexpr std::uint8_t syn = 0x02;
constexpr std::uint8_t ack = 0x10;

PacketSpec spec_of(const std::string& address, std::uint8_t flags) {
  auto spec = spec_to(address, 80);
  spec.flags = flags;
  return spec;
}

struct Node : Machine {
  const Mac peer{0x02, 0x00, 0x5e, 0x00, 0x53, 0x12};

  // One of three servers of http, and of another service by ipip.
  Node() {
    load();
    for (const std::string service : {"192.0.2.10:80/tcp", "192.0.2.11:80/tcp --forward ipip"}) {
      loader.require("service add --second-chance on " + service);
      const auto id = service.substr(0, service.find(' '));
      loader.require("backend add " + id + " 10.0.0.1");
      for (const std::string number : {"2", "3"})
        loader.require("backend add " + id + " 10.0.0." + number + " --next-hop 02:00:5e:00:53:1" +
                       number + "%eth0");
    }
    loader.require("peer add " + to_string(peer));
    loader.require("peer add 10.0.0.2");
  }
  [[nodiscard]] nlohmann::json packets(const std::vector<Bytes>& frames) const {
    return trace(loader, "--pcap " + write_capture(frames)).at("packets");
  }
};

BOOST_AUTO_TEST_SUITE(trace_second)

// A non-SYN packet that this host has no socket for goes on, and the table doesn't say why.
BOOST_AUTO_TEST_CASE(second_chances_are_told) {
  const Node node;
  std::vector<Bytes> frames;
  auto spec = spec_of("192.0.2.10", ack);
  for (std::uint16_t port = 40000; port < 40020; ++port) {
    spec.sport = port;
    frames.push_back(build(spec));
  }
  spec.src = node.peer;
  frames.push_back(build(spec));
  spec.flags = syn;
  frames.push_back(build(spec));
  const auto packets = node.packets(frames);
  for (std::size_t i = 0; i < 20; ++i) {
    const auto& its = packets.at(i);
    BOOST_TEST(its.at("from_peer") == false);
    BOOST_TEST(its.at("second_chance") == (its.at("slot").at("current") == "10.0.0.1"));
    BOOST_TEST((its.at("backend") != its.at("slot").at("current")) == its.at("second_chance"));
  }
  for (const std::size_t i : {20, 21}) {
    const bool syn = i == 21;
    BOOST_TEST(packets.at(i).at("from_peer") == true);
    BOOST_TEST(packets.at(i).at("second_chance") == !syn);
    BOOST_TEST(packets.at(i).at("reason") == (syn ? "from-peer" : "forwarded"));
    for (const auto* key : {"backend", "next_hop"}) BOOST_TEST(packets.at(i).contains(key) == !syn);
  }
  const auto text =
      node.run("trace -o " XDP_LB_OBJECT " --pcap " + write_capture({frames[20]})).out;
  for (const auto* line : {"Sent by:      a peer\n", "Socket:       none here: it goes on by a se"})
    BOOST_TEST(text.find(line) != std::string::npos, text);
}

// An outer header of another mode can't become one to another backend.
BOOST_AUTO_TEST_CASE(second_chances_in_outer_headers_are_told) {
  const Node node;
  std::vector<Bytes> frames;
  for (const auto& [forward, flags] : std::vector<std::pair<Forward, std::uint8_t>>{
           {Forward::ipip, ack}, {Forward::gre, ack}, {Forward::ipip, syn}}) {
    const auto frame = build(spec_of("192.0.2.11", flags));
    frames.push_back(wrap(frame, 14, frame.size(), {forward, ip("10.0.0.2"), ip("10.0.0.1"), 0}));
  }
  const auto packets = node.packets(frames);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const auto& its = packets.at(i);
    BOOST_TEST(its.at("service") == "192.0.2.11:80/tcp", its.dump());
    BOOST_TEST(its.at("from_peer") == true);
    BOOST_TEST(its.at("second_chance") == (i == 0));
    BOOST_TEST(its.contains("backend") == (i == 0), its.dump());
    BOOST_TEST(its.contains("next_hop") == (i == 0));
  }
}

// Whatever the table says, a connection stays where its socket is.
BOOST_AUTO_TEST_CASE(a_socket_here_is_told) {
  const Node node;
  node.host.ip("address add 192.0.2.10/32 dev lo\nlink set lo up");
  const Inside here(node.host);
  const Endpoint to{ip("192.0.2.10"), 80};
  const auto listener = bound_socket(to, SOCK_STREAM);
  BOOST_REQUIRE(::listen(listener.get(), 100) == 0);
  std::vector<Fd> clients;
  std::vector<Bytes> frames;
  auto spec = spec_of("192.0.2.10", ack);
  spec.from = ip("10.0.0.1");
  for (spec.sport = 40000; spec.sport < 40050; ++spec.sport) {
    clients.push_back(bound_socket({spec.from, spec.sport}, SOCK_STREAM));
    connect_socket(clients.back(), to);
    frames.push_back(build(spec));
  }
  int told = 0;
  for (const auto& its : node.packets(frames)) {
    BOOST_TEST(its.at("from_peer") == false);
    BOOST_TEST(its.at("second_chance") == false);
    if (its.at("reason") != "from-peer") continue;
    told++;
    BOOST_TEST(its.at("slot").at("current") != "10.0.0.1");
    BOOST_TEST(!its.contains("backend"), its.dump());
  }
  BOOST_TEST(told > 0);
  const auto text = node.run("trace -o " XDP_LB_OBJECT " --pcap " + write_capture(frames)).out;
  BOOST_TEST(text.find("Socket:       here: it stays") != std::string::npos, text);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
