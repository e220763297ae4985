// SPDX-License-Identifier: GPL-2.0-only
// xdp-lb trace on one machine: reasons and exit statuses, files in and out, what is refused, and
// that no byte of any pinned map changes.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <utility>

#include "tests/net/cli_fixture.h"
#include "tests/net/traced_packet.h"
#include "tests/support/other_object.h"

namespace xdplb::test {
namespace {

constexpr auto here = "192.0.2.10:80/tcp";
const std::string from = "198.51.100.7:40000 ";

// No packets but those of a test.
struct Still : Machine {
  Still() {
    for (const auto* name : {"eth0", "eth1"})
      host.sysctl("ipv6/conf/" + std::string(name) + "/disable_ipv6", "1");
    host.ip("link set eth1 arp off");
    load();
  }
  void require(const std::string& line) const { loader.require(line); }
};

BOOST_AUTO_TEST_SUITE(trace_file)

BOOST_AUTO_TEST_CASE(reasons_and_exit_statuses) {
  const Still machine;
  for (const auto* line :
       {"service add 192.0.2.10:80/tcp", "backend add 192.0.2.10:80/tcp 10.0.0.2",
        "service add 192.0.2.11:0/udp", "service add 192.0.2.12:80/tcp --last-resort pass",
        "service add 192.0.2.13:80/tcp --last-resort reject",
        "service add 192.0.2.14:80/tcp --forward ipip",
        "backend add 192.0.2.14:80/tcp 10.0.0.3 --next-hop 02:00:5e:00:53:11%eth0",
        "service add 192.0.2.15:80/tcp", "backend add 192.0.2.15:80/tcp 172.16.0.1"})
    machine.require(line);
  struct Case {
    std::string to, reason, verdict;
    bool for_service, to_backend;
  };
  for (const auto& [to, reason, verdict, for_service, to_backend] :
       std::vector<Case>{{"192.0.2.10:81/tcp", "not-service", "XDP_PASS", false, false},
                         {"192.0.2.10:80/udp", "not-service", "XDP_PASS", false, false},
                         {"192.0.2.10:80/tcp", "no-neighbour", "XDP_DROP", true, true},
                         {"192.0.2.11:53/udp", "no-backend", "XDP_DROP", true, false},
                         {"192.0.2.12:80/tcp", "no-backend-passed", "XDP_PASS", true, false},
                         {"192.0.2.13:80/tcp", "rejected", "XDP_TX", true, false},
                         {"192.0.2.14:80/tcp", "forwarded", "XDP_TX", true, true},
                         {"192.0.2.15:80/tcp", "no-route", "XDP_DROP", true, true}})
    BOOST_TEST_CONTEXT(to) {
      const int status = verdict == "XDP_DROP" ? 3 : 0;
      const auto traced = trace_one(machine.loader, from + to, status);
      BOOST_TEST(traced.at("reason") == reason);
      BOOST_TEST(traced.at("verdict") == verdict);
      BOOST_TEST(traced.contains("service") == for_service, traced.dump());
      BOOST_TEST(traced.contains("backend") == to_backend, traced.dump());
      BOOST_TEST(traced.contains("out") == (status == 0));
      const auto text = machine.run("trace -o " XDP_LB_OBJECT " " + from + to);
      BOOST_TEST(text.status == status, text.err);
      for (const auto& word : Words{reason + ": ", verdict + "\n", "198.51.100.7:40000 > "})
        BOOST_TEST(text.out.find(word) != std::string::npos, word << "is not in\n" << text.out);
      BOOST_TEST((text.out.find("Bytes out: ") != std::string::npos) == (status == 0));
    }
  machine.host.sysctl("ipv4/conf/eth0/forwarding", "0");
  BOOST_TEST(trace_one(machine.loader, from + here, 3).at("reason") == "forwarding-off");
}

// In: what is traced, one with two tags among it. Out: what is not dropped, with its time.
BOOST_AUTO_TEST_CASE(a_file_in_and_a_file_out) {
  const Still machine;
  machine.require("service add 192.0.2.10:80/tcp");
  machine.require("backend add 192.0.2.10:80/tcp 10.0.0.3 --next-hop 02:00:5e:00:53:11%eth0");
  machine.require("service add 192.0.2.11:80/tcp");
  auto tagged = spec_to("192.0.2.10", 80);
  tagged.tags = {ether_service_vlan, ether_vlan};
  auto jumbo = spec_to("192.0.2.10", 80);
  jumbo.payload = 8900;
  Bytes arp(42);
  put16(arp, 12, 0x0806);
  const std::vector<Bytes> frames{build(spec_to("192.0.2.10", 80)),
                                  build(spec_to("192.0.2.11", 80)), build(tagged), arp,
                                  build(jumbo)};
  const std::string out = "/run/left.pcap";
  const auto outcome = machine.run("trace -o " XDP_LB_OBJECT " --pcap " + write_capture(frames) +
                                   " --pcap-out " + out);
  BOOST_TEST(outcome.status == 3, outcome.err);
  BOOST_TEST(outcome.out.find("Bytes out") == std::string::npos);
  const auto left = read_capture(out);
  BOOST_REQUIRE(left.size() == 4U);
  const Mac to{0x02, 0x00, 0x5e, 0x00, 0x53, 0x11};
  const auto forwarded = [&](PacketSpec spec) {
    spec.ttl--;
    spec.dst = to;
    spec.src = machine.host.mac("eth0");
    return build(spec);
  };
  BOOST_TEST(left[0] == forwarded(spec_to("192.0.2.10", 80)), boost::test_tools::per_element());
  BOOST_TEST(left[1] == forwarded(tagged), boost::test_tools::per_element());
  BOOST_TEST(left[2] == arp, boost::test_tools::per_element());
  BOOST_TEST((left[3] == forwarded(jumbo)));
  BOOST_TEST(machine.run("trace -o " XDP_LB_OBJECT " --pcap " + out).out.find("not IP") !=
             std::string::npos);
}

// An ICMP error has the slot of the flow that it quotes.
BOOST_AUTO_TEST_CASE(an_error_about_a_flow) {
  const Still machine;
  machine.require("service add 192.0.2.10:80/tcp");
  machine.require("backend add 192.0.2.10:80/tcp 10.0.0.3 --next-hop 02:00:5e:00:53:11%eth0");
  auto answer = spec_to("198.51.100.7", 40000);
  answer.from = ip("192.0.2.10");
  answer.sport = 80;
  const auto quoted = build(answer);
  auto spec = spec_to("192.0.2.10", 0);
  spec.from = ip("203.0.113.1");
  spec.proto = 1;
  spec.payload = 8 + 28;
  auto error = build(spec);
  const auto icmp = error.end() - 36;
  std::fill(icmp, icmp + 8, 0);
  icmp[0] = 3;
  icmp[1] = 4;
  std::copy_n(quoted.begin() + 14, 28, icmp + 8);
  const auto traced = trace_one(machine.loader, "--pcap " + write_capture({error}));
  BOOST_TEST(traced.at("reason") == "forwarded", traced.dump());
  BOOST_TEST(traced.at("protocol") == "icmp");
  BOOST_TEST(traced.at("from") == "203.0.113.1");
  BOOST_TEST(traced.at("backend") == "10.0.0.3");
  BOOST_TEST(traced.at("slot") == trace_one(machine.loader, from + here).at("slot"));
}

// An object whose program isn't the one that runs.
BOOST_AUTO_TEST_CASE(another_object_is_told) {
  const Still machine;
  const auto name = write_other_object(XDP_LB_OBJECT, "/run/other.bpf.o");
  BOOST_TEST(trace(machine.loader, from + here).at("notes").empty());
  const auto outcome = machine.run("trace -o " + name + " " + from + here);
  BOOST_TEST(outcome.err.find("note: the program on eth0 is another") != std::string::npos,
             outcome.err);
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  const Still machine;
  const std::string verb = "trace -o " XDP_LB_OBJECT " ";
  check_refused(machine,
                {{verb, 2, "give a client and what it sends to, or --pcap"},
                 {verb + "198.51.100.7:1", 2, "give a client and what it sends to"},
                 {verb + from + here + " x", 2, "unexpected parameter 'x'"},
                 {verb + from + here + " --pcap x", 2, "give a client and what it sends to"},
                 {verb + "198.51.100.7 " + here, 2, "client '198.51.100.7' is no address and port"},
                 {verb + "[fd00::7]:1 " + here, 2, "not of one address family"},
                 {verb + from + "192.0.2.10:80", 2, "no protocol"},
                 {verb + from + here + " --flags sin", 2, "'sin' is no TCP flag"},
                 {verb + from + "192.0.2.10:80/udp --flags syn", 2, "--flags is for tcp"},
                 {verb + "--pcap x --flags syn", 2, "--flags is not for --pcap"},
                 {verb + "--pcap /run/none.pcap", 2, "can't read /run/none.pcap"},
                 {verb + "--pcap /run", 2, "can't read /run"},
                 {verb + "--pcap /proc/version", 2, "/proc/version is no pcap file"},
                 {verb + "--pcap " + write_capture({Bytes(13)}), 2, "a packet of 13 bytes"},
                 {verb + "--pcap " + write_capture({Bytes(65559)}), 2, "a packet of 65559 bytes"},
                 {verb + from + here + " --pcap-out /run", 2, "can't write /run"},
                 {verb + from + here + " --pcap-out /dev/full", 1, "No space left on device"},
                 {verb + from + here + " -i eth9", 2, "there is no network interface 'eth9'"},
                 {verb + from + here + " -i eth1", 3, "xdp-lb is not loaded on eth1"},
                 {"trace -o /proc/version " + from + here, 2, "is not the BPF object"}});
  machine.require("load eth1 --single-ok -o " XDP_LB_OBJECT);
  check_refused(machine, {{verb + from + here, 2, "xdp-lb is loaded on eth"}});
  machine.require("unload --all --keep-maps");
  check_refused(machine, {{verb + from + here, 3, "xdp-lb is not loaded on any interface"}});
  machine.require("load eth0 --single-ok -o " XDP_LB_OBJECT);
  machine.require("unload eth0");
  check_refused(machine, {{verb + from + here, 3, "no maps of xdp-lb are pinned"}});
}

// Flows of both kinds are remembered, limits were used, counters have counted; and what is traced
// would make, refresh and use up all of them.
BOOST_AUTO_TEST_CASE(no_map_changes) {
  const Still machine;
  for (const auto* line :
       {"service add 192.0.2.10:80/tcp --state always --slots 256",
        "backend add 192.0.2.10:80/tcp 10.0.0.3 --next-hop 02:00:5e:00:53:11%eth0",
        "service add 192.0.2.11:80/tcp --forward fullnat --pool 10.0.0.9",
        "backend add 192.0.2.11:80/tcp 10.0.0.4 --next-hop 02:00:5e:00:53:02%eth0",
        "service add 192.0.2.12:80/tcp --last-resort reject",
        "service add 192.0.2.13:80/tcp --slots 256", "backend add 192.0.2.13:80/tcp 10.0.0.5"})
    machine.require(line);
  std::vector<Bytes> frames;
  for (const auto* address : {"192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.99"})
    for (std::uint16_t port = 40000; port < 40008; ++port) {
      auto spec = spec_to(address, 80);
      spec.sport = port;
      spec.dst = machine.host.mac("eth0");
      spec.flags = port % 2 == 0 ? 0x02 : 0x10;
      frames.push_back(build(spec));
    }
  send_frames(machine.host, "eth1", frames);
  const auto used = [&](const Dump& dump) {
    return std::ranges::all_of(Words{"lb_exceptions", "lb_flows", "lb_limits", "lb_next_hops",
                                     "lb_reason_cnt", "lb_service_cnt", "lb_exception_cnt"},
                               [&](const auto& map) { return !dump.at(map).empty(); });
  };
  Dump before;
  BOOST_REQUIRE(wait_until(
      [&] {
        const auto last = std::exchange(before, dump_maps());
        return used(before) && before == last;
      },
      10));
  frames.push_back(build(spec_to("192.0.2.10", 80)));
  const auto packets = trace(machine.loader, "--pcap " + write_capture(frames), 3).at("packets");
  BOOST_TEST(packets.at(0).at("slot").at("remembered").at("before") == true);
  BOOST_TEST(packets.back().at("slot").at("remembered").at("before") == true);
  const auto after = dump_maps();
  for (const auto& [map, entries] : before)
    BOOST_TEST((after.at(map) == entries), map << " has changed");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
