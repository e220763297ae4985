// SPDX-License-Identifier: GPL-2.0-only
// A change that is taken back unless it is confirmed.
#pragma once

#include <string>

#include "plugin/fd.h"
#include "plugin/plan.h"

namespace xdplb {

// Throws Error where a change waits to be confirmed.
void require_none_pending(const std::string& pin_path);

// What runs now is to be gone back to; made before the change.
class Pending {
 public:
  explicit Pending(const std::string& pin_path);

  void forget() const;  // where the change failed

  // After it: leaves a process behind that goes back when the time is over. False; and true in that
  // process, which is to end then.
  [[nodiscard]] bool go_back_after(unsigned seconds, const ApplyOptions& options) const;

 private:
  std::string file_;
  Fd lock_;  // the process left behind has it as well
};

// Keeps it. Throws NotLoaded where there is none.
void confirm_change(const std::string& pin_path);

}  // namespace xdplb
