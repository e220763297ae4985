// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include "tests/support/host.h"

namespace xdplb::test {

// A mount namespace of a host's own, in which a shell has run the script.
class MountNamespace {
 public:
  MountNamespace(Host& host, const std::string& script);
  // The command, as one that runs there.
  [[nodiscard]] Words inside(const Words& command) const;

 private:
  pid_t keeper_;
};

}  // namespace xdplb::test
