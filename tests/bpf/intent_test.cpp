// SPDX-License-Identifier: GPL-2.0-only
// Changes that were only begun: the words of bpf/abi.h that say what shall be, and nothing done
// about them. The next change of anything finishes them, to the same end as an undisturbed one.
#include <arpa/inet.h>
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>

#include "plugin/cluster_key.h"
#include "plugin/map.h"
#include "tests/bpf/expect.h"
#include "tests/bpf/model.h"
#include "tests/bpf/picture.h"

namespace xdplb::test {

namespace {

const auto quiet = ServiceId::parse("192.0.2.10:80/tcp");
const auto busy = ServiceId::parse("192.0.2.11:0/tcp");
const auto fresh = ServiceId::parse("[2001:db8::12]:80/udp");
const auto sixth = BackendId::parse("10.0.0.6");

struct Rig : Balancer {
  Rig() {
    make(*this, {quiet, min_slots, Balance::slack, {{"10.0.0.1", 1}, {"10.0.0.2", 2}}});
    make(*this, {busy, 512, Balance::off, {{"10.0.0.4", 4}, {"10.0.0.5", 5, 2}, {"10.0.0.6", 6}}});
  }

  lb_service& service(const ServiceId& id) { return pins().services()[state().service(id).number]; }

  lb_backend& backend(const ServiceId& id, const BackendId& wanted) {
    return pins().backends()[state().find_backend(state().service(id), wanted)->handle];
  }

  void set(lb_service& record, const std::function<void(lb_service_conf&)>& change) {
    auto conf = load(record.conf);
    change(conf);
    store(record.conf, conf);
  }

  void set(lb_backend& record, const std::function<void(lb_backend_conf&)>& change) {
    auto conf = load(record.conf);
    change(conf);
    store(record.conf, conf);
  }
};

struct Intent {
  std::string name;
  std::function<void(Rig&)> begin;   // writes the words
  std::function<void(State&)> same;  // the whole change
};

void make_stale(Rig& rig) {
  rig.set(rig.service(busy), [](auto& conf) { conf.table_stale = 1; });
}

// A record that a new service will have, but for its state.
lb_service& prepare_service(Rig& rig) {
  auto& record = *std::ranges::find_if(rig.pins().services(), [](const auto& candidate) {
    return load(candidate.conf).state == LB_SERVICE_FREE;
  });
  const auto keys = derive_flow_keys(test_key, fresh.vip.bytes(), 80, proto_udp);
  record.table = {0, 8, 0, 0, 0};
  std::ranges::copy(keys.k, record.key);
  record.table_seed = keys.table_seed;
  std::ranges::copy(fresh.vip.bytes(), record.addr);
  return record;
}

void begin_service(Rig& rig) {
  auto& record = prepare_service(rig);
  store(rig.pins().meta().index_stale, 1U);
  store(record.conf, lb_service_conf{LB_SERVICE_LIVE, LB_FORWARD_L2, LB_BALANCE_SLACK, 1, htons(80),
                                     proto_udp, LB_IPV6});
}

void begin_removal(Rig& rig) {
  make_stale(rig);
  rig.set(rig.backend(busy, sixth), [](auto& conf) { conf.state = LB_BACKEND_REMOVED; });
}

void begin_drain(Rig& rig) {
  make_stale(rig);
  rig.set(rig.backend(busy, sixth), [](auto& conf) { conf.state = LB_BACKEND_DRAIN; });
}

const std::vector<Intent> intents{
    {"stale table alone", make_stale, [](State&) {}},
    {"stale index alone", [](Rig& rig) { store(rig.pins().meta().index_stale, 1U); },
     [](State&) {}},
    {"slots overwritten",
     [](Rig& rig) {
       make_stale(rig);
       const auto line = rig.service(busy).table.line;
       for (auto& slot :
            rig.pins().arena().as<lb_slot>().subspan(line * LB_LINE / sizeof(lb_slot), 100))
         store(slot, lb_slot{0, 0});
     },
     [](State&) {}},
    {"service live", begin_service,
     [](State& s) {
       s.add_service(fresh, {{}, {}, min_slots});
     }},
    {"service removed",
     [](Rig& rig) {
       rig.set(rig.service(busy), [](auto& conf) { conf.state = LB_SERVICE_REMOVED; });
     },
     [](State& s) { s.delete_service(busy); }},
    {"balance",
     [](Rig& rig) {
       rig.set(rig.service(busy), [](auto& conf) {
         conf.balance = LB_BALANCE_EXACT;
         conf.table_stale = 1;
       });
     },
     [](State& s) {
       s.set_service(busy, {{}, Balance::exact, {}});
     }},
    {"backend removed", begin_removal,
     [](State& s) { s.delete_backend(busy, sixth, Removal::now); }},
    {"backend drains", begin_drain,
     [](State& s) {
       s.set_backend(busy, sixth, {0, {}});
     }},
    {"weight",
     [](Rig& rig) {
       make_stale(rig);
       rig.set(rig.backend(busy, sixth), [](auto& conf) { conf.weight = 9; });
     },
     [](State& s) {
       s.set_backend(busy, sixth, {9, {}});
     }},
    {"a backend and a service removed",
     [](Rig& rig) {
       begin_removal(rig);
       rig.set(rig.service(quiet), [](auto& conf) { conf.state = LB_SERVICE_REMOVED; });
     },
     [](State& s) {
       s.delete_backend(busy, sixth, Removal::now);
       s.delete_service(quiet);
     }},
    {"a service comes, another goes",
     [](Rig& rig) {
       begin_service(rig);
       rig.set(rig.service(busy), [](auto& conf) { conf.state = LB_SERVICE_REMOVED; });
     },
     [](State& s) {
       s.add_service(fresh, {{}, {}, min_slots});
       s.delete_service(busy);
     }},
};

const ServiceId other = ServiceId::parse("192.0.2.77:77/udp");

}  // namespace

BOOST_AUTO_TEST_SUITE(intent)

BOOST_AUTO_TEST_CASE(is_finished_by_the_next_change) {
  Rig rig;
  const Picture start(rig);
  const std::vector<std::function<void(State&)>> finishers{
      [](State& s) { s.settle(); },
      [](State& s) {
        s.add_service(other, {{}, {}, min_slots});
      },
      [](State& s) { BOOST_CHECK_THROW(s.delete_service(other), std::exception); },
  };
  for (const auto& intent : intents)
    for (std::size_t i = 0; i < finishers.size(); i++)
      BOOST_TEST_CONTEXT(intent.name << ", finisher " << i) {
        start.put_back(rig);
        intent.same(rig.state());
        if (i == 1) finishers[i](rig.state());
        const auto right = meaning(rig);
        start.put_back(rig);
        intent.begin(rig);
        finishers[i](rig.state());
        BOOST_TEST(meaning(rig) == right);
      }
}

// Slots of a table that is stale are still the old ones, every one of them a backend's.
BOOST_AUTO_TEST_CASE(changes_no_packet_yet) {
  Rig rig;
  const Picture start(rig);
  const auto frame = build({.to = busy.vip, .dport = 4242});
  const auto right = rig.run(frame);
  BOOST_TEST(right.verdict == XDP_TX);
  for (const auto& intent : intents) {
    if (intent.name == "slots overwritten") continue;
    BOOST_TEST_CONTEXT(intent.name) {
      start.put_back(rig);
      intent.begin(rig);
      const auto run = rig.run(frame);
      BOOST_TEST(run.verdict == right.verdict);
      BOOST_TEST(run.out == right.out, boost::test_tools::per_element());
    }
  }
}

// Handles and numbers are used again; what the former holders forwarded stays in the sums.
BOOST_AUTO_TEST_CASE(sums_outlive_backends_and_services) {
  Rig rig;
  const auto forwarded = [&] { return rig.state().forwarded_by_family()[LB_IPV4]; };
  const auto to_busy = [&] {
    const auto number = rig.state().service(busy).number;
    const auto packets = rig.state().forwarded(number)[number].packets;
    BOOST_TEST(rig.state().forwarded({})[number].packets == packets);
    return packets;
  };
  const auto send = [&](const ServiceId& id) {
    const auto frame = build({.to = id.vip, .dport = 80});
    const auto run = rig.run(frame);
    BOOST_TEST(run.verdict == XDP_TX);
    return frame.size();
  };
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  const auto check_sums = [&] {
    BOOST_TEST(forwarded().packets == packets);
    BOOST_TEST(forwarded().bytes == bytes);
  };
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 20; i++, packets += 2) bytes += send(quiet) + send(busy);
    check_sums();
    const auto of_busy = to_busy();
    const auto handle = rig.state().find_backend(rig.state().service(busy), sixth)->handle;
    rig.state().delete_backend(busy, sixth, Removal::now);
    check_sums();
    BOOST_TEST(to_busy() == of_busy);
    rig.add_backend(busy.to_string(), "10.0.0.6", 6);
    BOOST_TEST(rig.state().find_backend(rig.state().service(busy), sixth)->handle == handle);
    check_sums();
    const auto number = rig.state().service(busy).number;
    rig.state().delete_service(busy);
    check_sums();
    make(rig, {busy, 512, Balance::off, {{"10.0.0.4", 4}, {"10.0.0.5", 5, 2}, {"10.0.0.6", 6}}});
    BOOST_TEST(rig.state().service(busy).number == number);
    BOOST_TEST(to_busy() == 0U);
    check_sums();
  }
}

// A new service starts from zero where a removed one counted reasons before.
BOOST_AUTO_TEST_CASE(reasons_go_with_their_service) {
  Rig rig;
  check(rig, {"counted", {.to = busy.vip, .ttl = 1}, drops(LB_TTL_EXPIRED, busy.to_string())});
  rig.state().delete_service(busy);
  rig.add_service(fresh.to_string());
  check(rig,
        {"anew", {.to = fresh.vip, .proto = proto_udp}, drops(LB_NO_BACKEND, fresh.to_string())});
  const auto reasons = Counters(rig.pins()).of_service(rig.state().service(fresh).number);
  BOOST_TEST(reasons[LB_TTL_EXPIRED].packets == 0U);
  BOOST_TEST(reasons[LB_NO_BACKEND].packets == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
