// SPDX-License-Identifier: GPL-2.0-only
// A backend of a farm: says its number, then whatever it is told.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "plugin/error.h"
#include "tests/net/farm.h"

namespace xdplb::test {

namespace {

constexpr int backlog = 4096;

// Clients that are no more are noticed, though what they say of it goes to another backend.
void forget_the_dead(const Fd& listener) {
  const auto set = [&](int level, int option, int value) {
    ::setsockopt(listener.get(), level, option, &value, sizeof(value));
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

void watch(const Fd& poll, int socket) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = socket}};
  if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, socket, &event) != 0)
    throw SystemError(errno, "watching a socket");
}

void greet(const Fd& poll, const Fd& listener, char number) {
  while (true) {
    const int socket = ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0 && errno != EAGAIN && errno != ECONNABORTED)
      throw SystemError(errno, "accepting a connection");
    if (socket < 0) return;
    watch(poll, socket);
    ::send(socket, &number, 1, MSG_NOSIGNAL);
  }
}

void echo(int socket) {
  std::array<char, 1024> said{};
  const auto count = ::recv(socket, said.data(), said.size(), 0);
  if (count > 0)
    ::send(socket, said.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL);
  else if (count == 0 || errno != EAGAIN)
    ::close(socket);
}

}  // namespace

int serve_farm(const Endpoint& at, int number) {
  raise_file_limit();
  const auto listener = bound_socket(at, SOCK_STREAM | SOCK_NONBLOCK);
  forget_the_dead(listener);
  if (::listen(listener.get(), backlog) != 0) throw SystemError(errno, "listening");
  const Fd poll(::epoll_create1(EPOLL_CLOEXEC));
  watch(poll, listener.get());
  while (true) {
    std::array<epoll_event, 256> events{};
    const int count = ::epoll_wait(poll.get(), events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int socket = events[static_cast<std::size_t>(i)].data.fd;
      if (socket == listener.get())
        greet(poll, listener, static_cast<char>('0' + number));
      else
        echo(socket);
    }
  }
}

}  // namespace xdplb::test
