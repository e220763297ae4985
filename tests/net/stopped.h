// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The loader, stopped in the middle by ptrace(2).

#include <functional>

#include "tests/support/host.h"

namespace xdplb::test {

// Does something before the command's nth system call of this number, and has it go on, or kills
// it. Returns its exit status, or 128 + N after signal N.
enum class Then { go_on, kill };
int run_stopped(const Host& host, const Words& command, long call, int nth, Then then,
                const std::function<void()>& meanwhile = {});

}  // namespace xdplb::test
