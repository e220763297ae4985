// SPDX-License-Identifier: GPL-2.0-only
// A change of backends that dies at each of its stores, while slots are in both phases and flows
// are remembered: no flow moves that the whole change would leave where it is, neither then nor
// when the next command has finished it.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <iostream>

#include "tests/bpf/epoch_rig.h"
#include "tests/bpf/picture.h"
#include "tests/bpf/store_trap.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(epoch_crash, *boost::unit_test::precondition(traps))

namespace {

const auto id = ServiceId::parse("192.0.2.10:80/tcp");

struct Change {
  std::string name;
  std::uint16_t gone;  // the backend that keeps no flow; 0: none
  std::function<void(State&)> make;
};

const std::vector<Change> changes{
    {"add", 0,
     [](State& s) {
       s.add_backend(id, backend_id(9), {2, hop_to(9)});
     }},
    {"drain", 0, [](State& s) { s.set_backend(id, backend_id(2), to(BackendState::drain)); }},
    {"up again", 0, [](State& s) { s.set_backend(id, backend_id(4), to(BackendState::up)); }},
    {"weight", 0, [](State& s) { s.set_backend(id, backend_id(3), {7U}); }},
    {"delete", 0, [](State& s) { s.delete_backend(id, backend_id(2), Removal::drained); }},
    {"delete now", 2, [](State& s) { s.delete_backend(id, backend_id(2), Removal::now); }},
    {"down", 3, [](State& s) { s.set_backend(id, backend_id(3), to(BackendState::down)); }},
    {"settle", 0, [](State& s) { s.settle(); }},
};

class Rig : public EpochRig {
 public:
  Rig() : EpochRig(1U << 18) {
    add_epoch_service(id);
    for (const std::uint16_t number : {1, 2, 3, 4}) add(number);
    for (std::uint16_t i = 0; i < 300; i++)
      flows_.push_back({ip("198.51.100.7"), static_cast<std::uint16_t>(2000 + i)});
    talk();
    // Some slots are in the second phase, others in the first.
    state().set_backend(id, backend_id(4), to(BackendState::drain));
    talk();
    age(600);
    talk();
    age(600);
    add(5);
    talk();
    homes_ = talk();
    start_ = std::make_unique<Picture>(*this);
    entries_.assign(all_entries().begin(), all_entries().end());
  }

  void restart() {
    start_->put_back(*this);
    std::ranges::copy(entries_, all_entries().begin());
  }

  // Packets of all flows; flows of `gone` may go anywhere. How many are not where they were.
  std::size_t astray(std::uint16_t gone) {
    std::size_t count = 0;
    const auto now = talk();
    for (std::size_t i = 0; i < now.size(); i++)
      count += now[i] != homes_[i] && homes_[i] != gone ? 1 : 0;
    return count;
  }

 private:
  void add(std::uint16_t number) {
    add_backend(id.to_string(), backend_id(number).to_string(), number);
  }

  std::vector<std::uint16_t> talk() {
    std::vector<std::uint16_t> homes;
    for (const auto& flow : flows_) homes.push_back(send(id, flow, Kind::data));
    return homes;
  }

  std::vector<EpochModel::Flow> flows_;
  std::vector<std::uint16_t> homes_;
  std::unique_ptr<Picture> start_;
  std::vector<std::uint64_t> entries_;
};

std::vector<Death> deaths(unsigned stores) {
  const unsigned step = full_counts() ? 1 : 23;
  std::vector<Death> chosen;
  for (unsigned store = 1; store <= stores; store++)
    if (store <= 12 || store + 12 > stores || store % step == 0)
      chosen.push_back({store, store % 2 == 0 ? Moment::before : Moment::after});
  return chosen;
}

}  // namespace

BOOST_AUTO_TEST_CASE(flows_stay_where_they_are_wherever_a_change_dies) {
  Rig rig;
  BOOST_TEST_REQUIRE(rig.astray(0) == 0U);
  for (const auto& change : changes) {
    rig.restart();
    const auto old_meaning = meaning(rig);
    const auto stores =
        run_until(rig, {0, Moment::before}, [&] { change.make(rig.state()); }).stores;
    const auto new_meaning = meaning(rig);
    BOOST_TEST(rig.astray(change.gone) == 0U);
    const auto all = deaths(stores);
    for (const auto& death : all)
      BOOST_TEST_CONTEXT(change.name << ", store " << death.store << " of " << stores) {
        rig.restart();
        BOOST_TEST_REQUIRE(run_until(rig, death, [&] { change.make(rig.state()); }).died);
        BOOST_TEST(rig.astray(change.gone) == 0U);
        rig.state().settle();
        const auto now = meaning(rig);
        BOOST_TEST((now == new_meaning || now == old_meaning));
        BOOST_TEST(rig.astray(change.gone) == 0U);
      }
    std::cout << change.name << ": " << stores << " stores, " << all.size() << " deaths\n";
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
