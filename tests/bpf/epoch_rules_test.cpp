// SPDX-License-Identifier: GPL-2.0-only
// Services and backends that go, come back or are the last while slots have changed.
#include <linux/bpf.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "plugin/error.h"
#include "plugin/map.h"
#include "tests/bpf/epoch_rig.h"
#include "tests/bpf/expect.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(epoch_rules)

namespace {

namespace data = boost::unit_test::data;

const auto tcp = ServiceId::parse("192.0.2.10:80/tcp");
const auto udp = ServiceId::parse("192.0.2.10:80/udp");
constexpr std::uint32_t half = 600;

}  // namespace

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

// What is being deleted takes no order, but can be added again.
BOOST_DATA_TEST_CASE(a_leaving_backend_comes_back_by_being_added, data::make({"l2", "nat"}), mode) {
  ServiceChange options;
  options.forward = parse_forward(mode);
  Changed rig(tcp, options);
  const auto refused = [](const char* why) {
    return [why](const Error& error) {
      return std::string(error.what()).find(why) != std::string::npos;
    };
  };
  rig.state().delete_backend(tcp, backend_id(1), Removal::drained);
  BackendChange weight;
  weight.weight = 3;
  for (const auto& change : {to(BackendState::up), to(BackendState::drain), weight})
    BOOST_CHECK_EXCEPTION(rig.state().set_backend(tcp, backend_id(1), change), Error,
                          refused("being deleted"));
  rig.add_backend(tcp.to_string(), "10.0.0.1", 1);
  BOOST_TEST(rig.send(rig.moved.at(0), Kind::data) == 1);
  rig.state().set_backend(tcp, backend_id(1), to(BackendState::down));
  weight.weight = 0;
  BOOST_CHECK_EXCEPTION(rig.state().set_backend(tcp, backend_id(1), weight), Error,
                        refused("is down"));
}

// The last one that is left gets new flows until it is being deleted; it goes then.
BOOST_AUTO_TEST_CASE(the_last_resort_is_told_and_ends) {
  ServiceChange options;
  options.last_resort = LastResort::all;
  EpochRig rig;
  rig.add_epoch_service(tcp, options);
  rig.add_backend(tcp.to_string(), "10.0.0.1", 1);
  const auto left = [&] {
    const auto backend = rig.state().find_backend(rig.state().service(tcp), backend_id(1));
    return rig.state().epochs().backends.at(backend.value().handle);
  };
  const EpochModel::Flow flow{ip("198.51.100.7"), 1000};
  BOOST_TEST(rig.send(tcp, flow, Kind::data) == 1);
  BOOST_TEST(left().none());
  rig.state().set_backend(tcp, backend_id(1), to(BackendState::drain));
  BOOST_TEST(rig.send(tcp, flow, Kind::syn) == 1);
  BOOST_TEST(left().last_resort);
  BOOST_TEST(!left().none());
  rig.state().delete_backend(tcp, backend_id(1), Removal::drained);
  BOOST_TEST(rig.send(tcp, flow, Kind::syn) == 0);
  rig.age(2 * half);
  rig.state().settle();
  BOOST_TEST(rig.state().backends(0).empty());
}

BOOST_AUTO_TEST_CASE(last_resorts) {
  const auto service = tcp.to_string();
  Changed rig(tcp);
  for (const std::uint16_t number : {1, 2})
    rig.state().set_backend(tcp, backend_id(number), to(BackendState::drain));
  const auto& flow = rig.moved.at(0);
  const auto syn = packet_of(tcp, flow, Kind::syn);
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
