// SPDX-License-Identifier: GPL-2.0-only
// The component in real chains. Runs in the guest alone, as run_chain_test.sh starts it: it mounts
// and unmounts /sys/fs/bpf.
#include <sys/mount.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>

#define BOOST_TEST_NO_MAIN
#define BOOST_TEST_ALTERNATIVE_INIT_API
#include <boost/test/unit_test.hpp>

#include "tests/support/host.h"

namespace {

bool init() {
  boost::unit_test::framework::master_test_suite().p_name.value = "xdp-lb in a chain";
  return true;
}

// As a package does it: commands in the tests are those of the manual.
void install() {
  std::filesystem::create_symlink("/vm/xdp-lb", "/usr/sbin/xdp-lb");
  std::filesystem::create_directories(XDP_LB_OBJECT_DIR);
  std::filesystem::create_symlink("/vm/xdp_lb.bpf.o", XDP_LB_OBJECT_DIR "/xdp_lb.bpf.o");
  std::filesystem::create_directories("/run/netns");
  ::umount2("/sys/fs/bpf", MNT_DETACH);  // each test mounts its own
}

void print_versions() {
  utsname names{};
  ::uname(&names);
  std::cout << "Linux " << names.release << '\n' << std::flush;
  if (std::system("dpkg-query -W -f '${Package} ${Version}\\n' libxdp1 libbpf1 xdp-tools") != 0)
    std::cout << "no versions of packages\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (std::getenv("XDPLB_GUEST") == nullptr) {
    std::cerr << "skipped: this is for the guest; tests/vm/run_chain_test.sh runs it there\n";
    return 77;
  }
  try {
    xdplb::test::require_tools(
        {"ip", "ethtool", "nginx", "xdp-loader", "xdp-filter", "nsenter", "keepalived", "ipvsadm"});
    install();
    print_versions();
    return boost::unit_test::unit_test_main(init, argc, argv);
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
    return 1;
  }
}
