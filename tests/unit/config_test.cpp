// SPDX-License-Identifier: GPL-2.0-only
// The configuration file: what it says, every mistake at its place, and the way back to text.
#include "plugin/config.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <iterator>

namespace xdplb::test {

namespace {

constexpr auto whole = R"(# a comment
cluster-key = "000102030405060708090a0b0c0d0e0f"
peers = ["02:00:00:00:00:01", "2001:db8::1"]
arena = "8M"
flows = 4096
exceptions = 8192

[[interface]]
name = "eth0"

[[interface]]
name = "eth1"
mode = "skb"
priority = 40
actions = "XDP_PASS,XDP_TX"

[[service]]
address = "192.0.2.10:80/tcp"
backend = ["10.0.0.1", "10.0.0.2:80", { address = "10.0.0.3", weight = 7, forward = "ipip" }]

[[service]]
address = "[2001:db8::10]:53/udp"
forward = "fullnat"
balance = "off"
gue-port = 7000
pool = "2001:db8:1::1-2001:db8:1::4"
fragments = "pass"
affinity = 64
ping = false
state = "always"
on-down = "rehash"
last-resort = "reject"
slots = 1024

[[service.backend]]
address = "[2001:db8:2::1]:5353"
next-hop = "02:00:00:00:00:01%eth1"
state = "drain"

[[service]]
address = "192.0.2.11:80/tcp"
second-chance = true

[defaults] # of all services, wherever it stands
ping = true
epoch = 77
on-down = "keep"
)";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> mistakes;
  try {
    parse_config(text, "f");
  } catch (const ConfigError& error) {
    std::string what = error.what();
    for (std::size_t at = 0; at <= what.size();) {
      const auto end = std::min(what.find('\n', at), what.size());
      mistakes.push_back(what.substr(at, end - at));
      at = end + 1;
    }
    BOOST_TEST(error.mistakes().size() == mistakes.size());
  }
  return mistakes;
}

// Exactly one mistake, which starts like this.
void check_mistake(const std::string& text, const std::string& wanted) {
  const auto mistakes = lines_of(text);
  BOOST_TEST_CONTEXT(text) {
    BOOST_TEST_REQUIRE(mistakes.size() == 1U);
    BOOST_TEST(mistakes[0].starts_with(wanted), mistakes[0] << " is not " << wanted);
  }
}

const std::string service = "[[service]]\naddress = \"192.0.2.10:80/tcp\"\n";
const std::string other = "[[service]]\naddress = \"192.0.2.11:80/tcp\"\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(everything_is_read) {
  const auto config = parse_config(whole, "f");
  BOOST_TEST((config.cluster_key.value()[15] == 15));
  BOOST_TEST(config.arena.value() == 8U << 20);
  BOOST_TEST(config.flows.value() == 4096U);
  BOOST_TEST(config.exceptions.value() == 8192U);
  const auto& interfaces = config.interfaces.value();
  BOOST_TEST_REQUIRE(interfaces.size() == 2U);
  BOOST_TEST(!interfaces[0].skb);
  BOOST_TEST(interfaces[1].skb);
  BOOST_TEST(interfaces[1].priority.value() == 40U);
  BOOST_TEST(interfaces[1].actions.value() == "XDP_PASS,XDP_TX");

  BOOST_TEST_REQUIRE(config.services.size() == 3U);
  BOOST_TEST(config.services[2].options.second_chance);
  BOOST_TEST((config.peers.value() ==
              std::vector<Peer>{parse_mac("02:00:00:00:00:01"), Address::parse("2001:db8::1")}));
  const auto& web = config.services[0];
  auto expected = default_options(web.id);
  expected.ping = true;
  expected.epoch = 77;
  expected.on_down = OnDown::keep;
  BOOST_TEST((web.options == expected));
  BOOST_TEST(!web.slots);
  BOOST_TEST_REQUIRE(web.backends.size() == 3U);
  BOOST_TEST((web.backends[1].id == BackendId::parse("10.0.0.2")));  // the service's port
  BOOST_TEST(web.backends[2].weight == 7U);
  BOOST_TEST((web.backends[2].forward == Forward::ipip));
  BOOST_TEST(!web.backends[2].state);

  const auto& names = config.services[1];
  expected.forward = Forward::fullnat;
  expected.balance = Balance::off;
  expected.gue_port = 7000;
  expected.pool = Pool::parse("2001:db8:1::1-2001:db8:1::4");
  expected.fragments = Fragments::pass;
  expected.source_prefix = 64;
  expected.ping = false;
  expected.remember = Remember::always;
  expected.on_down = OnDown::rehash;
  expected.last_resort = LastResort::reject;
  BOOST_TEST((names.options == expected));
  BOOST_TEST(names.slots.value() == 1024U);
  BOOST_TEST((names.backends.at(0).state == BackendState::drain));
  BOOST_TEST(names.backends.at(0).next_hop.value().ifname == "eth1");
}

BOOST_AUTO_TEST_CASE(text_means_what_it_was_made_from) {
  auto config = parse_config(whole, "f");
  config.interfaces->at(0).name = "a\"\\\x01 b";
  const auto text = to_text(config);
  const auto again = parse_config(text, "f");
  BOOST_TEST(to_text(again) == text);
  BOOST_TEST(again.interfaces->at(0).name == config.interfaces->at(0).name);
  for (std::size_t i = 0; i < config.services.size(); i++) {
    const auto& a = config.services[i];
    const auto& b = again.services.at(i);
    BOOST_TEST((a.id == b.id && a.options == b.options && a.slots == b.slots));
    BOOST_TEST_REQUIRE(a.backends.size() == b.backends.size());
    for (std::size_t j = 0; j < a.backends.size(); j++) {
      const auto& c = a.backends[j];
      const auto& d = b.backends[j];
      BOOST_TEST((c.id == d.id && c.weight == d.weight && c.forward == d.forward &&
                  c.state == d.state && c.next_hop.has_value() == d.next_hop.has_value()));
    }
  }
  BOOST_TEST(!parse_config("", "f").interfaces);
  BOOST_TEST(parse_config("interface = []", "f").interfaces.value().empty());
  Config none;
  none.interfaces.emplace();
  BOOST_TEST(parse_config(to_text(none), "f").interfaces.has_value());
}

BOOST_AUTO_TEST_CASE(mistakes) {
  check_mistake("a = ", "f:1:");
  check_mistake("a = f\n", "f:1:6: Error while parsing boolean: expected 'false', saw 'f\\x0a'");
  check_mistake("arena = \"\\n\\u001b\"", "f:1:9: arena '\\x0a\\x1b' is not a power");
  check_mistake("arena = \"7M\"", "f:1:9: arena '7M' is not a power of two");
  check_mistake("arena = 8", "f:1:9: arena is not a text; write it in double quotes");
  check_mistake("exceptions = 1025", "f:1:14: exceptions is not a power of two");
  check_mistake("flows = -1", "f:1:9: flows is not a number from 1024 to 16777216");
  check_mistake("cluster-key = \"00\"", "f:1:15: cluster-key is not 32 hexadecimal digits");
  check_mistake("service = 3", "f:1:11: service is not an array; write [[service]] for each");
  check_mistake("defaults = 3", "f:1:12: defaults is not a table");
  check_mistake("[defaults]\nslots = 256",
                "f:2:1: unknown key 'slots' in [defaults]; known are forward");
  check_mistake("[defaults]\nepoch = 0", "f:2:9: epoch is not a number from 1 to 14400");
  check_mistake("[[interface]]\nmode = \"skb\"", "f:1:1: an interface has no name");
  check_mistake("[[interface]]\nname = \"a\"\n[[interface]]\nname = \"a\"",
                "f:3:1: interface a is there twice; line 1 has it already");
  check_mistake("[[interface]]\nname = \"a\"\nmode = \"fast\"",
                "f:3:8: mode 'fast' is neither native nor skb");
  check_mistake("[[service]]", "f:1:1: a service has no address");
  check_mistake("[[service]]\naddress = \"x\"", "f:2:11: ");
  check_mistake(
      service + "foward = \"l2\"",
      "f:3:1: unknown key 'foward' in service 192.0.2.10:80/tcp; did you mean 'forward'?");
  check_mistake(service + "quux = 1",
                "f:3:1: unknown key 'quux' in service 192.0.2.10:80/tcp; known");
  check_mistake("[[interface]]\nname = \"a\"\nactions = \"XDP_PASS,XDP_PAS\"",
                "f:3:11: 'XDP_PAS' is no XDP action; give some of XDP_ABORTED,");
  check_mistake(service + "forward = \"l3\"", "f:3:11: forward 'l3' is neither l2, ipip");
  check_mistake("peers = [\"02:00:00:00:00:01\", \"02:00:00:00:00:01\"]",
                "f:1:31: peer 02:00:00:00:00:01 is there twice");
  std::string many;
  for (int i = 0; i < 65; i++) many += "'10.0.0." + std::to_string(i) + "', ";
  check_mistake("peers = [" + many + "'2001:db8::1']",
                "f:1:9: 65 IPv4 addresses of peers are more than 64");
  check_mistake("peers = [\"224.0.0.1\"]", "f:1:10: peer '224.0.0.1' is no unicast address");
  check_mistake(service + "ping = 1", "f:3:8: ping is neither true nor false");
  check_mistake(service + "affinity = 33", "f:1:1: affinity 33 of service 192.0.2.10:80/tcp has");
  check_mistake(service + "slots = 1000", "f:1:1: 1000 slots: not a power of two");
  check_mistake(service + "forward = \"fullnat\"",
                "f:1:1: service 192.0.2.10:80/tcp has no source");
  check_mistake(service + service, "f:3:1: service 192.0.2.10:80/tcp is there twice");
  check_mistake(service + "backend = \"10.0.0.1\"", "f:3:11: backend is not an array");
  check_mistake(service + "backend = [\"10.0.0.1\", \"10.0.0.1:80\"]",
                "f:3:24: backend 10.0.0.1 of service 192.0.2.10:80/tcp is there twice");
  check_mistake(service + "backend = [\"192.0.2.10\"]", "f:3:12: backend 192.0.2.10 has the VIP");
  check_mistake(service + "backend = [{ weight = 3 }]", "f:3:12: a backend has no address");
  check_mistake(service + "backend = [{ address = \"10.0.0.1\", weight = 0 }]",
                "f:3:45: weight is not a number from 1 to 65535");
  check_mistake(service + "backend = [{ address = \"10.0.0.1\", state = \"leaving\" }]",
                "f:3:44: state 'leaving' is neither up, drain nor down");
  check_mistake(service + "backend = [\"10.0.0.1:81\"]", "f:3:12: backend 10.0.0.1:81 of service");
  const std::string second = "second-chance = true\n";
  check_mistake(
      service + second + "forward = \"nat\"\nbackend = [\"10.0.0.1\"]",
      "f:1:1: service 192.0.2.10:80/tcp has second chances, which mode nat can't give; set");
  check_mistake(service + second + "forward = \"fullnat\"\npool = \"10.0.0.9\"\n",
                "f:1:1: service 192.0.2.10:80/tcp has second chances, which mode fullnat can't");
  check_mistake(service + second + "backend = [{ address = \"10.0.0.1\", forward = \"nat\" }]",
                "f:4:12: service 192.0.2.10:80/tcp has second chances, which mode nat can't give");
  const std::string nat = "forward = \"nat\"\nbackend = [\"10.0.0.1\"]\n";
  check_mistake(service + nat + other + nat,
                "f:8:12: backend 10.0.0.1 is one of service 192.0.2.10:80/tcp already");
  const std::string pool = "pool = \"192.0.2.10-192.0.2.12\"\n";
  check_mistake(other + "pool = \"192.0.2.10\"\n" + service,
                "f:1:1: pool 192.0.2.10 has the VIP of");
  check_mistake(service + pool, "f:1:1: pool 192.0.2.10-192.0.2.12 has the service's own VIP");
  const std::string fragments = "fragments = \"hash3\"\n";
  check_mistake(service + fragments + "[[service]]\naddress = \"192.0.2.10:81/tcp\"\n" + fragments,
                "f:1:1: service 192.0.2.10:81/tcp has the VIP's fragments already");
}

BOOST_AUTO_TEST_CASE(all_mistakes_at_once_in_their_order) {
  const auto mistakes =
      lines_of(service + "foward = \"l2\"\nepoch = 0\nbackend = [\"10.0.0.1.1\", 3]\narena = 1\n" +
               "[defaults]\nstate = 2\n");
  BOOST_TEST(mistakes.size() == 6U);
  const std::vector<std::string> starts{"f:3:", "f:4:", "f:5:12:", "f:5:26:", "f:6:", "f:8:"};
  for (std::size_t i = 0; i < std::min(mistakes.size(), starts.size()); i++)
    BOOST_TEST(mistakes[i].starts_with(starts[i]), mistakes[i]);
}

// What is wrong in a value and what is wrong as a whole; nothing is told twice.
BOOST_AUTO_TEST_CASE(mistakes_of_all_kinds_at_once) {
  const std::string twice = "[[interface]]\nname = \"a\"\n[[interface]]\nname = \"a\"\n";
  const auto mistakes = lines_of("arena = 1\n" + twice + service + "epoch = 0\n" + other +
                                 "backend = [\"192.0.2.11\"]\n");
  BOOST_TEST_REQUIRE(mistakes.size() == 4U);
  const std::vector<std::string> starts{"f:1:9:", "f:4:1:", "f:8:9:", "f:11:12:"};
  for (std::size_t i = 0; i < starts.size(); i++)
    BOOST_TEST(mistakes[i].starts_with(starts[i]), mistakes[i]);
  // Without these defaults the backend's port would be a mistake.
  check_mistake("[defaults]\nforward = \"na\"\n" + service + "backend = [\"10.0.0.1:81\"]",
                "f:2:11: forward 'na'");
  check_mistake("[[interface]]\nname = 1\n[[interface]]\nname = \"a\"", "f:2:8: name is not");
}

BOOST_AUTO_TEST_CASE(more_than_there_is_room_for) {
  const auto services = [](int count, const std::string& rest) {
    std::string text;
    for (int i = 0; i < count; i++)
      text += "[[service]]\naddress = \"198.18." + std::to_string(i / 250) + "." +
              std::to_string(1 + i % 250) + ":80/tcp\"\n" + rest;
    return text;
  };
  BOOST_TEST(lines_of(services(LB_SERVICES, "")).empty());
  check_mistake(services(LB_SERVICES + 1, ""), "f:8193:1: more than 4096 services");
  check_mistake("arena = \"64K\"\n" + services(1, ""), "f:2:1: service 198.18.0.1:80/tcp needs 16");
  check_mistake("arena = \"64K\"\n" + services(40, "slots = 256\n"), "f:");
  BOOST_TEST(lines_of("arena = \"64K\"\n" + services(10, "slots = 256\n")).empty());
  std::string backends;
  for (unsigned i = 0; i <= max_table_backends; i++)
    backends += "\"10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
                std::to_string(i & 255) + "\",\n";
  check_mistake(service + "backend = [" + backends + "]", "f:65537:1: more than 65534 backends");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
