// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/flood.h"

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>

#include "plugin/error.h"
#include "tests/support/bpf_fixture.h"
#include "tests/support/packet.h"

namespace xdplb::test {

namespace {

constexpr std::size_t batch = 64;
constexpr double most_seconds = 300;  // seconds

Fd packet_socket(unsigned ifindex) {
  Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));  // hears nothing
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(ifindex);
  if (!socket ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    throw SystemError(errno, "making a packet socket");
  return socket;
}

Bytes random_syn(PacketSpec& spec, std::mt19937_64& random) {
  const auto number = random();
  std::array<std::uint8_t, 16> from{};
  from[10] = from[11] = 0xff;
  from[12] = 198;
  from[13] = static_cast<std::uint8_t>(18 | (number & 1));
  from[14] = static_cast<std::uint8_t>(number >> 8);
  from[15] = static_cast<std::uint8_t>(number >> 16);
  spec.from = Address(from);
  spec.sport = static_cast<std::uint16_t>(number >> 32);
  return build(spec);
}

void send(const Fd& socket, std::vector<Bytes>& frames) {
  std::array<iovec, batch> parts{};
  std::array<mmsghdr, batch> messages{};
  for (std::size_t i = 0; i < frames.size(); ++i) {
    parts[i] = {frames[i].data(), frames[i].size()};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (std::size_t sent = 0; sent < frames.size();) {
    const int count = ::sendmmsg(socket.get(), messages.data() + sent,
                                 static_cast<unsigned>(frames.size() - sent), 0);
    if (count < 0 && errno != ENOBUFS) throw SystemError(errno, "sending a flood");
    sent += static_cast<std::size_t>(std::max(count, 0));
  }
}

int send_flood(const Fd& socket, PacketSpec spec, int count) {
  std::mt19937_64 random(test_seed());
  std::vector<Bytes> frames;
  for (; count > 0; --count) {
    frames.push_back(random_syn(spec, random));
    if (frames.size() < batch && count > 1) continue;
    send(socket, frames);
    frames.clear();
  }
  return 0;
}

}  // namespace

void flood(Site& site, const TestService& service, int count) {
  for (const auto& web : site.webs) web.ip("route replace blackhole 198.18.0.0/15");
  PacketSpec spec{.dst = site.router.mac("wan"), .src = site.client.mac("eth0")};
  spec.to = service.vip();
  spec.dport = service.endpoint().port;
  spec.flags = 0x02;
  spec.payload = 0;
  const auto ifindex = site.client.ifindex("eth0");
  const auto sender =
      site.client.start([&] { return send_flood(packet_socket(ifindex), spec, count); });
  const bool sent = wait_until([&] { return !Host::runs(sender); }, most_seconds);
  site.client.stop(sender);
  if (!sent) throw std::runtime_error("the flood doesn't end");
}

}  // namespace xdplb::test
