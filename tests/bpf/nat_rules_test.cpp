// SPDX-License-Identifier: GPL-2.0-only
// What modes nat and fullnat can't have is refused, with a sentence, and changes nothing.
#include <boost/test/unit_test.hpp>
#include <functional>

#include "plugin/error.h"
#include "tests/bpf/expect.h"
#include "tests/bpf/picture.h"

namespace xdplb::test {

namespace {

const ServiceId web = ServiceId::parse("192.0.2.10:80/tcp");
const ServiceId other = ServiceId::parse("192.0.2.11:80/tcp");
const ServiceId every_port = ServiceId::parse("192.0.2.12:0/tcp");

ServiceChange mode(Forward forward) {
  ServiceChange change;
  change.forward = forward;
  change.slots = min_slots;
  return change;
}

ServiceChange with_pool(const char* pool) {
  auto change = mode(Forward::fullnat);
  change.pool = Pool::parse(pool);
  return change;
}

BackendChange of_mode(Forward forward) {
  BackendChange change;
  change.forward = forward;
  return change;
}

void check_refused(Balancer& balancer, const std::string& message,
                   const std::function<void(State&)>& change) {
  BOOST_TEST_CONTEXT(message) {
    const Picture before(balancer);
    try {
      change(balancer.state());
      BOOST_ERROR("was accepted");
    } catch (const Error& error) {
      const std::string what = error.what();
      BOOST_TEST(what.find(message) != std::string::npos, "it says: " << what);
      BOOST_TEST(!error.hint().empty());
    }
    BOOST_TEST((Picture(balancer) == before));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nat_rules)

BOOST_AUTO_TEST_CASE(backends) {
  Balancer balancer;
  auto& state = balancer.state();
  state.add_service(web, mode(Forward::nat));
  state.add_service(other, mode(Forward::nat));
  state.add_service(every_port, mode(Forward::l2));
  state.add_backend(web, BackendId::parse("10.0.0.1:8080"), {});
  check_refused(balancer, "is of the other family, which mode nat can't reach",
                [](State& s) { s.add_backend(web, BackendId::parse("[2001:db8::1]:80"), {}); });
  check_refused(balancer, "is one of service 192.0.2.10:80/tcp already",
                [](State& s) { s.add_backend(other, BackendId::parse("10.0.0.1:8080"), {}); });
  check_refused(balancer, "takes every port, which mode nat can't", [](State& s) {
    s.add_backend(every_port, BackendId::parse("10.0.0.9"), of_mode(Forward::nat));
  });
  check_refused(balancer, "takes every port, which mode nat can't",
                [](State& s) { s.set_service(every_port, mode(Forward::nat)); });
  check_refused(balancer, "mode l2 doesn't change the packet's port",
                [](State& s) { s.set_service(web, mode(Forward::l2)); });
  check_refused(balancer, "mode gre doesn't change the packet's port", [](State& s) {
    s.set_backend(web, BackendId::parse("10.0.0.1:8080"), of_mode(Forward::gre));
  });
  check_refused(balancer, "has no source addresses for mode fullnat", [](State& s) {
    s.set_backend(web, BackendId::parse("10.0.0.1:8080"), of_mode(Forward::fullnat));
  });
  ServiceChange second;
  second.second_chance = true;
  check_refused(balancer, "has second chances, which mode nat can't give",
                [&](State& s) { s.set_service(web, second); });
  const auto direct = ServiceId::parse("192.0.2.10:81/tcp");
  state.add_service(direct, second);
  check_refused(balancer, "has second chances, which mode nat can't give", [&](State& s) {
    s.add_backend(direct, BackendId::parse("10.0.0.9"), of_mode(Forward::nat));
  });
  state.add_backend(direct, BackendId::parse("10.0.0.9"), {});
  check_refused(balancer, "has second chances, which mode nat can't give",
                [&](State& s) { s.set_service(direct, mode(Forward::nat)); });
  // The same address with another port, and the same of another protocol, are others.
  state.add_backend(other, BackendId::parse("10.0.0.1:8081"), {});
  const auto udp = ServiceId::parse("192.0.2.10:80/udp");
  state.add_service(udp, mode(Forward::nat));
  state.add_backend(udp, BackendId::parse("10.0.0.1:8080"), {});
}

// Fragments have no port to tell them by.
BOOST_AUTO_TEST_CASE(backends_that_send_fragments) {
  Balancer balancer;
  auto& state = balancer.state();
  state.add_service(web, mode(Forward::nat));
  state.add_service(other, mode(Forward::nat));
  state.add_backend(web, BackendId::parse("10.0.0.1:8080"), {});
  ServiceChange hash3;
  hash3.fragments = Fragments::hash3;
  state.set_service(web, hash3);
  state.add_backend(other, BackendId::parse("10.0.0.1:8081"), {});
  check_refused(balancer, "can't tell whose fragments its are",
                [&](State& s) { s.set_service(other, hash3); });
  state.delete_backend(other, BackendId::parse("10.0.0.1:8081"), Removal::now);
  state.set_service(other, hash3);
  check_refused(balancer, "can't tell whose fragments its are",
                [](State& s) { s.add_backend(other, BackendId::parse("10.0.0.1:8081"), {}); });
}

BOOST_AUTO_TEST_CASE(pools) {
  Balancer balancer;
  auto& state = balancer.state();
  state.add_service(web, with_pool("10.0.0.240-10.0.0.243"));
  check_refused(balancer, "has no source addresses for mode fullnat",
                [](State& s) { s.add_service(other, mode(Forward::fullnat)); });
  check_refused(balancer, "has no source addresses for mode fullnat", [](State& s) {
    ServiceChange none;
    none.pool = Pool{};
    s.set_service(web, none);
  });
  check_refused(balancer, "has the VIP of service 192.0.2.10:80/tcp in it",
                [](State& s) { s.add_service(other, with_pool("192.0.2.8-192.0.2.10")); });
  check_refused(balancer, "has the service's own VIP in it",
                [](State& s) { s.add_service(other, with_pool("192.0.2.11")); });
  check_refused(balancer, "VIP 10.0.0.241 is in the pool 10.0.0.240-10.0.0.243", [](State& s) {
    s.add_service(ServiceId::parse("10.0.0.241:80/tcp"), mode(Forward::l2));
  });
  check_refused(balancer, "is of another family than the VIP",
                [](State& s) { s.add_service(other, with_pool("2001:db8::1-2001:db8::4")); });
  state.add_backend(web, BackendId::parse("10.0.0.1"), {});
  check_refused(balancer, "takes fragments without ports (hash3)", [](State& s) {
    ServiceChange change;
    change.fragments = Fragments::hash3;
    s.set_service(web, change);
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
