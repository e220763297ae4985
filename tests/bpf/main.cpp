// SPDX-License-Identifier: GPL-2.0-only
#include <exception>
#include <iostream>

#define BOOST_TEST_NO_MAIN
#define BOOST_TEST_ALTERNATIVE_INIT_API
#include <boost/test/unit_test.hpp>

#include "tests/support/bpf_fixture.h"

namespace {

bool init() {
  boost::unit_test::framework::master_test_suite().p_name.value = "xdp-lb data path";
  return true;
}

}  // namespace

// Namespaces are for a process with one thread: entered before anything else.
int main(int argc, char** argv) {
  try {
    xdplb::test::enter_sandbox();
  } catch (const xdplb::test::Skip& lack) {
    std::cerr << "skipped: " << lack.what() << '\n';
    return 77;
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
    return 1;
  }
  return boost::unit_test::unit_test_main(init, argc, argv);
}
