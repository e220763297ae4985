// SPDX-License-Identifier: GPL-2.0-only
// The configuration file: what it says, and the way back to text.
#include "plugin/config.h"

#include <boost/test/unit_test.hpp>

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
  config.interfaces->at(0).name = "a\"\\\x01_b";
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

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
