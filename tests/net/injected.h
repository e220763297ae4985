// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The loader under strace(1), which kills it at a system call, or has the call fail.

#include <boost/test/unit_test.hpp>
#include <string>

#include "tests/support/host.h"

namespace xdplb::test {

// The system calls of a kind that the loader makes where nothing goes wrong, as strace writes them.
Words calls_of(const Host& host, const std::string& call, const std::string& line);

int count_calls(const Host& host, const std::string& call, const std::string& line);

// Outside its process. Maps and programs that it makes are its own until it pins or links them.
bool changes_something(const std::string& call);

// What happens at the nth of them: "signal=KILL", "error=ENOMEM".
Outcome run_injected(const Host& host, const std::string& call, const std::string& what, int nth,
                     const std::string& line);

// As a test's precondition.
boost::test_tools::assertion_result has_strace(boost::unit_test::test_unit_id);

}  // namespace xdplb::test
