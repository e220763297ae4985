// SPDX-License-Identifier: GPL-2.0-only
// backend-setup for modes with an outer header, with what the kernel has for them; and what check
// finds that needs a real chain or devices.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/net/bare.h"
#include "tests/net/forwarding.h"
#include "tests/vm/chained_site.h"
#include "tests/vm/lab.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

const std::vector<bool> either{true, false};

// Nothing that the client sends is too big any more: it never had to be told.
void check_segments(const Site& site, const Loader& loader, const TestService& service,
                    Flows& flows) {
  const auto told = loader.reason("told-too-big");
  const auto sent = random_bytes(300'000);
  const Inside here(site.client);
  HttpConnection connection(flows.next(), service.endpoint());
  BOOST_TEST(connection.put("/file/segments", sent).status == 201);
  BOOST_TEST((site.file(0, "segments") == sent));
  BOOST_TEST(loader.reason("told-too-big") == told);
}

// The advice that begins like this, for web1's only interface.
std::string advice(const Loader& loader, const TestService& service, const std::string& begin) {
  const auto setups = loader.json("backend-setup " + service.id());
  for (const auto& line : setups.at(0).at("advice")) {
    auto text = line.get<std::string>();
    if (!text.starts_with(begin)) continue;
    for (const auto& [name, value] : {std::pair("ROUTER", "10.2.0.1"), std::pair("IFNAME", "eth0")})
      if (const auto at = text.find(name); at != std::string::npos)
        text.replace(at, std::string_view(name).size(), value);
    return text;
  }
  return "false";
}

BOOST_AUTO_TEST_SUITE(setup)

BOOST_DATA_TEST_CASE(a_bare_host_takes_outer_headers,
                     data::make(Words{"ipip", "gue", "gre"}) * data::make(either), forward,
                     backend_v4) {
  ChainedSite chained("native", "eth0");
  auto& [site, loader] = chained;
  for (const bool vip_v4 : {false, true}) BOOST_TEST_CONTEXT("VIP of IPv" << (vip_v4 ? 4 : 6)) {
      make_bare(site);
      TestService service(loader, vip(10, vip_v4) + ":80/tcp", "--forward " + forward);
      service.add(web(1, 1, backend_v4));
      Flows flows(vip_v4);
      BOOST_CHECK_THROW(static_cast<void>(site.get(flows.next(), service.endpoint())),
                        std::exception);
      set_up(site, loader, service, 1);
      check_connections(site, service, flows, 20);
      loader.require("service del " + service.id());
    }
}

BOOST_DATA_TEST_CASE(a_smaller_mss_is_heeded, data::make(Words{"ip route change", "nft"}), way) {
  ChainedSite chained("native", "eth0");
  auto& [site, loader] = chained;
  make_bare(site);
  TestService service(loader, vip(10) + ":80/tcp", "--forward gue");
  service.add({1});
  set_up(site, loader, service, 1);
  site.webs[0].require({"sh", "-ec", advice(loader, service, way)});
  Flows flows(true);
  check_segments(site, loader, service, flows);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(check)

BOOST_AUTO_TEST_CASE(what_is_in_order) {
  Lab lab;
  const auto before = lab.world();
  const auto said = lab.run("xdp-lb check v0").out;
  for (const std::string part : {"ok    kernel", "ok    privileges", "ok    btf", "ok    bpffs",
                                 "with dispatcher version ", "ok    chain", "ok    object"})
    BOOST_TEST(said.find(part) != std::string::npos, part << " is not in: " << said);
  BOOST_TEST((lab.world() == before));
}

// The guest's network card, with a queue for each of two processors, moves into the lab. Nothing is
// connected to it.
std::string take_card(const Lab& lab) {
  const std::string outside = "nsenter --net=/proc/1/ns/net ";
  lab.require("modprobe vmxnet3");
  lab.require(outside + "ip link set dev eth0 netns lab");
  lab.require("ip link set dev eth0 up");
  return "eth0";
}

BOOST_AUTO_TEST_CASE(what_a_card_does_to_packets) {
  const Lab lab;
  const auto card = take_card(lab);
  const auto finds = [&](const std::string& text) {
    return lab.run("xdp-lb check " + card).out.find(text) != std::string::npos;
  };
  const auto seed = [&](const std::string& line, const std::string& fault,
                        const std::string& cure) {
    lab.require(line);
    BOOST_TEST((finds("warn  eth0: " + fault) && finds("remedy: " + cure)), fault);
    lab.host.require({"sh", "-c", cure});
    BOOST_TEST(!finds(fault));
  };
  BOOST_TEST(finds("ok    eth0: receive queues: 2, CPUs: 2"));
  seed("ethtool -X eth0 weight 1 0",
       "receive queues: 2, CPUs: 2; hashes spread packets over 1 of the queues (RSS)",
       "ethtool -X eth0 default");
  seed("ethtool -K eth0 lro on", "merges packets before XDP sees them",
       "ethtool -K eth0 lro off; ethtool -K eth0 rx-gro-hw off");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
