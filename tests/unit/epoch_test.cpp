// SPDX-License-Identifier: GPL-2.0-only
// What a change makes of a slot, over all slots of a few backends.
#include <boost/test/unit_test.hpp>

#include "plugin/epoch.h"

namespace xdplb {

namespace {

constexpr std::uint16_t none = 0;
constexpr std::uint16_t keeps = LB_SLOT_KEEPS;

struct Case {
  lb_slot slot;
  bool phase_1;
  std::uint16_t wanted;
  bool base_stays;
};

// Slots of the backends 1 to 3, in each phase that they can be in.
std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const std::uint16_t current : {0, 1, 2, 3})
    for (const std::uint16_t previous : {0, 1, 2, 3, int{keeps}})
      for (const bool phase_1 : {false, true})
        for (const std::uint16_t wanted : {0, 1, 2, 3})
          for (const bool stays : {false, true}) {
            const bool can_wait = current != previous && previous != keeps && previous != none;
            if (!phase_1 || can_wait)
              cases.push_back({{current, previous}, phase_1, wanted, stays});
          }
  return cases;
}

// Where flows go that nothing is remembered of, once what was made is in force.
std::uint16_t unknown_after(const Case& now, const SlotChange& made) {
  return base_of(made.slot, made.enters || (now.phase_1 && made.slot.previous != keeps &&
                                            !is_clean(made.slot)));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(epoch)

BOOST_AUTO_TEST_CASE(new_flows_go_to_the_wanted_backend) {
  for (const auto& [slot, phase_1, wanted, stays] : all_cases())
    BOOST_TEST(change_slot(slot, phase_1, wanted, stays).slot.current == wanted);
}

BOOST_AUTO_TEST_CASE(unknown_flows_stay_while_their_backend_keeps_them) {
  for (const auto& now : all_cases()) {
    const auto base = base_of(now.slot, now.phase_1);
    const auto made = change_slot(now.slot, now.phase_1, now.wanted, now.base_stays);
    const auto expected = base != none && now.base_stays ? base : now.wanted;
    BOOST_TEST(unknown_after(now, made) == expected);
  }
}

// Only a clean slot has nothing remembered, and only where unknown flows needn't wait.
BOOST_AUTO_TEST_CASE(what_is_remembered_stays_in_force) {
  for (const auto& now : all_cases()) {
    const auto made = change_slot(now.slot, now.phase_1, now.wanted, now.base_stays);
    if (!is_clean(now.slot)) BOOST_TEST(!is_clean(made.slot));
    if (is_clean(now.slot) && now.wanted == now.slot.current) BOOST_TEST(is_clean(made.slot));
  }
}

// A deadline is written where phase 1 begins, and is left alone while it lasts. Before, the slot
// must not mean anything by it.
BOOST_AUTO_TEST_CASE(deadlines_are_written_when_nothing_reads_them) {
  for (const auto& now : all_cases()) {
    const auto made = change_slot(now.slot, now.phase_1, now.wanted, now.base_stays);
    const bool waits = !is_clean(made.slot) && made.slot.previous != keeps;
    BOOST_TEST(made.enters == (waits && !now.phase_1));
    const bool reads = !is_clean(now.slot) && now.slot.previous != keeps;
    BOOST_TEST(made.marks == (made.enters && reads));
  }
}

BOOST_AUTO_TEST_CASE(closed) {
  BOOST_TEST(is_clean(close_slot({2, 1}, false)));
  BOOST_TEST(close_slot({2, 1}, false).current == 2);
  BOOST_TEST(close_slot({2, 1}, true).previous == keeps);
  BOOST_TEST(is_clean(close_slot({2, keeps}, false)));
}

// Entries hold what they were made of.
BOOST_AUTO_TEST_CASE(entries) {
  constexpr std::uint64_t hash = 0x123456789abcdef0;
  for (const std::uint32_t now : {0U, 5U, 0x7fffU, 0x8000U, 0x12345678U}) {
    const auto entry = lb_exception(hash, 65534, 1, now);
    BOOST_TEST(static_cast<std::uint32_t>(entry) == 0x9abcdef0U);
    BOOST_TEST(lb_exception_handle(entry) == 65534U);
    BOOST_TEST((entry & LB_EXCEPTION_CONFIRMED) != 0U);
    BOOST_TEST(lb_exception_age(entry, now + 900) == 900U);
    BOOST_TEST(lb_exception_age(entry, now - 1) == 0U);  // used since the time was read
    BOOST_TEST((lb_exception(hash, 1, 0, now) & LB_EXCEPTION_CONFIRMED) == 0U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb
