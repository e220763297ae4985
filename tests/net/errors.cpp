// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/errors.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>

#include "plugin/error.h"

namespace xdplb::test {

namespace {

constexpr std::uint16_t backend_port = 5353;
constexpr int short_life = 3;  // hops: ends at the router behind the balancer, either way
constexpr int long_life = 64;
constexpr int most_wait = 3000;  // milliseconds

void set(const Fd& socket, bool v4, int v4_option, int v6_option, int value) {
  if (::setsockopt(socket.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? v4_option : v6_option, &value,
                   sizeof(value)) != 0)
    throw SystemError(errno, "setting a socket option");
}

void set_life(const Fd& socket, bool v4, int hops) {
  set(socket, v4, IP_TTL, IPV6_UNICAST_HOPS, hops);
}

// A socket that hears of errors.
Fd hearing_socket(const Endpoint& at, int type, int life) {
  auto socket = bound_socket(at, type);
  set(socket, at.address.is_v4(), IP_RECVERR, IPV6_RECVERR, 1);
  set_life(socket, at.address.is_v4(), life);
  return socket;
}

void send(const Fd& socket) {
  if (::send(socket.get(), "?", 1, 0) < 0) throw SystemError(errno, "sending a datagram");
}

std::string offender(const sock_extended_err* error) {
  const auto* from = SO_EE_OFFENDER(error);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (from->sa_family == AF_INET)
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(from)->sin_addr, text.data(),
                text.size());
  else
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(from)->sin6_addr, text.data(),
                text.size());
  return text.data();
}

// "TYPE/CODE from ADDRESS" of the next error that the socket hears of.
std::string next_error(const Fd& socket) {
  pollfd ready{socket.get(), 0, 0};
  if (::poll(&ready, 1, most_wait) != 1) return "none";
  alignas(cmsghdr) std::array<char, 512> control{};
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket.get(), &message, MSG_ERRQUEUE) < 0)
    throw SystemError(errno, "asking for an error");
  int pending = 0;  // the same once more, for the next call
  socklen_t size = sizeof(pending);
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &pending, &size);
  for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_type != IP_RECVERR && part->cmsg_type != IPV6_RECVERR) continue;
    const auto* error = reinterpret_cast<const sock_extended_err*>(CMSG_DATA(part));
    return std::to_string(error->ee_type) + "/" + std::to_string(error->ee_code) + " from " +
           offender(error);
  }
  return "nothing";
}

std::string expired(const std::string& from, bool v4) {
  return (v4 ? "11/0" : "3/0") + (" from " + from);
}
std::string refused(const std::string& from, bool v4) {
  return (v4 ? "3/3" : "1/4") + (" from " + from);
}

// Datagrams to a backend whose port is closed. Who says so is of the backends' net: the VIP.
void check_client_hears(const Site& site, const Endpoint& from, const Endpoint& service) {
  const bool v4 = from.address.is_v4();
  const auto vip = service.address.to_string();
  const Inside here(site.client);
  const auto socket = hearing_socket(from, SOCK_DGRAM, short_life);
  connect_socket(socket, service);
  send(socket);
  BOOST_TEST(next_error(socket) == expired(vip, v4));
  set_life(socket, v4, long_life);
  send(socket);
  BOOST_TEST(next_error(socket) == refused(vip, v4));
}

void check_client_cant_connect(const Site& site, const Endpoint& from, const Endpoint& service) {
  const Inside here(site.client);
  const auto socket = hearing_socket(from, SOCK_STREAM, short_life);
  BOOST_CHECK_EXCEPTION(connect_socket(socket, service), SystemError,
                        [](const SystemError& failure) { return failure.error() == EHOSTUNREACH; });
  BOOST_TEST(next_error(socket) == expired(service.address.to_string(), from.address.is_v4()));
}

// Waits for a datagram, and connects the socket to whom it is from. Returns the address.
std::string meet(const Fd& socket) {
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  char byte = 0;
  auto* address = reinterpret_cast<sockaddr*>(&from);
  if (::recvfrom(socket.get(), &byte, 1, 0, address, &size) < 0)
    throw SystemError(errno, "waiting for a datagram");
  if (::connect(socket.get(), address, size) != 0) throw SystemError(errno, "connecting back");
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::getnameinfo(address, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return text.data();
}

// The backend's answer ends at the router, then at the client, who isn't there any more. Mode
// fullnat hides both: they are the pool's address to the backend.
void check_backend_hears(const Site& site, const Endpoint& from, const Endpoint& service,
                         const Endpoint& backend, bool hidden) {
  const bool v4 = from.address.is_v4();
  const auto socket = [&] {
    const Inside here(site.webs[3]);
    return hearing_socket(backend, SOCK_DGRAM, short_life);
  }();
  {
    const Inside here(site.client);
    const auto question = bound_socket(from, SOCK_DGRAM);
    connect_socket(question, service);
    send(question);
  }
  const auto peer = meet(socket);
  BOOST_TEST((peer == from.address.to_string()) != hidden);
  send(socket);
  const std::string router = v4 ? "10.2.0.1" : "fd00:2::1";
  BOOST_TEST(next_error(socket) == expired(hidden ? peer : router, v4));
  set_life(socket, v4, long_life);
  send(socket);
  BOOST_TEST(next_error(socket) == refused(peer, v4));
}

// Full-size packets don't fit behind the gateway: it tells the client.
void check_upload(const Site& site, const Endpoint& from, const Endpoint& service) {
  forget_paths(site.client);
  const auto sent = random_bytes(1'000'000);
  {
    const Inside here(site.client);
    HttpConnection connection(from, service);
    BOOST_TEST(path_mtu(site.client, service.address) == 0U);
    BOOST_TEST(connection.put("/file/upload", sent).status == 201);
    BOOST_TEST((connection.get("/file/upload").body == sent));
  }
  BOOST_TEST((site.file(3, "upload") == sent));
  site.remove_file(3, "upload");
  BOOST_TEST(path_mtu(site.client, service.address) == narrow);
}

}  // namespace

void check_errors(const Site& site, const Loader& loader, const std::string& forward, bool v4) {
  const auto options = forward_options(forward, v4);
  const Address web4 = Address::parse(v4 ? "10.5.0.24" : "fd00:5::24");
  const auto at = [&](std::uint16_t port) { return BackendId{web4, port}.to_string(); };
  TestService udp(loader, vip(10, v4) + ":53/udp", options);
  TestService tcp(loader, vip(10, v4) + ":80/tcp", options);
  udp.add({"web4", at(backend_port)});
  tcp.add({"web4", at(8080)});
  Flows flows(v4);
  check_client_hears(site, flows.next(), udp.endpoint(53));
  check_client_cant_connect(site, flows.next(), tcp.endpoint());
  check_backend_hears(site, flows.next(), udp.endpoint(53), {web4, backend_port},
                      forward == "fullnat");
  check_upload(site, flows.next(), tcp.endpoint());
  for (const auto* service : {&udp, &tcp}) loader.require("service del " + service->id());
}

}  // namespace xdplb::test
