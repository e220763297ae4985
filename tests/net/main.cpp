// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include <exception>
#include <iostream>

#define BOOST_TEST_NO_MAIN
#define BOOST_TEST_ALTERNATIVE_INIT_API
#include <boost/test/unit_test.hpp>

#include "tests/support/bpf_fixture.h"
#include "tests/support/host.h"

namespace {

bool init() {
  boost::unit_test::framework::master_test_suite().p_name.value = "xdp-lb on a network";
  return true;
}

int run(int argc, char** argv) {
  using namespace xdplb::test;
  if (::geteuid() != 0) throw Skip("only root can make networks");
  require_tools({"curl", "ethtool", "ip", "nginx", "tc"});
  return run_isolated([&] { return boost::unit_test::unit_test_main(init, argc, argv); });
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const xdplb::test::Skip& lack) {
    std::cerr << "skipped: " << lack.what() << '\n';
    return 77;
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
    return 1;
  }
}
