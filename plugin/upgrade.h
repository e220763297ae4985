// SPDX-License-Identifier: GPL-2.0-only
// Another version of the component's programs in place of those that run, around the same maps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugin/component.h"

namespace xdplb {

struct UpgradeOptions {
  std::string pin_path{default_pin_path};
  std::optional<std::string> object;
  bool force = false;  // also where the object's programs run already
};

struct Upgraded {
  std::string interface;
  Component before, now;
  [[nodiscard]] bool changed() const { return before.id != now.id; }
};

struct Upgrade {
  std::vector<Upgraded> interfaces;
  Notes notes;
};

// On the interfaces named, or on all of this network namespace that have the component, one after
// the other. Mode, priority and actions stay. No packet goes without a component: the new one joins
// the chain before the old one leaves it. Where it throws, each interface runs the old or the new
// one; the same call again upgrades the rest.
Upgrade upgrade_component(const std::vector<std::string>& ifnames, const UpgradeOptions& options);

// PinLock, to change the maps. Where it can it completes upgrades that were killed in between: of
// several components of ours in one chain of this network namespace the newest stays.
class ChangeLock {
 public:
  explicit ChangeLock(const std::string& pin_path,
                      PinLock::Missing missing = PinLock::Missing::leave);

 private:
  PinLock lock_;
};

}  // namespace xdplb
