// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/epoch.h"

namespace xdplb {

SlotChange change_slot(const lb_slot& now, bool phase_1, std::uint16_t wanted, bool base_stays) {
  const auto base = base_of(now, phase_1);
  if (base == 0 || base == wanted || !base_stays) {
    if (is_clean(now)) return {{wanted, wanted}, false, false};
    return {{wanted, LB_SLOT_KEEPS}, false, false};
  }
  const bool enters = !phase_1;
  return {{wanted, base}, enters, enters && !is_clean(now) && now.previous != LB_SLOT_KEEPS};
}

lb_slot close_slot(const lb_slot& now, bool live) {
  return {now.current, live ? std::uint16_t{LB_SLOT_KEEPS} : now.current};
}

}  // namespace xdplb
