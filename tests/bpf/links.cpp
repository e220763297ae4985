// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/links.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "plugin/error.h"

namespace xdplb::test {

namespace {

void make_pair(const std::string& name, const std::string& ipv4, const std::string& ipv6) {
  const auto near = name + "0";
  const auto far = name + "1";
  ip_tool("link add " + near + " type veth peer name " + far);
  for (const auto& end : {near, far}) ip_tool("link set " + end + " up");
  ip_tool("addr add " + ipv4 + " dev " + near);
  ip_tool("addr add " + ipv6 + " dev " + near + " nodad");
  set_sysctl("ipv4/conf/" + near + "/forwarding", "1");
  set_sysctl("ipv6/conf/" + near + "/forwarding", "1");
}

}  // namespace

Links links() {
  if (::if_nametoindex("in0") == 0) {
    make_pair("in", "10.9.0.1/24", "2001:db8:9::1/64");
    make_pair("out", "10.9.1.1/24", "2001:db8:a::1/64");
  }
  return {ifindex_of("in0"), ifindex_of("out0")};
}

void set_neighbour(const std::string& address, const std::string& ifname, const Mac& mac) {
  ip_tool("neigh replace " + address + " lladdr " + to_string(mac) + " dev " + ifname +
          " nud permanent");
}

Capture::Capture(const std::string& ifname)
    : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(ifindex_of(ifname));
  const timeval wait{0, 50'000};
  if (!socket_ ||
      ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0)
    throw SystemError(errno, "listening on " + ifname);
}

std::optional<Bytes> Capture::wait_for(const std::function<bool(const Bytes&)>& wanted) const {
  std::optional<Bytes> found;
  within_two_seconds([&] {
    Bytes frame(65536);
    const auto size = ::recv(socket_.get(), frame.data(), frame.size(), 0);
    if (size < 0) return false;
    frame.resize(static_cast<std::size_t>(size));
    if (wanted(frame)) found = frame;
    return found.has_value();
  });
  return found;
}

void attach_pass(const std::string& ifname) {
  const std::array<bpf_insn, 2> pass{
      {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  const Fd program(
      ::bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", pass.data(), pass.size(), nullptr));
  const int error = ::bpf_xdp_attach(static_cast<int>(ifindex_of(ifname)), program.get(),
                                     XDP_FLAGS_DRV_MODE, nullptr);
  if (error != 0) throw SystemError(-error, "attaching to " + ifname);
}

bool within_two_seconds(const std::function<bool()>& holds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(2);
  while (!holds()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace xdplb::test
