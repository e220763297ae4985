// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Stops a command before those system calls that leave something behind when it dies: pins and
// links, updates of maps, folders and files, requests to change something by netlink.

#include <functional>

#include "tests/support/host.h"

namespace xdplb::test {

struct Traced {
  int status = 0;       // exit status; 128 + 9 if it was killed
  unsigned points = 0;  // such calls that it came to
  std::string out;      // of both streams
};

enum class Change { bpf, netlink, file };
enum class At { kill, go_on };
// Asks `then` before each of these calls, counted from 1, while the command waits.
Traced run_traced(const Host& host, const Words& command,
                  const std::function<At(unsigned point, Change change)>& then);

}  // namespace xdplb::test
