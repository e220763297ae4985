// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Death at a chosen store. A child process makes a change of the state with the maps' pages write
// protected: each store into them faults, is counted, and is then made alone, in single step. So a
// test can have the change end at each point that another process, or a packet, could ever see.

#include <boost/test/unit_test.hpp>
#include <functional>

#include "tests/support/bpf_fixture.h"

namespace xdplb::test {

enum class Moment { before, after };  // the store that is not, or just, made

struct Death {
  unsigned store;  // 1 for the first; 0: none, the change is made whole
  Moment moment;
};

// What a child did.
struct Ending {
  bool died;        // where it was told to
  unsigned stores;  // into the maps, if it lived
};

// Forks; the process must have one thread. The maps are left as the child left them. Throws where
// the child neither did its work nor died where it was told to.
Ending run_until(const Balancer& balancer, const Death& death, const std::function<void()>& change);

// Single step is done on x86-64 alone.
bool can_trap_stores();
// As a test's precondition.
boost::test_tools::assertion_result traps(boost::unit_test::test_unit_id);

}  // namespace xdplb::test
