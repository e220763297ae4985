// SPDX-License-Identifier: GPL-2.0-only
#include <exception>
#include <iostream>

#define BOOST_TEST_NO_MAIN
#define BOOST_TEST_ALTERNATIVE_INIT_API
#include <boost/test/unit_test.hpp>

#include "tests/support/bpf_fixture.h"

namespace {

// Each suite has a network of its own: what others leave there, and their order, is nothing to it.
class Isolation : public boost::unit_test::test_observer {
  void test_unit_start(const boost::unit_test::test_unit& unit) override {
    if (unit.p_parent_id == boost::unit_test::framework::master_test_suite().p_id)
      xdplb::test::renew_network();
  }
  int priority() override { return 4; }  // behind the framework's own, which expect to be first
} isolation;

bool init() {
  boost::unit_test::framework::register_observer(isolation);
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
