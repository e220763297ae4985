// SPDX-License-Identifier: GPL-2.0-only
#include "tests/vm/wire.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <functional>

#include "plugin/error.h"
#include "tests/support/packet.h"

namespace xdplb::test {

namespace {

constexpr int room = 4 << 20;  // bytes, for a burst of jumbo frames
constexpr std::uint8_t sent_ttl = 64;
constexpr std::size_t ttl_at = ETH_HLEN + 8;
constexpr std::size_t port_at = ETH_HLEN + 20 + 2;

Fd packet_socket(const Host& host, const std::string& ifname) {
  const auto index = host.ifindex(ifname);
  const Inside here(host);
  Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw SystemError(errno, "making a packet socket");
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0)
    throw SystemError(errno, "setting a packet socket's option");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_IP);
  address.sll_ifindex = static_cast<int>(index);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    throw SystemError(errno, "binding a packet socket to " + ifname);
  return socket;
}

Mac destination(const Bytes& frame) {
  Mac mac{};
  std::copy_n(frame.begin(), mac.size(), mac.begin());
  return mac;
}

bool is_balanced(const Bytes& frame) {
  return (destination(frame) == wire_mac(1) || destination(frame) == wire_mac(2)) &&
         frame[ttl_at] == sent_ttl - 1;
}

void each_frame(const Fd& socket, const std::function<void(const Bytes&)>& look) {
  std::array<std::uint8_t, 10240> buffer{};
  while (true) {
    const auto size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) throw SystemError(errno, "reading a packet socket");
    if (static_cast<std::size_t>(size) >= port_at + 2)
      look(Bytes(buffer.begin(), buffer.begin() + size));
  }
}

}  // namespace

Mac wire_mac(unsigned number) {
  return {0x02, 0x00, 0x5e, 0x00, 0x53, static_cast<std::uint8_t>(0x80 + number)};
}

std::ostream& operator<<(std::ostream& out, const Traffic& traffic) {
  for (const auto& [port, seen] : traffic.by_port)
    out << " port " << port << ": " << seen.balanced << " balanced, " << seen.passed << " passed, "
        << seen.counted << " counted;";
  return out;
}

Wire::Wire(const Host& host, const std::string& ifname, const std::string& far_end)
    : near_mac_(host.mac(ifname)),
      far_mac_(host.mac(far_end)),
      near_(packet_socket(host, ifname)),
      far_(packet_socket(host, far_end)) {}

void Wire::send(std::uint16_t port, unsigned count, std::size_t payload) {
  for (unsigned i = 0; i < count; ++i) {
    if (++source_port_ == 0) source_port_ = 1024;
    const auto frame = build({.dst = near_mac_,
                              .src = far_mac_,
                              .from = ip(client_address),
                              .to = ip(vip_address),
                              .sport = source_port_,
                              .dport = port,
                              .ttl = sent_ttl,
                              .payload = payload});
    if (::send(far_.get(), frame.data(), frame.size(), 0) < 0)
      throw SystemError(errno, "sending a frame");
  }
}

void Wire::look(Traffic& traffic) {
  each_frame(near_, [&](const Bytes& frame) { traffic.by_port[get16(frame, port_at)].passed++; });
  each_frame(far_, [&](const Bytes& frame) {
    if (is_balanced(frame)) traffic.by_port[get16(frame, port_at)].balanced++;
  });
}

}  // namespace xdplb::test
