// SPDX-License-Identifier: GPL-2.0-only
// Random changes of backends among random packets: each packet reaches the backend that the model
// has for it, and a flow that is seen within an epoch stays where it is while its backend keeps it.
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <iostream>
#include <random>

#include "tests/bpf/epoch_rig.h"

namespace xdplb::test {

namespace {

namespace data = boost::unit_test::data;

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds near(LB_EXCEPTION_SILENT / 2);
constexpr std::uint16_t most_backends = 6;
constexpr std::size_t flow_count = 400;

struct Setting {
  const char* name;
  const char* service;
  bool keep_down;
  bool always;
};
std::ostream& operator<<(std::ostream& out, const Setting& setting) { return out << setting.name; }

constexpr std::array settings{
    Setting{"tcp", "192.0.2.10:80/tcp", false, false},
    Setting{"tcp, down keeps", "192.0.2.10:80/tcp", true, false},
    Setting{"tcp, always", "192.0.2.10:80/tcp", false, true},
    Setting{"udp", "[2001:db8::10]:53/udp", true, false},
};

class Life {
 public:
  explicit Life(const Setting& setting)
      : id_(ServiceId::parse(setting.service)),
        model_(id_, min_slots, EpochRig::epoch),
        random_(test_seed()) {
    ServiceChange options;
    options.on_down = setting.keep_down ? OnDown::keep : OnDown::rehash;
    options.remember = setting.always ? Remember::always : Remember::changed;
    model_.keep_down = setting.keep_down;
    model_.always = setting.always;
    rig_.add_epoch_service(id_, options);
    for (std::size_t i = 0; i < flow_count; i++) flows_.push_back(new_flow());
  }

  void run(std::size_t steps) {
    add(1);
    add(2);
    for (std::size_t i = 0; i < steps && wrong_ == 0; i++) {
      const auto what = pick(1000);
      if (what < 970)
        send();
      else if (what < 995)
        change();
      else
        age(pick(2) == 0 ? 400 : 700);
    }
  }

  void report() const {
    BOOST_TEST(wrong_ == 0U);
    BOOST_TEST(moved_ == 0U);
    BOOST_TEST(sent_ > 0U);
    BOOST_TEST(remembered_ > 0U);
    std::cout << sent_ << " packets, " << remembered_ << " of them against their slot, among "
              << changes_ << " changes\n";
  }

 private:
  struct Watched {
    EpochModel::Flow flow;
    std::uint16_t home = 0;  // 0: not opened, or over
    std::uint32_t unseen = 0;
    Clock::time_point seen{};
  };

  std::size_t pick(std::size_t below) { return random_() % below; }

  Watched new_flow() {
    auto from = id_.vip.is_v4() ? ip("198.51.100.0").bytes() : ip("2001:db8:c::").bytes();
    from[14] = static_cast<std::uint8_t>(id_.vip.is_v4() ? from[14] : pick(256));
    from[15] = static_cast<std::uint8_t>(pick(256));
    return {{Address(from), static_cast<std::uint16_t>(1024 + pick(60000))}};
  }

  Kind random_kind(const Watched& watched) {
    const bool tcp = id_.protocol == Protocol::tcp;
    const auto kind = pick(100);
    if (tcp && (watched.home == 0 ? kind < 70 : kind < 3)) return Kind::syn;
    if (kind > 96) return Kind::error;
    return tcp && kind > 93 ? Kind::reset : Kind::data;
  }

  void send() {
    auto& watched = flows_[pick(flows_.size())];
    auto kind = random_kind(watched);
    // Of the time between two steps the model knows nothing.
    if (kind == Kind::syn && watched.unseen == 0 && Clock::now() - watched.seen > near)
      kind = Kind::data;
    const auto expected = model_.send(watched.flow, kind);
    const auto got = rig_.send(id_, watched.flow, kind);
    sent_++;
    if (got != expected) {
      wrong_++;
      BOOST_TEST(got == expected, "packet " << sent_ << " of kind " << static_cast<int>(kind)
                                            << " went to " << got << ", not " << expected);
    }
    if (kind == Kind::syn) {
      watched.home = got;
    } else if (kind == Kind::data) {
      if (watched.home != 0 && got != watched.home) moved_++;
      watched.home = got;
      if (got != 0 && got != model_.current(watched.flow)) remembered_++;
    } else {
      return;
    }
    watched.unseen = 0;
    watched.seen = Clock::now();
  }

  // Nothing is promised to flows whose backend is gone, or that were not seen for long.
  void forgive() {
    for (auto& watched : flows_)
      if (watched.home != 0 && (!model_.keeps(watched.home) || watched.unseen > EpochRig::epoch))
        watched.home = 0;
  }

  void add(std::uint16_t number) {
    rig_.add_backend(id_.to_string(), backend_id(number).to_string(), number,
                     1 + static_cast<unsigned>(number % 3));
    model_.settle();
    model_.set(number, EpochModel::up, 1 + number % 3U);
  }

  void set(std::uint16_t number, EpochModel::State state) {
    static constexpr std::array states{BackendState::up, BackendState::drain, BackendState::down};
    rig_.state().set_backend(id_, backend_id(number), to(states.at(state)));
    model_.settle();
    model_.set(number, state, 1 + number % 3U);
  }

  void remove(std::uint16_t number, bool now) {
    rig_.state().delete_backend(id_, backend_id(number), now ? Removal::now : Removal::drained);
    model_.settle();
    if (now)
      model_.remove(number);
    else
      model_.set(number, EpochModel::leaving, 1 + number % 3U);
  }

  void change() {
    const auto number = static_cast<std::uint16_t>(1 + pick(most_backends));
    const auto what = pick(12);
    changes_++;
    if (!model_.has(number) || model_.state(number) == EpochModel::leaving)
      add(number);
    else if (what < 3)
      set(number, EpochModel::drain);
    else if (what < 8)
      set(number, EpochModel::up);
    else if (what < 9)
      set(number, EpochModel::down);
    else
      remove(number, what == 11);
    forgive();
    model_.settle();
    BOOST_TEST(rig_.changed_slots(id_) == model_.changed_slots());
    BOOST_TEST(rig_.entries().size() == model_.live());
    if (rig_.changed_slots(id_) != model_.changed_slots()) wrong_++;
  }

  void age(std::uint32_t seconds) {
    rig_.age(seconds);
    model_.age(seconds);
    for (auto& watched : flows_) watched.unseen += seconds;
    forgive();
  }

  ServiceId id_;
  EpochRig rig_;
  EpochModel model_;
  std::mt19937_64 random_;
  std::vector<Watched> flows_;
  std::size_t sent_ = 0;
  std::size_t changes_ = 0;
  std::size_t remembered_ = 0;
  std::size_t wrong_ = 0;
  std::size_t moved_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(epoch_life)

BOOST_DATA_TEST_CASE(flows_stay_through_random_changes, data::make(settings), setting) {
  Life life(setting);
  life.run(full_counts() ? 200'000 : 6'000);
  life.report();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
