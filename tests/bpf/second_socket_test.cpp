// SPDX-License-Identifier: GPL-2.0-only
// What counts as this host's socket of a connection that a peer sends it packets of.
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "plugin/error.h"
#include "tests/bpf/packed.h"
#include "tests/support/http_client.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

const std::vector<std::string> modes{"l2", "ipip"};
Balancer& balancer() {
  static Balancer made;
  return made;
}

struct Cable {
  Cable() { ip_tool("link add way0 type veth peer name way1"); }
  ~Cable() { ip_tool("link del way0"); }
  Cable(const Cable&) = delete;
  Cable& operator=(const Cable&) = delete;
};

// A host with the VIP, and a way to the client.
struct Host : Packed {
  Host(const std::string& mode, bool v4)
      : Packed(xdplb::test::balancer(), mode, v4, v4),
        port(++last_port),
        vip_here(on_loopback(vip)) {
    for (const std::string end : {"way0", "way1"}) ip_tool("link set " + end + " up");
    ip_tool("route add " + client.to_string() + " dev way0");
    ip_tool("neigh add " + client.to_string() + " lladdr 02:00:5e:00:53:99 dev way0");
  }
  [[nodiscard]] PacketSpec packet() const {
    auto spec = Packed::packet();
    spec.sport = port;
    return spec;
  }
  [[nodiscard]] Fd listen() const {
    auto socket = bound_socket({vip, 80}, SOCK_STREAM);
    if (::listen(socket.get(), 8) != 0) throw SystemError(errno, "listening");
    return socket;
  }
  // From the client.
  void send_syn() const {
    auto spec = packet();
    spec.flags = 2;
    const auto frame = build(spec);
    const Fd raw(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    connect_socket(raw, {vip, 0});
    const auto at = l3_offset(spec);
    if (::send(raw.get(), frame.data() + at, frame.size() - at, 0) < 0)
      throw SystemError(errno, "sending a SYN");
  }

  // Another one each time: the kernel remembers connections for a while.
  static inline std::uint16_t last_port = 41000;
  std::uint16_t port;
  Setting vip_here;
  Cable cable{};
};

BOOST_AUTO_TEST_SUITE(second_socket)

BOOST_DATA_TEST_CASE(established, data::make(modes) * data::make({true, false}), mode, v4) {
  Host host(mode, v4);
  auto spec = host.packet();
  host.goes_on(spec);
  {
    const auto socket = connected_socket({host.vip, 80}, {host.client, host.port});
    host.stays(spec);
    host.stays(host.wrapped(host.error(host.port), host.peer, host.here));
    spec.sport++;
    host.goes_on(spec);
    host.goes_on(host.error(spec.sport), host.error(spec.sport, 3));
    spec.sport--;
  }
  host.goes_on(spec);
}

BOOST_DATA_TEST_CASE(a_listener_is_none_but_what_is_half_open_is,
                     data::make(modes) * data::make({true, false}), mode, v4) {
  Host host(mode, v4);
  const auto listener = host.listen();
  host.goes_on(host.packet());
  host.send_syn();
  host.stays(host.packet());
}

// The client's own connection: the server closes it first.
BOOST_DATA_TEST_CASE(time_wait, data::make(modes) * data::make({true, false}), mode, v4) {
  Host host(mode, v4);
  const Setting client_here(on_loopback(host.client));
  const auto listener = host.listen();
  {
    const auto client = bound_socket({host.client, host.port}, SOCK_STREAM);
    connect_socket(client, {host.vip, 80});
    const Fd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    BOOST_REQUIRE(::shutdown(server.get(), SHUT_WR) == 0);
    char none = 0;
    BOOST_TEST(::recv(client.get(), &none, 1, 0) == 0);
  }
  host.stays(host.packet());
}

class Cookies {
 public:
  Cookies() { set("2"); }
  ~Cookies() { set("1"); }
  Cookies(const Cookies&) = delete;
  Cookies& operator=(const Cookies&) = delete;

 private:
  static void set(const char* value) {
    std::ofstream("/proc/sys/net/ipv4/tcp_syncookies") << value;
  }
};

// What leaves for the client.
struct Tap {
  Tap() : socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(ETH_P_ALL);
    at.sll_ifindex = static_cast<int>(ifindex_of("way0"));
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0)
      throw SystemError(errno, "listening to an interface");
    const timeval patience{5, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  // Of the next SYN that is an answer.
  std::uint32_t sequence(bool v4) const {
    const std::size_t tcp = v4 ? 34 : 54;
    std::array<std::uint8_t, 256> frame{};
    while (::recv(socket.get(), frame.data(), frame.size(), 0) > 0)
      if (frame.at(tcp + 13) == 0x12)
        return std::uint32_t{frame.at(tcp + 4)} << 24 | frame.at(tcp + 5) << 16 |
               frame.at(tcp + 6) << 8 | frame.at(tcp + 7);
    throw std::runtime_error("there is no SYN-ACK");
  }
  Fd socket;
};

// Its connection has no socket until the client acknowledges the cookie.
// Where a client's flows share their slot, each has a cookie of its own.
BOOST_DATA_TEST_CASE(a_cookie,
                     data::make(modes) * data::make({true, false}) * data::make({true, false}),
                     mode, v4, shared) {
  Host host(mode, v4);
  ServiceChange change;
  change.source_prefix = shared ? 24 : 0;
  balancer().state().set_service(host.id, change);
  const Cookies cookies;
  const OneCpu one;
  const auto listener = host.listen();
  const Tap tap;
  host.send_syn();
  const auto sequence = tap.sequence(v4);
  const auto acknowledgement = [&](std::uint32_t number, std::uint8_t ttl) {
    auto spec = host.packet();
    spec.ttl = ttl;
    auto frame = build(spec);
    const auto tcp = l3_offset(spec) + (v4 ? 20 : 40);
    put16(frame, tcp + 6, static_cast<std::uint16_t>(get16(frame, tcp + 6) + 1));
    put16(frame, tcp + 8, static_cast<std::uint16_t>(number >> 16));
    put16(frame, tcp + 10, static_cast<std::uint16_t>(number));
    return frame;
  };
  const auto goes_on = [&](std::uint32_t number) {
    host.goes_on(acknowledgement(number, 64), acknowledgement(number, 3));
  };
  const auto stays = [&](std::uint32_t number) {
    host.stays(host.wrapped(acknowledgement(number, 64), host.peer, host.here));
  };
  goes_on(sequence + 1461);
  stays(sequence + 1);
  stays(sequence + 1461);  // what came with it
  host.port = ++host.last_port;
  goes_on(sequence + 1461);
  --host.port;
  if (mode != "l2" || !v4 || shared) return;
  std::this_thread::sleep_for(std::chrono::seconds(3));  // by then there would be a socket
  goes_on(sequence + 1461);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
