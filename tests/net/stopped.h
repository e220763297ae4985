// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The loader, stopped in the middle: by ptrace(2), or when time has passed.

#include <functional>

#include "tests/support/host.h"

namespace xdplb::test {

// A process of which nobody reads what it says. Traced: it waits before its first instruction.
pid_t launch(const Host& host, const Words& command, bool traced = false);
int await(pid_t process);  // as waitpid(2) has it

// Does something before the first system call of which it is true, asked for each in turn, and has
// the command go on, or kills it. Returns its exit status, or 128 + N after signal N.
enum class Then { go_on, kill };
using IsCall = std::function<bool(long call)>;
int run_stopped(const Host& host, const Words& command, const IsCall& is_it, Then then,
                const std::function<void()>& meanwhile = {});
// Before the nth of this number.
int run_stopped(const Host& host, const Words& command, long call, int nth, Then then,
                const std::function<void()>& meanwhile = {});

}  // namespace xdplb::test
