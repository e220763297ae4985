// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "plugin/error.h"

namespace xdplb::test {

namespace {

constexpr timeval patience{3, 0};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const Endpoint& endpoint) {
  SocketAddress result;
  const auto& bytes = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, bytes.data() + 12, sizeof(v4.sin_addr));
    std::memcpy(&result.storage, &v4, sizeof(v4));
    result.size = sizeof(v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, bytes.data(), sizeof(v6.sin6_addr));
    std::memcpy(&result.storage, &v6, sizeof(v6));
    result.size = sizeof(v6);
  }
  return result;
}

template <typename T>
void set_option(const Fd& socket, int level, int option, const T& value) {
  if (::setsockopt(socket.get(), level, option, &value, sizeof(value)) != 0)
    throw SystemError(errno, "setting a socket option");
}

}  // namespace

std::string header_of(const std::string& head, const std::string& name) {
  const auto start = head.find("\r\n" + name + ": ");
  if (start == std::string::npos) return "";
  const auto value = start + name.size() + 4;
  return head.substr(value, head.find("\r\n", value) - value);
}

Endpoint endpoint(const std::string& address, std::uint16_t port) {
  return {Address::parse(address), port};
}

std::string text_of(const Endpoint& endpoint) {
  return endpoint.address.to_string() + " port " + std::to_string(endpoint.port);
}

Fd bound_socket(const Endpoint& at, int type, int protocol) {
  Fd socket(::socket(at.address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, protocol));
  if (!socket) throw SystemError(errno, "making a socket");
  set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(socket, SOL_SOCKET, SO_RCVTIMEO, patience);
  set_option(socket, SOL_SOCKET, SO_SNDTIMEO, patience);
  auto address = socket_address(at);
  if (::bind(socket.get(), address.get(), address.size) != 0)
    throw SystemError(errno, "binding to " + text_of(at));
  return socket;
}

void connect_socket(const Fd& socket, const Endpoint& to) {
  auto address = socket_address(to);
  if (::connect(socket.get(), address.get(), address.size) != 0)
    throw SystemError(errno == EINPROGRESS ? ETIMEDOUT : errno, "connecting to " + text_of(to));
}

Fd connected_socket(const Endpoint& at, const Endpoint& to) {
  auto socket = bound_socket(at, SOCK_STREAM);
  set_option(socket, IPPROTO_TCP, TCP_REPAIR, 1);
  connect_socket(socket, to);
  return socket;
}

HttpConnection::HttpConnection(const Endpoint& from, const Endpoint& to)
    : socket_(bound_socket(from, SOCK_STREAM)) {
  // Ends with a reset: neither side remembers the connection, and its port is free again.
  set_option(socket_, SOL_SOCKET, SO_LINGER, linger{1, 0});
  connect_socket(socket_, to);
}

std::uint16_t HttpConnection::local_port() const {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (::getsockname(socket_.get(), address.get(), &address.size) != 0)
    throw SystemError(errno, "asking a socket for its name");
  return ntohs(reinterpret_cast<const sockaddr_in*>(address.get())->sin_port);
}

void HttpConnection::send(const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const auto count =
        ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0) throw SystemError(errno, "sending a request");
    sent += static_cast<std::size_t>(count);
  }
}

std::string HttpConnection::receive(std::size_t most) {
  std::string some(std::min<std::size_t>(most, 1U << 18), '\0');
  const auto count = ::recv(socket_.get(), some.data(), some.size(), 0);
  if (count < 0) throw SystemError(errno, "waiting for an answer");
  if (count == 0) throw std::runtime_error("the answer ends too early");
  some.resize(static_cast<std::size_t>(count));
  return some;
}

HttpReply HttpConnection::read_reply() {
  std::size_t end = 0;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) unread_ += receive(4096);
  const auto head = unread_.substr(0, end + 2);
  HttpReply reply{std::stoi(head.substr(head.find(' '))), unread_.substr(end + 4)};
  const auto length = header_of(head, "Content-Length");
  const std::size_t size = length.empty() ? 0 : std::stoul(length);
  reply.body.reserve(size);
  while (reply.body.size() < size) reply.body += receive(size - reply.body.size());
  unread_.clear();
  return reply;
}

HttpReply HttpConnection::get(const std::string& path) {
  send("GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n");
  return read_reply();
}

HttpReply HttpConnection::put(const std::string& path, const std::string& body) {
  send("PUT " + path + " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) +
       "\r\n\r\n");
  send(body);
  return read_reply();
}

HttpReply http_get(const Endpoint& from, const Endpoint& to, const std::string& path) {
  return HttpConnection(from, to).get(path);
}

std::string udp_ask(const Endpoint& from, const Endpoint& to, const std::string& question) {
  const auto socket = bound_socket(from, SOCK_DGRAM);
  connect_socket(socket, to);
  if (::send(socket.get(), question.data(), question.size(), 0) < 0)
    throw SystemError(errno, "sending to " + text_of(to));
  std::array<char, 2048> answer{};
  const auto count = ::recv(socket.get(), answer.data(), answer.size(), 0);
  if (count < 0) throw SystemError(errno, "waiting for an answer of " + text_of(to));
  return {answer.data(), static_cast<std::size_t>(count)};
}

}  // namespace xdplb::test
