// SPDX-License-Identifier: GPL-2.0-only
// A change that is taken back unless it is confirmed.
#pragma once

#include <string>

#include "plugin/fd.h"
#include "plugin/plan.h"

namespace xdplb {

// Held while a configuration is applied, confirmed or taken back, one after the other. Waits for
// that.
class Turn {
 public:
  explicit Turn(const std::string& pin_path);
  void pass() { lock_ = Fd(); }

 private:
  Fd lock_;
};

// Throws Error where a change waits to be confirmed, or is to be taken back. Callers have the turn.
void require_none_pending(const std::string& pin_path);

// Made before the change, with the turn: what runs now is to be gone back to. Throws Error where
// there is no object for interfaces that the change unloads.
class Pending {
 public:
  Pending(Turn& turn, const Config& change, const ApplyOptions& options);

  // Leaves a process behind that goes back: when the time is over, or at once where this one dies
  // or fails before it says done(). False; and true in that process, which is to end then.
  [[nodiscard]] bool guard(unsigned seconds);

  void done();                   // the time begins
  void forget();                 // nothing was changed
  [[nodiscard]] bool go_back();  // now; false where it can't be

 private:
  void keep_object();
  void watch(unsigned seconds);
  [[nodiscard]] bool claim() const;
  void take_back();
  [[nodiscard]] char hear() const;
  void say(char word) const;

  ApplyOptions options_;  // for going back
  std::string file_;
  Turn& turn_;
  Config before_;
  Fd object_;
  Fd mark_;   // the file's, locked: both processes have it, and without one nobody would go back
  Fd other_;  // to the other process
};

// Keeps it. Throws NotLoaded where there is none.
void confirm_change(const std::string& pin_path);

}  // namespace xdplb
