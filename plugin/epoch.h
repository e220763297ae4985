// SPDX-License-Identifier: GPL-2.0-only
// What a change of a service's table makes of one slot (bpf/exception.h): flows that nothing is
// remembered of stay with their backend as long as it keeps them, whatever changes how often.
#pragma once

#include <cstdint>

#include "bpf/abi.h"

namespace xdplb {

// Where flows go that nothing is remembered of.
constexpr std::uint16_t base_of(const lb_slot& slot, bool phase_1) {
  return phase_1 ? slot.previous : slot.current;
}

// Seconds until the slot's phase 1 is over; 0: it isn't in it.
inline std::uint32_t phase_1_left(const lb_slot& slot, std::uint32_t deadline, std::uint32_t now) {
  return lb_phase_1(slot, deadline, now) != 0 ? deadline - now : 0;
}

constexpr bool is_clean(const lb_slot& slot) { return slot.current == slot.previous; }

struct SlotChange {
  lb_slot slot;
  bool enters;  // phase 1: its deadline is to be written before
  bool marks;   // and before that LB_SLOT_KEEPS, since the old deadline has a meaning still
};

// now is in phase 1, or isn't; wanted: the new current backend, 0 for none; base_stays: the backend
// of flows that nothing is remembered of keeps them.
SlotChange change_slot(const lb_slot& now, bool phase_1, std::uint16_t wanted, bool base_stays);

// The slot when nothing waits for its deadline any more; live: flows are remembered that go
// elsewhere than to its current backend.
lb_slot close_slot(const lb_slot& now, bool live);

}  // namespace xdplb
