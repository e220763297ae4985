// SPDX-License-Identifier: GPL-2.0-only
// What an administrator may not do changes nothing: each byte of each map stays.
#include <arpa/inet.h>
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>

#include "plugin/error.h"
#include "plugin/map.h"
#include "tests/bpf/expect.h"
#include "tests/bpf/picture.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(errors)

namespace {

const ServiceId first = ServiceId::parse("192.0.2.10:80/tcp");
const ServiceId second = ServiceId::parse("[2001:db8::10]:80/udp");
const ServiceId unknown = ServiceId::parse("192.0.2.99:80/tcp");
const BackendId backend = BackendId::parse("10.0.0.1");
const BackendId stranger = BackendId::parse("10.0.0.99");

struct Services : Balancer {
  using Balancer::Balancer;

  void fill() {
    add_service(first.to_string());
    add_service(second.to_string());
    add_backend(first.to_string(), "10.0.0.1", 1);
    add_backend(second.to_string(), "10.0.0.1", 2);
    add_backend(second.to_string(), "10.0.0.2", 3, 9);
  }

  void check_refused(const std::string& what, const std::function<void(State&)>& change,
                     const std::string& says = "") {
    BOOST_TEST_CONTEXT(what) {
      const Picture before(*this);
      const auto counters = counter_bytes(*this);
      BOOST_CHECK_EXCEPTION(change(state()), Error, [&](const Error& error) {
        return std::string(error.what()).find(says) != std::string::npos;
      });
      BOOST_TEST((Picture(*this) == before));
      BOOST_TEST((counter_bytes(*this) == counters));
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(change_nothing) {
  Services services;
  services.fill();
  BOOST_TEST(services.run(build({.to = first.vip})).verdict == XDP_TX);
  const lb_hop hop = hop_to(77);
  const std::vector<std::pair<std::string, std::function<void(State&)>>> changes{
      {"service that exists", [](State& s) { s.add_service(first, {}); }},
      {"same service with other slots",
       [](State& s) {
         s.add_service(first, {{}, {}, 512});
       }},
      {"0 slots",
       [](State& s) {
         s.add_service(unknown, {{}, {}, 0});
       }},
      {"1 slot",
       [](State& s) {
         s.add_service(unknown, {{}, {}, 1});
       }},
      {"128 slots",
       [](State& s) {
         s.add_service(unknown, {{}, {}, 128});
       }},
      {"257 slots",
       [](State& s) {
         s.add_service(unknown, {{}, {}, 257});
       }},
      {"2^21 slots",
       [](State& s) {
         s.add_service(unknown, {{}, {}, 1U << 21});
       }},
      {"2^31 slots",
       [](State& s) {
         s.add_service(unknown, {{}, {}, 1U << 31});
       }},
      {"table larger than the arena",
       [](State& s) {
         s.add_service(unknown, {{}, {}, 1U << 20});
       }},
      {"set an unknown service",
       [](State& s) {
         s.set_service(unknown, {{}, Balance::off, {}});
       }},
      {"delete an unknown service", [](State& s) { s.delete_service(unknown); }},
      {"backend of an unknown service", [](State& s) { s.add_backend(unknown, backend, {}); }},
      {"backend that exists", [](State& s) { s.add_backend(first, backend, {}); }},
      {"backend that exists, with the service's port",
       [](State& s) { s.add_backend(first, BackendId::parse("10.0.0.1:80"), {}); }},
      {"backend with another port",
       [](State& s) { s.add_backend(first, BackendId::parse("10.0.0.9:81"), {}); }},
      {"backend that is the VIP",
       [](State& s) {
         s.add_backend(first, BackendId{first.vip, 0}, {});
       }},
      {"weight 65536",
       [](State& s) {
         s.add_backend(first, stranger, {65536, {}});
       }},
      {"weight 2^32 - 1",
       [](State& s) {
         s.add_backend(first, stranger, {0xffffffff, {}});
       }},
      {"set an unknown backend",
       [](State& s) {
         s.set_backend(first, stranger, {5, {}});
       }},
      {"set a backend of an unknown service",
       [](State& s) {
         s.set_backend(unknown, backend, {5, {}});
       }},
      {"set weight 65536",
       [](State& s) {
         s.set_backend(first, backend, {65536, {}});
       }},
      {"set weight 65536 and a next hop",
       [&](State& s) {
         s.set_backend(first, backend, {65536, hop});
       }},
      {"next hop of an unknown backend",
       [&](State& s) {
         s.set_backend(first, stranger, {{}, hop});
       }},
      {"delete an unknown backend",
       [](State& s) { s.delete_backend(first, stranger, Removal::now); }},
      {"delete a backend of an unknown service",
       [](State& s) { s.delete_backend(unknown, backend, Removal::now); }},
      {"delete another service's backend",
       [](State& s) { s.delete_backend(first, BackendId::parse("10.0.0.2"), Removal::now); }},
  };
  for (const auto& [what, change] : changes) services.check_refused(what, change);
  BOOST_TEST(services.run(build({.to = first.vip})).verdict == XDP_TX);
}

// Services are added until no more fit; then those that are there still work, and one that goes
// makes room for one that comes.
BOOST_AUTO_TEST_CASE(full_arena) {
  Services services(1U << 16);
  services.fill();
  std::vector<ServiceId> added;
  const auto next = [&] {
    return ServiceId::parse("198.51.100." + std::to_string(added.size()) + ":80/udp");
  };
  try {
    for (; added.size() < 200; added.push_back(next())) services.add_service(next().to_string());
  } catch (const Error& error) {
    BOOST_TEST_MESSAGE(error.what());
  }
  BOOST_TEST_REQUIRE(added.size() < 200U);
  BOOST_TEST(added.size() > 10U);
  services.check_refused("one more", [&](State& s) { s.add_service(next(), {{}, {}, min_slots}); });
  services.check_refused("a larger one", [&](State& s) { s.add_service(next(), {}); });
  BOOST_TEST(services.run(build({.to = first.vip})).verdict == XDP_TX);
  for (const auto& id : added)
    BOOST_TEST(services.run(build({.to = id.vip, .proto = proto_udp})).verdict == XDP_DROP);

  services.add_backend(added.back().to_string(), "10.0.0.5", 5);
  BOOST_TEST(services.run(build({.to = added.back().vip, .proto = proto_udp})).verdict == XDP_TX);
  services.state().delete_service(added.front());
  BOOST_TEST(services.run(build({.to = added.front().vip, .proto = proto_udp})).verdict ==
             XDP_PASS);
  services.add_service(added.front().to_string());
  BOOST_TEST(services.run(build({.to = added.front().vip, .proto = proto_udp})).verdict ==
             XDP_DROP);
  for (const auto& id : added) services.state().delete_service(id);
  BOOST_TEST(services.run(build({.to = second.vip, .proto = proto_udp})).verdict == XDP_TX);
}

// Every record of a service is in use: as a release would leave it, and indexed as one.
BOOST_AUTO_TEST_CASE(all_services_in_use) {
  Services services(1U << 22);
  services.fill();
  const auto vip = [](std::uint32_t number) {
    return ip("10." + std::to_string(number >> 8) + ".7." + std::to_string(number & 255));
  };
  const auto records = services.pins().services();
  for (std::uint32_t number = 0; number < records.size(); number++) {
    if (load(records[number].conf).state != LB_SERVICE_FREE) continue;
    std::ranges::copy(vip(number).bytes(), records[number].addr);
    records[number].table = {0, 8, 0, 0, 0};
    store(records[number].conf,
          lb_service_conf{LB_SERVICE_LIVE, LB_FORWARD_L2, 0, 0, htons(80), proto_tcp, LB_IPV4});
  }
  store(services.pins().meta().index_stale, 1U);
  services.state().settle();
  BOOST_TEST(services.state().services().size() == records.size());
  services.check_refused(
      "one more",
      [](State& s) {
        s.add_service(unknown, {{}, {}, min_slots});
      },
      "all 4096 services");

  std::size_t wrong = 0;
  for (std::uint32_t number = 2; number < records.size(); number++) {
    if (services.run(build({.to = vip(number)})).verdict != XDP_DROP) wrong++;
    if (services.run(build({.to = vip(number), .dport = 81})).verdict != XDP_PASS) wrong++;
  }
  BOOST_TEST(wrong == 0U);
  check(services, {"one of them", {.to = vip(17)}, drops(LB_NO_BACKEND, "10.0.7.17:80/tcp")});
  BOOST_TEST(services.run(build({.to = first.vip})).verdict == XDP_TX);

  services.state().delete_service({vip(1000), 80, Protocol::tcp});
  BOOST_TEST(services.run(build({.to = vip(1000)})).verdict == XDP_PASS);
  services.add_service(unknown.to_string());
  BOOST_TEST(services.run(build({.to = unknown.vip})).verdict == XDP_DROP);
}

BOOST_AUTO_TEST_CASE(all_backends_in_use) {
  Services services;
  services.fill();
  for (auto& record : services.pins().backends().subspan(1, 65534))
    if (load(record.conf).state == LB_BACKEND_FREE)
      store(record.conf, lb_backend_conf{1, 1, 0, LB_BACKEND_DRAIN, LB_IPV4});
  services.check_refused(
      "one more", [](State& s) { s.add_backend(first, stranger, {}); }, "all 65534 backends");
  BOOST_TEST(services.run(build({.to = first.vip})).verdict == XDP_TX);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
