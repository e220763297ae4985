// SPDX-License-Identifier: GPL-2.0-only
// Each flow reaches the backend that the configuration means for it, by the model's computation:
// no statistics.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <random>

#include "tests/bpf/model.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(model)

namespace {

constexpr std::size_t flows = 20'000;

ModelService service(const std::string& id, unsigned slots, Balance balance,
                     const std::vector<unsigned>& weights) {
  ModelService made{ServiceId::parse(id), slots, balance};
  static std::uint16_t number = 0;
  for (const auto weight : weights) {
    number++;
    const auto address = number % 4 == 0 ? "2001:db8:b::" : "10.0.1.";
    made.backends.push_back({address + std::to_string(number), number, weight});
  }
  return made;
}

// Of all kinds, in all modes.
std::vector<ModelService> all_services() {
  return {
      service("192.0.2.10:80/tcp", 16384, Balance::slack, {1, 1, 1, 1, 1}),
      service("192.0.2.10:80/udp", 256, Balance::slack, {10, 20, 70}),
      service("192.0.2.10:443/tcp", 1024, Balance::exact, {100, 1, 7, 65535}),
      service("192.0.2.11:0/tcp", 2048, Balance::off, {3, 3, 2, 9}),
      service("192.0.2.11:53/udp", 65536, Balance::off, {1, 2, 3, 4, 5, 6, 7, 8}),
      service("192.0.2.12:80/tcp", 256, Balance::exact, {1}),
      service("[2001:db8::10]:80/tcp", 16384, Balance::slack, {5, 5, 5, 1}),
      service("[2001:db8::10]:80/udp", 512, Balance::exact, {1, 1, 1}),
      service("[2001:db8::11]:0/udp", 4096, Balance::off, {9, 1, 4}),
      service("[2001:db8::11]:443/tcp", 1024, Balance::slack, {2, 1}),
  };
}

struct Flow {
  Address from;
  std::uint16_t sport;
  std::uint16_t dport;
};

template <typename Random>
Flow random_flow(Random& random, const ServiceId& id) {
  std::array<std::uint8_t, 16> from{};
  if (id.vip.is_v4()) from[10] = from[11] = 0xff;
  for (std::size_t i = id.vip.is_v4() ? 12 : 0; i < from.size(); i++)
    from[i] = static_cast<std::uint8_t>(random());
  const auto port = static_cast<std::uint16_t>(id.port != 0 ? id.port : random());
  return {Address(from), static_cast<std::uint16_t>(random()), port};
}

struct Services : Balancer {
  std::vector<ModelService> models = all_services();
  std::mt19937_64 random{test_seed()};

  Services() : Balancer(1U << 21) {
    for (const auto& model : models) make(*this, model);
  }

  // How many flows of all services went elsewhere than the model says.
  std::size_t misled() {
    std::vector<std::vector<std::uint16_t>> owners;
    for (const auto& model : models) owners.push_back(model.owners());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < flows; i++) {
      const auto& model = models[i % models.size()];
      const auto flow = random_flow(random, model.id);
      const auto run = this->run(build({.from = flow.from,
                                        .to = model.id.vip,
                                        .proto = static_cast<std::uint8_t>(model.id.protocol),
                                        .sport = flow.sport,
                                        .dport = flow.dport}));
      const auto owner =
          owners[i % models.size()][model.slot_of(flow.from, flow.sport, flow.dport)];
      if (run.verdict != (owner == 0 ? XDP_DROP : XDP_TX) ||
          (owner != 0 && backend_of(run.out) != owner))
        wrong++;
    }
    return wrong;
  }

  // The maps have the model's tables, in each slot, and packets follow them.
  void check_all() {
    BOOST_TEST(misled() == 0U);
    for (const auto& model : models)
      BOOST_TEST(slots_of(*this, model.id) == model.owners(), boost::test_tools::per_element());
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(through_changes_of_backends) {
  Services services;
  auto& state = services.state();
  services.check_all();

  std::uint16_t number = 100;
  for (auto& model : services.models) {
    number++;
    model.backends.push_back({"10.0.2." + std::to_string(number), number, 3});
    services.add_backend(model.id.to_string(), model.backends.back().address, number, 3);
  }
  services.check_all();

  for (auto& model : services.models) {
    model.backends[0].drain = true;
    state.set_backend(model.id, BackendId::parse(model.backends[0].address), {0, {}});
  }
  services.check_all();

  for (auto& model : services.models) {
    model.backends[0].drain = false;  // it gets its weight back, or a new one
    model.backends[0].weight = 4;
    state.set_backend(model.id, BackendId::parse(model.backends[0].address), {4, {}});
    model.backends.back().weight = 11;
    state.set_backend(model.id, BackendId::parse(model.backends.back().address), {11, {}});
  }
  services.check_all();

  for (auto& model : services.models) {
    state.delete_backend(model.id, BackendId::parse(model.backends[0].address), Removal::now);
    model.backends.erase(model.backends.begin());
  }
  services.check_all();
}

BOOST_AUTO_TEST_CASE(through_changes_of_services) {
  Services services;
  auto& state = services.state();
  for (auto& model : services.models) {
    model.balance = model.balance == Balance::exact ? Balance::off : Balance::exact;
    state.set_service(model.id, {{}, model.balance, {}});
  }
  services.check_all();

  state.delete_service(services.models.back().id);
  services.models.pop_back();
  services.check_all();
}

// The slots that change are those that the model changes; without caps, each goes to the backend
// that came, or leaves the one that went.
BOOST_AUTO_TEST_CASE(no_needless_move) {
  Balancer balancer;
  auto model = service("192.0.2.10:80/tcp", 4096, Balance::off, {2, 3, 5, 7});
  make(balancer, model);
  const auto before = slots_of(balancer, model.id);
  model.backends.push_back({"10.0.3.1", 200, 4});
  balancer.add_backend(model.id.to_string(), "10.0.3.1", 200, 4);
  const auto with = slots_of(balancer, model.id);
  const auto right = model.owners();
  std::size_t moved = 0;
  for (std::size_t i = 0; i < with.size(); i++) {
    if (with[i] == before[i]) continue;
    moved++;
    BOOST_TEST(with[i] == 200);
  }
  BOOST_TEST(with == right, boost::test_tools::per_element());
  BOOST_TEST(moved > 0U);

  balancer.state().set_backend(model.id, BackendId::parse("10.0.3.1"), {0, {}});
  BOOST_TEST(slots_of(balancer, model.id) == before, boost::test_tools::per_element());
  balancer.state().delete_backend(model.id, BackendId::parse("10.0.3.1"), Removal::now);
  BOOST_TEST(slots_of(balancer, model.id) == before, boost::test_tools::per_element());
}

// The same configuration by another way: the same tables, whatever handles came out.
BOOST_AUTO_TEST_CASE(history_leaves_no_trace) {
  Balancer straight;
  Balancer winding;
  auto model = service("[2001:db8::10]:80/tcp", 1024, Balance::slack, {2, 3, 5});
  make(straight, model);
  auto other = model;
  std::ranges::reverse(other.backends);
  other.backends.push_back({"10.0.3.1", 200, 4});
  make(winding, other);
  winding.state().delete_backend(model.id, BackendId::parse("10.0.3.1"), Removal::now);
  BOOST_TEST(slots_of(straight, model.id) == slots_of(winding, model.id),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
