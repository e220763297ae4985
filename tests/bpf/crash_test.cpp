// SPDX-License-Identifier: GPL-2.0-only
// A change that dies at each of its stores. At that moment packets find the old state or the new
// one; the next change finishes it; and what was counted is counted once.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <iostream>

#include "tests/bpf/expect.h"
#include "tests/bpf/model.h"
#include "tests/bpf/picture.h"
#include "tests/bpf/store_trap.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(crash)

namespace {

const auto quiet = ServiceId::parse("192.0.2.10:80/tcp");      // changed by nobody
const auto busy = ServiceId::parse("192.0.2.11:80/tcp");       // changed
const auto fresh = ServiceId::parse("[2001:db8::12]:80/udp");  // added

struct Change {
  std::string name;
  std::function<void(State&)> make;
};

const std::vector<Change> changes{
    {"add a service",
     [](State& s) {
       s.add_service(fresh, {{}, {}, min_slots});
     }},
    {"delete a service", [](State& s) { s.delete_service(busy); }},
    {"change a service",
     [](State& s) {
       s.set_service(busy, {{}, Balance::exact, {}});
     }},
    {"add a backend",
     [](State& s) {
       s.add_backend(busy, BackendId::parse("10.0.0.9"), {3, hop_to(9)});
     }},
    {"delete a backend",
     [](State& s) { s.delete_backend(busy, BackendId::parse("10.0.0.5"), Removal::now); }},
    {"drain a backend",
     [](State& s) {
       s.set_backend(busy, BackendId::parse("10.0.0.5"), {0, {}});
     }},
    {"change a weight",
     [](State& s) {
       s.set_backend(busy, BackendId::parse("10.0.0.5"), {9, {}});
     }},
    {"change a next hop",
     [](State& s) {
       s.set_backend(busy, BackendId::parse("10.0.0.5"), {{}, hop_to(8)});
     }},
};

// Those after which counters are somebody else's.
std::vector<Change> removals() {
  std::vector<Change> some;
  for (const auto& change : changes)
    if (change.name.starts_with("delete")) some.push_back(change);
  return some;
}

// As a packet sees it.
struct Seen {
  std::uint32_t verdict;
  Bytes out;
  bool operator==(const Seen&) const = default;
};

class Rig : public Balancer {
 public:
  Rig() : Balancer(1U << 18) {
    make(
        *this,
        {quiet, min_slots, Balance::slack, {{"10.0.0.1", 1}, {"10.0.0.2", 2}, {"10.0.0.3", 3, 5}}});
    make(*this,
         {busy, min_slots, Balance::off, {{"10.0.0.4", 4}, {"10.0.0.5", 5, 2}, {"10.0.0.6", 6}}});
    for (std::uint16_t sport = 1000; sport < 1040; sport++)
      for (const auto& id : {quiet, busy, fresh})
        probes_.push_back(
            build({.to = id.vip, .proto = static_cast<std::uint8_t>(id.protocol), .sport = sport}));
    look();  // so that there is something counted
    start_ = std::make_unique<Picture>(*this);
    counters_ = counter_bytes(*this);
  }

  void restart() {
    start_->put_back(*this);
    put_back_counters(*this, counters_);
  }

  std::vector<Seen> look() {
    std::vector<Seen> all;
    for (const auto& probe : probes_) {
      const auto run = this->run(probe);
      all.push_back({run.verdict, run.out});
    }
    return all;
  }

  [[nodiscard]] std::uint64_t forwarded_packets() {
    std::uint64_t sum = 0;
    for (const auto& family : state().forwarded_by_family()) sum += family.packets;
    return sum;
  }

 private:
  std::vector<Bytes> probes_;
  std::unique_ptr<Picture> start_;
  std::vector<std::byte> counters_;
};

// What one change leads to when nothing disturbs it.
struct Course {
  std::string old_meaning, new_meaning;
  std::vector<Seen> old_look, new_look;
  std::uint64_t forwarded;  // at its start
  unsigned stores;
};

Course undisturbed(Rig& rig, const Change& change) {
  Course course;
  rig.restart();
  course.old_meaning = meaning(rig);
  course.forwarded = rig.forwarded_packets();
  course.old_look = rig.look();
  rig.restart();
  course.stores = run_until(rig, {0, Moment::before}, [&] { change.make(rig.state()); }).stores;
  course.new_meaning = meaning(rig);
  course.new_look = rig.look();
  return course;
}

// Of many stores into slots alike, a few will do. Just after one is the same as just before the
// next, but for system calls between them: those are at the end.
std::vector<Death> deaths(unsigned stores) {
  constexpr unsigned all_at_the_ends = 24;
  const unsigned step = full_counts() ? 1 : 29;
  std::vector<Death> chosen;
  for (unsigned store = 1; store <= stores; store++) {
    const bool at_end = store + all_at_the_ends > stores;
    if (store <= all_at_the_ends || at_end || store % step == 0)
      chosen.push_back({store, Moment::before});
    if (at_end || full_counts()) chosen.push_back({store, Moment::after});
  }
  return chosen;
}

std::string to_string(const Death& death) {
  return (death.moment == Moment::before ? "before " : "after ") + std::to_string(death.store);
}

// At the death packets find the old state or the new one; the next change comes to the one or the
// other, whole. Returns whether it was the new one.
bool check_death(Rig& rig, const Change& change, const Course& course, const Death& death) {
  rig.restart();
  BOOST_TEST_REQUIRE(run_until(rig, death, [&] { change.make(rig.state()); }).died);
  const auto look = rig.look();
  std::size_t odd = 0;
  for (std::size_t i = 0; i < look.size(); i++)
    if (look[i] != course.old_look[i] && look[i] != course.new_look[i]) odd++;
  BOOST_TEST(odd == 0U);

  rig.state().settle();
  const auto now = meaning(rig);
  const bool is_new = now == course.new_meaning;
  if (!is_new) BOOST_TEST(now == course.old_meaning);
  BOOST_TEST((rig.look() == (is_new ? course.new_look : course.old_look)));
  return is_new;
}

}  // namespace

BOOST_AUTO_TEST_CASE(at_each_store, *boost::unit_test::precondition(traps)) {
  Rig rig;
  for (const auto& change : changes) {
    const auto course = undisturbed(rig, change);
    const auto all = deaths(course.stores);
    BOOST_TEST(course.stores > 0U);
    bool was_new = false;
    for (const auto& death : all)
      BOOST_TEST_CONTEXT(change.name << ", " << to_string(death) << " of " << course.stores) {
        const bool is_new = check_death(rig, change, course, death);
        if (was_new) BOOST_TEST(is_new);  // what was decided on stays so
        was_new = is_new;
      }
    BOOST_TEST(was_new);
    std::cout << change.name << ": " << course.stores << " stores, " << all.size() << " deaths\n";
  }
}

// What was forwarded stays counted when backends and services go: once, wherever the change dies.
BOOST_AUTO_TEST_CASE(counted_once, *boost::unit_test::precondition(traps)) {
  Rig rig;
  for (const auto& change : removals()) {
    const auto course = undisturbed(rig, change);
    BOOST_TEST(course.forwarded > 0U);
    std::string wrong;
    for (const auto& death : deaths(course.stores)) {
      rig.restart();
      run_until(rig, death, [&] { change.make(rig.state()); });
      rig.state().settle();
      if (rig.forwarded_packets() != course.forwarded) wrong += ' ' + to_string(death);
    }
    BOOST_TEST(wrong == "", change.name << ", of " << course.stores << " stores:" << wrong);
  }
}

// Nor do readers miss any of it before somebody finishes the change.
BOOST_AUTO_TEST_CASE(counted_meanwhile, *boost::unit_test::precondition(traps)) {
  Rig rig;
  for (const auto& change : removals()) {
    const auto course = undisturbed(rig, change);
    std::string wrong;
    for (const auto& death : deaths(course.stores)) {
      rig.restart();
      run_until(rig, death, [&] { change.make(rig.state()); });
      if (rig.forwarded_packets() < course.forwarded) wrong += ' ' + to_string(death);
    }
    BOOST_TEST(wrong == "", change.name << ", of " << course.stores << " stores:" << wrong);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
