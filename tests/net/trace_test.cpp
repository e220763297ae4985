// SPDX-License-Identifier: GPL-2.0-only
// xdp-lb trace: what it says of a packet is what becomes of it, and by saying so it changes
// nothing.
#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/cli_fixture.h"
#include "tests/net/forwarding.h"
#include "tests/net/tap.h"
#include "tests/net/traced_packet.h"
#include "tests/support/outer.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;
using Json = nlohmann::json;

constexpr std::uint8_t syn = 0x02;
constexpr std::uint8_t ack = 0x10;

// As the router sends it to the balancer's eth0.
PacketSpec spec_of(const TestService& service, const Endpoint& from, std::uint8_t flags = syn) {
  PacketSpec spec;
  spec.from = from.address;
  spec.sport = from.port;
  spec.to = service.vip();
  spec.dport = service.endpoint().port;
  spec.flags = flags;
  return spec;
}

std::string address_of(const TestService& service, const std::string& name) {
  return std::ranges::find(service.members(), name, &Member::name)->address;
}

std::string line_of(const TestService& service, const Endpoint& from) {
  return BackendId{from.address, from.port}.to_string() + " " + service.id();
}

std::uint64_t hash_of(const Json& traced) {
  return std::stoull(traced.at("slot").at("hash").get<std::string>(), nullptr, 16);
}

struct Flow {
  Endpoint from;
  Json traced;
};

// So many flows' first packets, traced in one go.
std::vector<Flow> trace_flows(const Loader& loader, const TestService& service, int count) {
  Flows flows(service.is_v4());
  std::vector<Flow> all;
  std::vector<Bytes> frames;
  for (int i = 0; i < count; ++i) {
    all.push_back({flows.next(), {}});
    frames.push_back(build(spec_of(service, all.back().from)));
  }
  const auto packets = trace(loader, "-i eth0 --pcap " + write_capture(frames)).at("packets");
  for (std::size_t i = 0; i < all.size(); ++i) all[i].traced = packets.at(i);
  return all;
}

BOOST_AUTO_TEST_SUITE(trace_verb)

BOOST_DATA_TEST_CASE(the_backend_named_gets_the_connection,
                     data::make(Words{"l2", "nat", "fullnat"}) * data::make(families), forward,
                     family) {
  Balanced balanced("native", "eth0 eth1");
  auto& [site, loader] = balanced;
  if (forward == "nat") reply_through_balancer(site);
  add_pool(site);
  const bool v4 = family == "ipv4";
  TestService service(loader, vip(10, v4) + ":80/tcp", forward_options(forward, v4));
  for (const int number : {1, 2, 4}) service.add(member_of(service, forward, number, 8080));
  const auto flows = trace_flows(loader, service, counts(50, 2000));
  std::map<std::string, int> named;
  for (const auto& [from, traced] : flows) {
    const auto who = split(site.get(from, service.endpoint()).body)[0];
    BOOST_TEST(traced.at("backend") == address_of(service, who), traced.dump());
    BOOST_TEST(traced.at("service") == service.id());
    BOOST_TEST(traced.at("forward") == forward);
    BOOST_TEST(traced.at("reason") == "forwarded");
    BOOST_TEST(traced.at("verdict") == (who == "web4" ? "XDP_REDIRECT" : "XDP_TX"));
    const auto& web = site.webs[static_cast<std::size_t>(who.back() - '1')];
    BOOST_TEST(traced.at("next_hop").at("hop") ==
               to_string(web.mac("eth0")) + (who == "web4" ? "%eth1" : "%eth0"));
    named[who]++;
  }
  BOOST_TEST(named.size() == 3U);
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(trace_one(loader, "-i eth0 " + line_of(service, flows[i].from)).at("backend") ==
               flows[i].traced.at("backend"));
}

// Slot, hash and bytes against the model.
BOOST_DATA_TEST_CASE(bytes_are_those_of_the_model, data::make(families), family) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  const bool v4 = family == "ipv4";
  TestService service(loader, vip(10, v4) + ":80/tcp");
  service.add({1, 2, 3});
  for (const auto& [from, traced] : trace_flows(loader, service, 50)) {
    const auto& who = service.expected(from, 80);
    auto wanted = spec_of(service, from);
    wanted.ttl--;
    wanted.src = site.balancer.mac("eth0");
    wanted.dst = site.webs[static_cast<std::size_t>(who.back() - '1')].mac("eth0");
    BOOST_TEST(from_hex(traced.at("out")) == build(wanted), boost::test_tools::per_element());
    const auto hash = hash_of(traced);
    BOOST_TEST(traced.at("slot").at("number") == hash % 16384);
    BOOST_TEST(traced.at("slot").at("current") == address_of(service, who));
    BOOST_TEST(traced.at("slot").at("remembered").is_null());
  }
}

BOOST_DATA_TEST_CASE(outer_headers_reach_the_backend_named,
                     data::make(Words{"ipip", "gue", "gre"}) * data::make(families), forward,
                     family) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  const bool v4 = family == "ipv4";
  TestService service(loader, vip(10, v4) + ":80/tcp", "--forward " + forward);
  service.add({1, 2, 3});
  std::vector<Tap> taps;
  for (int i = 0; i < 3; ++i)
    taps.emplace_back(site.webs[static_cast<std::size_t>(i)], "eth0",
                      to_address(Address::parse(web(i + 1, 1, v4).address)));
  const std::map<std::string, Forward> modes{
      {"ipip", Forward::ipip}, {"gue", Forward::gue}, {"gre", Forward::gre}};
  Flows knocks(v4);
  for (const auto& [from, traced] : trace_flows(loader, service, 20)) {
    std::vector<std::uint64_t> before;
    for (auto& tap : taps) before.push_back(tap.count());
    knock(site, service, knocks);
    std::size_t who = 0;
    BOOST_REQUIRE(wait_until(
        [&] {
          for (who = 0; who < 3 && taps[who].count() == before[who];) ++who;
          return who < 3;
        },
        5));
    const auto address = web(static_cast<int>(who) + 1, 1, v4).address;
    BOOST_TEST(traced.at("backend") == address);
    auto inner = spec_of(service, from);
    inner.ttl--;
    inner.src = site.balancer.mac("eth0");
    inner.dst = site.webs[who].mac("eth0");
    const auto hash = hash_of(traced);
    const auto frame = build(inner);
    BOOST_TEST(
        from_hex(traced.at("out")) == wrap(frame, 14, frame.size(),
                                           {modes.at(forward), ip(v4 ? "10.2.0.11" : "fd00:2::11"),
                                            ip(address), static_cast<std::uint16_t>(hash >> 48)}),
        boost::test_tools::per_element());
  }
}

// What comes back is rewritten, and goes to the router.
BOOST_DATA_TEST_CASE(a_reply_is_returned, data::make(families), family) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  const bool v4 = family == "ipv4";
  TestService service(loader, vip(10, v4) + ":80/tcp", "--forward nat");
  service.add(member_of(service, "nat", 1, 8080));
  site.balancer.ip("neigh replace " + std::string(v4 ? "10.2.0.1" : "fd00:2::1") + " lladdr " +
                   to_string(site.router.mac("lan0")) + " dev eth0");
  auto spec = spec_of(service, Flows(v4).next(), ack);
  std::swap(spec.from, spec.to);
  std::swap(spec.sport, spec.dport);
  auto wanted = spec;
  wanted.ttl--;
  wanted.src = site.balancer.mac("eth0");
  wanted.dst = site.router.mac("lan0");
  spec.from = ip(web(1, 1, v4).address);
  spec.sport = 8080;
  const auto traced = trace_one(loader, "--pcap " + write_capture({build(spec)}));
  BOOST_TEST(traced.at("reason") == "returned", traced.dump());
  BOOST_TEST(traced.at("service") == service.id());
  BOOST_TEST(!traced.contains("slot"));
  BOOST_TEST(traced.at("next_hop").at("hop") == to_string(wanted.dst) + "%eth0");
  BOOST_TEST(from_hex(traced.at("out")) == build(wanted), boost::test_tools::per_element());
}

// A change within its epoch: a SYN goes to the new backend, and what nothing is known of stays.
BOOST_AUTO_TEST_CASE(what_is_remembered) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10) + ":80/tcp");
  service.add({1, 2});
  const Inside here(site.client);
  Flows flows(true, 30000);
  Endpoint from = flows.next();
  while (service.expected(from, 80) != "web1") from = flows.next();
  Endpoint used = flows.next();
  while (service.expected(used, 80) != "web1") used = flows.next();
  HttpConnection connection(used, service.endpoint());
  BOOST_TEST(split(connection.get("/keep").body)[0] == "web1");
  service.drain("web1");
  connection.get("/keep");

  const auto file =
      write_capture({build(spec_of(service, from, ack)), build(spec_of(service, from)),
                     build(spec_of(service, used, ack))});
  for (int i = 0; i < 2; ++i) {  // the second time it finds nothing of the first
    const auto packets = trace(loader, "--pcap " + file).at("packets");
    const auto& stays = packets.at(0);
    BOOST_TEST(stays.at("backend") == web(1).address, stays.dump());
    BOOST_TEST(stays.at("state") == "drain");
    BOOST_TEST(stays.at("slot").at("state") == "phase-1");
    BOOST_TEST(stays.at("slot").at("current") == web(2).address);
    BOOST_TEST(stays.at("slot").at("previous") == web(1).address);
    BOOST_TEST(stays.at("slot").at("seconds") > 800);
    BOOST_TEST(
        stays.at("slot").at("remembered") ==
        (Json{{"backend", web(1).address}, {"before", false}, {"age", 0}, {"confirmed", false}}));
    const auto& again = packets.at(1).at("slot").at("remembered");
    BOOST_TEST(again.at("before") == true, again.dump());
    BOOST_TEST(again.at("backend") == web(1).address);
    BOOST_TEST(packets.at(1).at("backend") == web(2).address);
    BOOST_TEST(packets.at(2).at("slot").at("remembered").at("before") == true);
    BOOST_TEST(packets.at(2).at("backend") == web(1).address);
  }
  const auto opens = trace_one(loader, line_of(service, from));
  BOOST_TEST(opens.at("backend") == web(2).address, opens.dump());
  BOOST_TEST(trace_one(loader, "--flags ack " + line_of(service, from)).at("backend") ==
             web(1).address);
}

// Flows of mode fullnat are known, and stay where their slot's new backend is another.
BOOST_AUTO_TEST_CASE(a_flow_of_fullnat_is_known) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  add_pool(site);
  TestService service(loader, vip(10) + ":80/tcp",
                      forward_options("fullnat", true) + " --state none");
  for (const int number : {1, 2}) service.add(member_of(service, "fullnat", number, 8080));
  Flows flows(true);
  auto from = flows.next();
  while (service.expected(from, 80) != "web1") from = flows.next();
  const Inside inside(site.client);
  HttpConnection connection(from, service.endpoint());
  connection.get("/keep");
  service.drain("web1");
  const auto known = trace_one(loader, "--flags ack " + line_of(service, from));
  BOOST_TEST(known.at("backend") == address_of(service, "web1"), known.dump());
  BOOST_TEST(known.at("slot").at("current") == address_of(service, "web2"));
  from.port++;
  BOOST_TEST(trace_one(loader, "--flags ack " + line_of(service, from)).at("backend") ==
             address_of(service, "web2"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
