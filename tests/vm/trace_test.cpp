// SPDX-License-Identifier: GPL-2.0-only
// xdp-lb trace in a chain: by the program that the chain takes, which isn't the same in each.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>

#include "plugin/pcap.h"
#include "tests/support/packet.h"
#include "tests/vm/lab.h"

namespace xdplb::test {
namespace {

using Json = nlohmann::json;

constexpr auto service = "192.0.2.10:80/tcp";
constexpr auto tunnelled = "192.0.2.11:80/tcp";

PacketSpec spec_to(const std::string& address, std::uint16_t sport) {
  PacketSpec spec;
  spec.from = ip(client_address);
  spec.to = ip(address);
  spec.sport = sport;
  return spec;
}

// The flows that a Wire sends first to a service, and one of the tunnel's.
std::string write_flows() {
  std::vector<CapturedFrame> frames;
  const auto add = [&](const PacketSpec& spec) {
    const auto frame = build(spec);
    frames.push_back({0, static_cast<std::uint32_t>(frame.size()), frame});
  };
  for (unsigned i = 1; i <= Lab::burst; ++i)
    add(spec_to(vip_address, static_cast<std::uint16_t>(1024 + i)));
  add(spec_to("192.0.2.11", 1025));
  const auto bytes = to_pcap(frames);
  const std::string name = "/run/flows.pcap";
  std::ofstream(name).write(reinterpret_cast<const char*>(bytes.data()),
                            static_cast<std::streamsize>(bytes.size()));
  return name;
}

std::map<std::string, unsigned> forwarded_by(const Lab& lab) {
  std::map<std::string, unsigned> counts;
  const auto stats = Json::parse(lab.require("xdp-lb stats -j " + std::string(service)));
  for (const auto& row : stats.at("services"))
    if (row.at("what") != "forwarded") counts[row.at("what")] = row.at("packets");
  return counts;
}

BOOST_AUTO_TEST_SUITE(trace)

BOOST_AUTO_TEST_CASE(beside_a_filter_and_a_counter, *boost::unit_test::label("smoke")) {
  Lab lab;
  lab.host.ip("address add 10.0.0.254/24 dev v0");
  lab.load_filter("v0");
  lab.require("xdp-lb load v0");
  lab.load_counter("v0");
  lab.add_services("v0");
  lab.require("xdp-lb service add --slots 256 --forward ipip " + std::string(tunnelled));
  lab.require("xdp-lb backend add " + std::string(tunnelled) + " 10.0.0.1 --next-hop " +
              to_string(wire_mac(1)) + "%v0");
  const auto world = lab.world();

  const auto outcome = lab.run("xdp-lb trace -j --pcap " + write_flows());
  BOOST_TEST(outcome.status == 0, outcome.err << outcome.out);
  const auto all = Json::parse(outcome.out);
  const auto place = lab.chain("v0").at("components");
  const auto ours = std::ranges::find_if(place, [](const auto& one) { return one.at("ours"); });
  BOOST_TEST(all.at("program") == ours->at("name"));
  BOOST_TEST_MESSAGE("ours is " << ours->at("name"));
  BOOST_TEST(all.at("notes") ==
             Json{"packets pass xdpfilt_alw_tcp first, which a trace doesn't run"});
  std::map<std::string, unsigned> named;
  for (unsigned i = 0; i < Lab::burst; ++i) named[all.at("packets").at(i).at("backend")]++;
  BOOST_TEST(named.size() == 2U);

  const auto& grown = all.at("packets").back();
  BOOST_TEST(grown.at("reason") == "forwarded", grown.dump());
  BOOST_TEST(grown.at("forward") == "ipip");
  const auto inner = build(spec_to("192.0.2.11", 1025));
  const auto out = grown.at("out").get<std::string>();
  BOOST_TEST(out.size() == 2 * (inner.size() + 20));
  BOOST_TEST(out.substr(0, 12) == "02005e005381", "for the backend's link address: " << out);
  BOOST_TEST(out.substr(2 * 23, 2) == "04", "protocol of the outer header: " << out);

  BOOST_TEST(lab.world() == world);
  BOOST_TEST(lab.run("xdp-lb status -j").out.find("not-service") == std::string::npos);
  for (const auto& [backend, count] : forwarded_by(lab)) BOOST_TEST(count == 0U, backend);
  check_traffic(lab, "v0", {.filter = true, .ours = true, .counter = true});
  BOOST_TEST((forwarded_by(lab) == named));  // each of these flows
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
