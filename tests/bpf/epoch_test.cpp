// SPDX-License-Identifier: GPL-2.0-only
// A slot that has changed: which packets follow what is remembered of their flow, and which make it
// remembered.
#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>

#include "plugin/map.h"
#include "tests/bpf/epoch_rig.h"
#include "tests/bpf/expect.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(epoch)

namespace {

const auto tcp = ServiceId::parse("192.0.2.10:80/tcp");
const auto udp = ServiceId::parse("192.0.2.10:80/udp");
constexpr std::uint32_t half = 600;

bool is_confirmed(std::uint64_t entry) { return (entry & LB_EXCEPTION_CONFIRMED) != 0; }

}  // namespace

BOOST_AUTO_TEST_CASE(flows_of_clean_slots_are_not_remembered) {
  Changed rig(tcp);
  for (const auto& flow : rig.all) {
    const auto slot = rig.slot(flow);
    if (slot.current != slot.previous) continue;
    for (const auto kind : {Kind::syn, Kind::data, Kind::error})
      BOOST_TEST(rig.send(flow, kind) == 1);
  }
  BOOST_TEST(rig.entries().empty());
  BOOST_TEST((rig.moved.size() > 1000U && rig.moved.size() < 3000U));
}

BOOST_AUTO_TEST_CASE(until_the_deadline_only_new_connections_move) {
  Changed rig(tcp);
  const auto& known = rig.moved.at(0);
  const auto& fresh = rig.moved.at(1);
  BOOST_TEST(rig.send(known, Kind::data) == 1);
  BOOST_TEST(!is_confirmed(rig.entry_of(known)));
  BOOST_TEST(rig.send(known, Kind::data) == 1);
  BOOST_TEST(is_confirmed(rig.entry_of(known)));
  BOOST_TEST(rig.send(fresh, Kind::syn) == 2);
  BOOST_TEST(rig.send(fresh, Kind::error) == 2);
  BOOST_TEST(!is_confirmed(rig.entry_of(fresh)));
  BOOST_TEST(rig.send(fresh, Kind::data) == 2);
  BOOST_TEST(is_confirmed(rig.entry_of(fresh)));
  BOOST_TEST(rig.entries().size() == 2U);
}

// Two CPUs that get the packets of one connection both move its entry.
BOOST_AUTO_TEST_CASE(a_flow_has_one_entry) {
  Changed rig(tcp);
  const auto& flow = rig.moved.at(0);
  rig.send(flow, Kind::syn);
  const auto entries = rig.all_entries();
  const auto used = std::ranges::find_if(entries, [](auto entry) { return entry != 0; });
  const auto at = static_cast<std::size_t>(used - entries.begin());
  BOOST_TEST_REQUIRE(at % LB_EXCEPTION_WAYS >= LB_EXCEPTION_SYN);
  entries[at / LB_EXCEPTION_WAYS * LB_EXCEPTION_WAYS + 3] = *used;
  BOOST_TEST(rig.send(flow, Kind::data) == 2);
  BOOST_TEST(rig.entries().size() == 1U);
  BOOST_TEST(is_confirmed(rig.entry_of(flow)));
}

BOOST_AUTO_TEST_CASE(after_the_deadline_those_that_were_seen_stay) {
  Changed rig(tcp);
  const auto& known = rig.moved.at(0);
  const auto& unseen = rig.moved.at(1);
  rig.send(known, Kind::data);
  rig.age(half);
  rig.send(known, Kind::data);
  rig.age(half);
  BOOST_TEST(rig.send(known, Kind::data) == 1);
  BOOST_TEST(rig.send(unseen, Kind::data) == 2);
  BOOST_TEST(rig.send(rig.moved.at(2), Kind::syn) == 2);
  BOOST_TEST(rig.entries().size() == 1U);
}

// A SYN asks for a new connection: but anyone can send one that looks like a flow's.
BOOST_AUTO_TEST_CASE(a_syn_moves_no_live_flow) {
  Changed rig(tcp);
  const auto& flow = rig.moved.at(0);
  const auto syn = packet_of(tcp, flow, Kind::syn);
  for (int i = 0; i < 2; i++) rig.send(flow, Kind::data);
  rig.age(half);
  BOOST_TEST(rig.send(flow, Kind::syn) == 1);
  BOOST_TEST(is_confirmed(rig.entry_of(flow)));
  rig.state().set_backend(tcp, backend_id(1), to(BackendState::drain));
  rig.send(flow, Kind::data);
  check(rig, {"of a live flow", syn, drops(LB_LIMITED, tcp.to_string())});
  BOOST_TEST(rig.send(flow, Kind::data) == 1);
  rig.age(LB_EXCEPTION_SILENT + 1);
  BOOST_TEST(rig.send(flow, Kind::syn) == 2);
  BOOST_TEST(rig.send(flow, Kind::data) == 2);
  BOOST_TEST(rig.entries().size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_unseen_for_an_epoch_is_forgotten) {
  Changed rig(tcp);
  const auto& flow = rig.moved.at(0);
  rig.send(flow, Kind::data);
  rig.send(flow, Kind::data);
  rig.age(half);
  for (const auto kind : {Kind::error, Kind::reset}) BOOST_TEST(rig.send(flow, kind) == 1);
  rig.age(half);  // nothing of these counts
  BOOST_TEST(rig.send(flow, Kind::data) == 2);
}

BOOST_AUTO_TEST_CASE(resets_and_errors_are_not_remembered) {
  Changed rig(tcp);
  BOOST_TEST(rig.send(rig.moved.at(0), Kind::reset) == 1);
  BOOST_TEST(rig.send(rig.moved.at(1), Kind::error) == 1);
  BOOST_TEST(rig.entries().empty());
}

BOOST_AUTO_TEST_CASE(datagrams_stay_until_the_deadline) {
  Changed rig(udp);
  const auto& flow = rig.moved.at(0);
  BOOST_TEST(rig.send(flow, Kind::data) == 1);
  BOOST_TEST(rig.entries().size() == 1U);
  rig.age(half);
  BOOST_TEST(rig.send(flow, Kind::data) == 1);
  rig.age(half);
  BOOST_TEST(rig.send(flow, Kind::data) == 1);
  BOOST_TEST(rig.send(rig.moved.at(1), Kind::data) == 2);
}

BOOST_AUTO_TEST_CASE(all_fragments_of_a_source_go_one_way) {
  ServiceChange options;
  options.fragments = Fragments::hash3;
  Changed rig(udp, options);
  const auto& flow = rig.all.at(0);
  const PacketSpec first{.from = flow.from, .to = udp.vip, .proto = proto_udp, .more = true};
  const PacketSpec later{.from = flow.from, .to = udp.vip, .proto = proto_udp, .offset = 100};
  const auto before = rig.send(first);
  BOOST_TEST(rig.entries().empty());
  BOOST_TEST(rig.send(later) == before);
  BOOST_TEST(rig.send(flow, Kind::data) == before);
  rig.age(2 * half);
  BOOST_TEST(rig.send(later) == rig.send(first));
}

// The table follows from the source, what is remembered from the whole flow.
BOOST_AUTO_TEST_CASE(flows_of_a_source_with_affinity_are_each_remembered) {
  ServiceChange options;
  options.source_prefix = 24;
  EpochRig rig;
  rig.add_epoch_service(tcp, options);
  rig.add_backend(tcp.to_string(), "10.0.0.1", 1);
  const EpochModel::Flow one{ip("198.51.100.7"), 1000};
  const EpochModel::Flow other{ip("198.51.100.8"), 1000};
  BOOST_TEST(rig.send(tcp, one, Kind::data) == 1);
  rig.add_backend(tcp.to_string(), "10.0.0.2", 2);
  rig.state().set_backend(tcp, backend_id(1), to(BackendState::drain));
  BOOST_TEST(rig.send(tcp, other, Kind::syn) == 2);
  BOOST_TEST(rig.send(tcp, one, Kind::data) == 1);
  BOOST_TEST(rig.send(tcp, other, Kind::data) == 2);
  BOOST_TEST(rig.entries().size() == 2U);
  // Once they are over, so is the slot.
  rig.age(2 * half);
  rig.state().settle();
  BOOST_TEST(rig.changed_slots(tcp) == 0U);
  BOOST_TEST(rig.send(tcp, one, Kind::data) == 2);
}

BOOST_AUTO_TEST_CASE(all_flows_are_remembered_on_demand) {
  ServiceChange options;
  options.remember = Remember::always;
  Changed rig(udp, options);
  BOOST_TEST(rig.entries().size() > rig.all.size() * 9 / 10);
  for (const auto& flow : rig.all) BOOST_TEST(rig.send(flow, Kind::data) == 1);
  rig.age(2 * half);
  for (const auto& flow : rig.moved) BOOST_TEST(rig.send(flow, Kind::data) == 2);
}

BOOST_AUTO_TEST_CASE(nothing_is_remembered_on_demand) {
  ServiceChange options;
  options.remember = Remember::none;
  EpochRig rig;
  rig.add_epoch_service(tcp, options);
  rig.add_backend(tcp.to_string(), "10.0.0.1", 1);
  rig.send(tcp, {ip("198.51.100.7"), 1}, Kind::data);
  rig.add_backend(tcp.to_string(), "10.0.0.2", 2);
  BOOST_TEST(rig.changed_slots(tcp) == 0U);
}

// As many as there is room for: those that are confirmed stay, whatever comes.
BOOST_AUTO_TEST_CASE(new_flows_do_not_displace_confirmed_ones) {
  Changed rig(tcp);
  const auto crowd = rig.crowd(40);
  BOOST_REQUIRE(crowd.size() == 40U);
  const auto confirmed = std::span(crowd).first(5);
  const auto& seen = crowd[5];
  const auto rest = std::span(crowd).subspan(6);
  for (const auto& flow : confirmed)
    for (const auto kind : {Kind::syn, Kind::data}) BOOST_TEST(rig.send(flow, kind) == 2);
  BOOST_TEST(rig.send(seen, Kind::data) == 1);
  for (const auto& flow : rest) BOOST_TEST(rig.send(flow, Kind::syn) == 2);
  for (const auto& flow : confirmed) BOOST_TEST(rig.send(flow, Kind::data) == 2);
  BOOST_TEST(rig.entries().size() == LB_EXCEPTION_WAYS);
  BOOST_TEST(lb_exception_handle(rig.entry_of(seen)) == rig.slot(seen).previous);
  rig.send(seen, Kind::data);
  // Two more that are confirmed find no room among the young, but what comes doesn't move them.
  const std::array last{rest[1], rest.back()};  // the oldest of those that are young yields
  for (const auto& flow : last)
    for (int i = 0; i < 2; i++) BOOST_TEST(rig.send(flow, Kind::data) == 2);
  for (const auto& flow : confirmed) BOOST_TEST(rig.send(flow, Kind::data) == 2);
  // What isn't remembered stays where it would be looked for.
  BOOST_TEST(rig.send(rest[0], Kind::syn) == 1);
  rig.state().set_backend(tcp, backend_id(1), to(BackendState::drain));
  const auto syn = packet_of(tcp, rest[0], Kind::syn);
  check(rig, {"no room", syn, drops(LB_LIMITED, tcp.to_string())});
  for (const auto& flow : last) BOOST_TEST(rig.send(flow, Kind::data) == 2);
  // One that was unseen for long goes.
  rig.age(half);
  for (const auto& flow : confirmed.subspan(1)) rig.send(flow, Kind::data);
  rig.send(seen, Kind::data);
  rig.send(last[0], Kind::data);
  rig.send(last[1], Kind::data);
  for (const auto& flow : confirmed.subspan(1)) BOOST_TEST(rig.send(flow, Kind::data) == 2);
  BOOST_TEST(rig.entry_of(confirmed[0]) == 0U);
  BOOST_TEST(rig.send(confirmed[0], Kind::data) == 1);  // until the deadline, as of old
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
