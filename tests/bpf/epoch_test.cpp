// SPDX-License-Identifier: GPL-2.0-only
// A slot that has changed: which packets follow what is remembered of their flow, and which make it
// remembered.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "plugin/map.h"
#include "tests/bpf/epoch_rig.h"
#include "tests/bpf/expect.h"

namespace xdplb::test {

namespace {

const auto tcp = ServiceId::parse("192.0.2.10:80/tcp");
const auto udp = ServiceId::parse("192.0.2.10:80/udp");
constexpr std::uint32_t half = 600;

// One slot {2, 1} in phase 1, and flows of it.
struct Changed : EpochRig {
  explicit Changed(const ServiceId& service, const ServiceChange& options = {}) : id(service) {
    add_epoch_service(id, options);
    add_backend(id.to_string(), "10.0.0.1", 1);
    for (std::uint16_t i = 0; i < 4000; i++) {
      const EpochModel::Flow flow{ip("198.51.100.7"), static_cast<std::uint16_t>(1024 + i)};
      if (send(id, flow, Kind::data) == 1) all.push_back(flow);
    }
    add_backend(id.to_string(), "10.0.0.2", 2);
    std::ranges::copy_if(all, std::back_inserter(moved), [&](const auto& flow) {
      return slot(flow).current != slot(flow).previous;
    });
  }

  lb_slot slot(const EpochModel::Flow& flow) {
    const ModelService model{id, min_slots, Balance::off};
    return slots(id)[model.slot_of(flow.from, flow.sport, id.port)];
  }

  std::uint16_t send(const EpochModel::Flow& flow, Kind kind) {
    return EpochRig::send(id, flow, kind);
  }
  using EpochRig::send;

  std::uint64_t entry_of(const EpochModel::Flow& flow) {
    const ModelService model{id, min_slots, Balance::off};
    const auto hash = static_cast<std::uint32_t>(model.hash_of(flow.from, flow.sport, id.port));
    for (const auto entry : entries())
      if (static_cast<std::uint32_t>(entry) == hash) return entry;
    return 0;
  }

  ServiceId id;
  std::vector<EpochModel::Flow> all;
  std::vector<EpochModel::Flow> moved;  // whose slot has changed
};

bool is_confirmed(std::uint64_t entry) { return (entry & LB_EXCEPTION_CONFIRMED) != 0; }

}  // namespace

BOOST_AUTO_TEST_SUITE(epoch)

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
  // A SYN asks for a new connection.
  BOOST_TEST(rig.send(known, Kind::syn) == 2);
  BOOST_TEST(rig.send(known, Kind::data) == 2);
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
  const ModelService model{tcp, min_slots, Balance::off};
  const auto sets = rig.all_entries().size() / LB_EXCEPTION_WAYS;
  const auto set_of = [&](const EpochModel::Flow& flow) {
    return model.hash_of(flow.from, flow.sport, tcp.port) >> 32 & (sets - 1);
  };
  std::vector<EpochModel::Flow> crowd;
  for (std::uint32_t i = 0; crowd.size() < 40 && i < 40U * 65536 * 16; i++) {
    auto bytes = ip("198.0.0.0").bytes();
    bytes[13] = static_cast<std::uint8_t>(i >> 24);
    bytes[14] = static_cast<std::uint8_t>(i >> 16);
    bytes[15] = static_cast<std::uint8_t>(i >> 20);
    const EpochModel::Flow flow{Address(bytes), static_cast<std::uint16_t>(i)};
    if (set_of(flow) != 77) continue;
    const auto slot = rig.slot(flow);
    if (slot.current != slot.previous) crowd.push_back(flow);
  }
  BOOST_REQUIRE(crowd.size() == 40U);
  const std::span all(crowd);
  const auto confirmed = all.first(6);
  for (const auto& flow : confirmed)
    for (const auto kind : {Kind::syn, Kind::data}) BOOST_TEST(rig.send(flow, kind) == 2);
  for (const auto& flow : all.subspan(6)) BOOST_TEST(rig.send(flow, Kind::syn) == 2);
  for (const auto& flow : confirmed) BOOST_TEST(rig.send(flow, Kind::data) == 2);
  BOOST_TEST(rig.entries().size() == LB_EXCEPTION_WAYS);
  // A seventh that is confirmed finds no room among the young, and one that was unseen goes.
  for (const auto kind : {Kind::data, Kind::data}) BOOST_TEST(rig.send(crowd.back(), kind) == 2);
  for (const auto& flow : confirmed) BOOST_TEST(rig.send(flow, Kind::data) == 2);
  rig.age(half);
  for (const auto& flow : confirmed.subspan(1)) rig.send(flow, Kind::data);
  rig.send(crowd.back(), Kind::data);
  for (const auto& flow : confirmed.subspan(1)) BOOST_TEST(rig.send(flow, Kind::data) == 2);
  BOOST_TEST(rig.send(confirmed[0], Kind::data) == 1);  // forgotten: until the deadline, as of old
}

// An entry that another service's flow left under the same number means nothing here.
BOOST_AUTO_TEST_CASE(entries_of_other_services_are_not_followed) {
  Changed rig(tcp);
  rig.add_epoch_service(udp);
  rig.add_backend(udp.to_string(), "10.0.0.9", 9);
  const auto& flow = rig.moved.at(0);
  rig.send(flow, Kind::data);
  const auto foreign = rig.state().find_backend(rig.state().service(udp), backend_id(9));
  for (auto& entry : rig.all_entries())
    if (entry != 0)
      entry = (entry & ~(std::uint64_t{0xffff} << 32)) | std::uint64_t{foreign->handle} << 32;
  BOOST_TEST(rig.send(flow, Kind::data) == 1);
}

// A service that goes takes its epoch with it: what is at the start of the arena is no slot of it.
BOOST_AUTO_TEST_CASE(a_service_is_deleted_within_its_epoch) {
  Changed rig(tcp);
  rig.add_epoch_service(udp);
  rig.add_backend(udp.to_string(), "10.0.0.9", 9);
  const EpochModel::Flow flow{ip("198.51.100.9"), 5};
  rig.state().delete_service(tcp);
  for (const auto& service : rig.pins().services()) BOOST_TEST(service.epoch_open == 0);
  const auto index = load(rig.pins().arena().as<lb_arena_head>()[0].index);
  // So did a release that died between two stores, on a host that runs for long.
  rig.pins().services()[7].epoch_open = 1;
  auto& deadline = rig.pins().arena().as<std::uint32_t>()[1];
  const auto kept = deadline;
  deadline = epoch_seconds() - 100;
  rig.state().settle();
  BOOST_TEST(rig.pins().arena().as<std::uint32_t>()[0] == index.line);
  deadline = kept;
  BOOST_TEST(rig.EpochRig::send(udp, flow, Kind::data) == 9);
}

BOOST_AUTO_TEST_CASE(last_resorts) {
  const auto service = tcp.to_string();
  Changed rig(tcp);
  for (const std::uint16_t number : {1, 2})
    rig.state().set_backend(tcp, backend_id(number), to(BackendState::drain));
  const auto& flow = rig.moved.at(0);
  const PacketSpec syn{.from = flow.from, .to = tcp.vip, .sport = flow.sport, .flags = 2};
  const auto with = [&](LastResort resort) {
    ServiceChange change;
    change.last_resort = resort;
    rig.state().set_service(tcp, change);
  };
  BOOST_TEST(rig.send(flow, Kind::data) == 1);
  check(rig, {"drop", syn, drops(LB_NO_BACKEND, service)});
  with(LastResort::pass);
  check(rig, {"pass", syn, passes(LB_NO_BACKEND_PASSED, service)});
  with(LastResort::all);
  check(rig,
        {"all", syn,
         transmits(service, rig.slot(flow).current == rig.slot(flow).previous ? std::uint16_t{1}
                                                                              : std::uint16_t{2})});
  BOOST_TEST(rig.send(flow, Kind::data) != 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
