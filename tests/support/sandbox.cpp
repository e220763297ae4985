// SPDX-License-Identifier: GPL-2.0-only
// tests/support/bpf_fixture.h: the sandbox.
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

#include "plugin/error.h"
#include "plugin/fd.h"
#include "tests/support/bpf_fixture.h"

namespace xdplb::test {

namespace {

bool in_sandbox = false;

[[noreturn]] void skip(const std::string& what, int error) {
  throw Skip(what + ": " + std::strerror(error));
}

void require_bpf() {
  const std::array<bpf_insn, 2> pass{
      {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  const Fd program(
      ::bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", pass.data(), pass.size(), nullptr));
  if (!program) skip("loading a BPF program", errno);
}

std::string fact(const std::string& file) {
  std::string text;
  std::getline(std::ifstream(file), text);
  return text;
}

dev_t network_namespace() {
  struct stat status {};
  if (::stat("/proc/self/ns/net", &status) != 0) throw SystemError(errno, "looking at ns/net");
  return status.st_ino;
}

ifreq request(const std::string& ifname, unsigned long command) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq interface {};
  ifname.copy(interface.ifr_name, sizeof(interface.ifr_name) - 1);
  if (!socket || ::ioctl(socket.get(), command, &interface) != 0)
    throw SystemError(errno, "asking for interface " + ifname);
  return interface;
}

void set_up_loopback() {
  ip_tool("link set lo up");
  set_sysctl("ipv4/conf/lo/forwarding", "0");
  set_sysctl("ipv6/conf/lo/forwarding", "0");
}

}  // namespace

void enter_sandbox() {
  const auto outside = network_namespace();
  if (::unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) skip("making namespaces", errno);
  if (network_namespace() == outside) throw Skip("the network namespace is still the old one");
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    skip("making mounts private", errno);
  if (::mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700") != 0)
    skip("mounting a bpffs on /sys/fs/bpf", errno);
  require_bpf();
  in_sandbox = true;
  try {
    set_up_loopback();
    ip_tool("link add probe0 type veth peer name probe1");
    ip_tool("link del probe0");
  } catch (const std::exception& failure) {
    throw Skip(failure.what());
  }
}

void renew_network() {
  if (!in_sandbox) throw std::logic_error("a network is left for another in the sandbox alone");
  if (::unshare(CLONE_NEWNET) != 0) throw SystemError(errno, "making a network namespace");
  set_up_loopback();
}

OneCpu::OneCpu() {
  ::sched_getaffinity(0, sizeof(before_), &before_);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &one);
  if (::sched_setaffinity(0, sizeof(one), &one) != 0) throw SystemError(errno, "staying on a CPU");
}
OneCpu::~OneCpu() { ::sched_setaffinity(0, sizeof(before_), &before_); }

void ip_tool(const std::string& arguments) {
  if (!in_sandbox) throw std::logic_error("ip(8) is for the sandbox alone");
  const auto command = "ip " + arguments;
  if (std::system(command.c_str()) != 0) throw std::runtime_error("'" + command + "' failed");
}

void set_sysctl(const std::string& name, const std::string& value) {
  if (!in_sandbox) throw std::logic_error("sysctls are for the sandbox alone");
  const auto file = "/proc/sys/net/" + name;
  std::ofstream(file) << value << std::flush;
  if (fact(file) != value) throw std::runtime_error("writing " + value + " to " + file + " failed");
}

std::uint32_t ifindex_of(const std::string& ifname) {
  return static_cast<std::uint32_t>(request(ifname, SIOCGIFINDEX).ifr_ifindex);
}

Mac mac_of(const std::string& ifname) {
  const auto interface = request(ifname, SIOCGIFHWADDR);
  Mac mac{};
  std::memcpy(mac.data(), interface.ifr_hwaddr.sa_data, mac.size());
  return mac;
}

std::uint64_t test_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("XDPLB_TEST_SEED");
    const std::uint64_t number = given != nullptr ? std::strtoull(given, nullptr, 0) : 20221122;
    std::cout << "seed: XDPLB_TEST_SEED=" << number << '\n';
    return number;
  }();
  return seed;
}

bool full_counts() {
  const char* asked = std::getenv("XDPLB_TEST_FULL");
  return asked != nullptr && std::string(asked) == "1";
}

}  // namespace xdplb::test
