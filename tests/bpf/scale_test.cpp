// SPDX-License-Identifier: GPL-2.0-only
// As many services and backends as there can be: they fit, packets reach them, one more is refused.
// The ordinary run has a part of them; XDPLB_TEST_FULL=1 asks for all.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <random>
#include <set>

#include "plugin/error.h"
#include "tests/bpf/expect.h"
#include "tests/bpf/picture.h"

namespace xdplb::test {

namespace {

constexpr unsigned each = 16;  // backends of a service
constexpr unsigned all_backends = 65534;

Address numbered(std::uint8_t network, unsigned number) {
  return Address({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, network,
                  static_cast<std::uint8_t>(number >> 16), static_cast<std::uint8_t>(number >> 8),
                  static_cast<std::uint8_t>(number)});
}

ServiceId nth_service(unsigned number) { return {numbered(10, number), 80, Protocol::tcp}; }
BackendId nth_backend(unsigned number) { return {numbered(11, number), 0}; }

struct Scale : Balancer {
  Scale(std::uint32_t arena_size, unsigned slots)
      : Balancer(arena_size), services(full_counts() ? LB_SERVICES : 64), slots_(slots) {
    const auto backends = std::min(services * each, all_backends);
    std::vector<WantedService> all;
    for (unsigned number = 0; number < services; number++)
      all.push_back({nth_service(number), default_options(nth_service(number)), slots, {}});
    const auto change = [](unsigned number) {
      return BackendChange{1, hop_to(static_cast<std::uint16_t>(number + 1))};
    };
    for (unsigned number = 0; number + 1 < backends; number++)
      all[number / each].backends.push_back({nth_backend(number), change(number)});
    state().apply(all);
    state().add_backend(nth_service((backends - 1) / each), nth_backend(backends - 1),
                        change(backends - 1));
  }

  // Each of many flows to the service reaches a backend of it, and more than one of them.
  void check_service(unsigned number) const {
    std::set<unsigned> reached;
    for (std::uint16_t sport = 1; sport < 50; sport++) {
      const auto out = run(build({.to = nth_service(number).vip, .sport = sport}));
      BOOST_TEST_REQUIRE(out.verdict == XDP_TX, "service " << number);
      const unsigned backend = backend_of(out.out);
      BOOST_TEST_REQUIRE(backend != 0U);
      BOOST_TEST_REQUIRE((backend - 1) / each == number);
      reached.insert(backend);
    }
    BOOST_TEST(reached.size() > 1U);
  }

  template <typename Change>
  void check_refused(const std::string& limit, Change change) {
    const Picture before(*this);
    BOOST_CHECK_EXCEPTION(change(), Error, [&](const Error& error) {
      return std::string(error.what()).find(limit) != std::string::npos;
    });
    BOOST_TEST((Picture(*this) == before));
  }

  void add_one_service_more() { state().add_service(nth_service(services), {{}, {}, slots_}); }
  void add_one_backend_more() {
    state().add_backend(nth_service(0), nth_backend(all_backends), {1, hop_to(1)});
  }

  unsigned services;

 private:
  unsigned slots_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(scale)

BOOST_AUTO_TEST_CASE(in_the_default_arena) {
  Scale scale(LB_ARENA_SIZE, 1024);
  std::mt19937_64 random(test_seed());
  scale.check_service(0);
  scale.check_service(scale.services - 1);
  for (int i = 0; i < 20; i++) scale.check_service(random() % scale.services);
  if (!full_counts()) return;
  scale.check_refused("all 4096 services", [&] { scale.add_one_service_more(); });
  scale.check_refused("all 65534 backends", [&] { scale.add_one_backend_more(); });
  scale.check_service(0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
