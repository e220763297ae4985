// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/tap.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>

#include "plugin/error.h"

namespace xdplb::test {

namespace {

constexpr std::uint32_t kept = 1;  // bytes of a frame: that it was there is all there is to know

sock_filter statement(unsigned code, std::uint32_t k) {
  return BPF_STMT(static_cast<std::uint16_t>(code), k);
}

// Goes on if the word loaded is k, else leaves by the last statement, `left` statements below.
sock_filter require(std::uint32_t k, std::size_t left) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, static_cast<std::uint8_t>(left));
}

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | bytes[3];
}

std::vector<sock_filter> with_address(const Address& address, unsigned v4_offset,
                                      unsigned v6_offset) {
  const std::size_t words = address.is_v4() ? 1 : 4;
  const auto* bytes = address.wire().data();
  const unsigned offset = ETH_HLEN + (address.is_v4() ? v4_offset : v6_offset);
  std::vector<sock_filter> filter{statement(BPF_LD | BPF_H | BPF_ABS, 12),
                                  require(address.is_v4() ? ETH_P_IP : ETH_P_IPV6, 2 * words + 1)};
  for (std::size_t i = 0; i < words; ++i) {
    filter.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offset + 4 * static_cast<unsigned>(i)));
    filter.push_back(require(big_endian(bytes + 4 * i), 2 * (words - i - 1) + 1));
  }
  filter.push_back(statement(BPF_RET | BPF_K, kept));
  filter.push_back(statement(BPF_RET | BPF_K, 0));
  return filter;
}

}  // namespace

std::vector<sock_filter> from_address(const Address& address) {
  return with_address(address, 12, 8);
}

std::vector<sock_filter> to_address(const Address& address) {
  return with_address(address, 16, 24);
}

std::vector<sock_filter> longer_than(std::uint32_t bytes) {
  return {statement(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, bytes, 0, 1),
          statement(BPF_RET | BPF_K, kept), statement(BPF_RET | BPF_K, 0)};
}

std::vector<sock_filter> tagged(std::uint16_t vlan) {
  return {statement(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT),
          require(1, 3),
          statement(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG),
          require(vlan, 1),
          statement(BPF_RET | BPF_K, kept),
          statement(BPF_RET | BPF_K, 0)};
}

Tap::Tap(const Host& host, const std::string& ifname, const std::vector<sock_filter>& filter) {
  const auto index = host.ifindex(ifname);
  const Inside here(host);
  socket_ = Fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));  // hears nothing yet
  if (!socket_) throw SystemError(errno, "making a packet socket");
  const sock_fprog program{static_cast<std::uint16_t>(filter.size()),
                           const_cast<sock_filter*>(filter.data())};
  if (::setsockopt(socket_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
    throw SystemError(errno, "filtering a packet socket");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    throw SystemError(errno, "binding a packet socket to " + ifname);
}

// Those that found no room in the socket are among the packets counted.
std::uint64_t Tap::count() {
  tpacket_stats stats{};
  socklen_t size = sizeof(stats);
  if (::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0)
    throw SystemError(errno, "asking a packet socket for its counters");
  count_ += stats.tp_packets;
  return count_;
}

}  // namespace xdplb::test
