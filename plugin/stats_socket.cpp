// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/stats_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "plugin/error.h"
#include "plugin/fd.h"

namespace xdplb {

namespace {

[[noreturn]] void fail(const std::string& doing) {
  throw SystemError(errno, doing + " " + stats_socket);
}

// No descriptor where nobody is there for this user.
Fd connect_socket() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(std::string_view(stats_socket), address.sun_path);
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) fail("making a socket for");
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(socket.get(), to, sizeof(address)) == 0) return socket;
  if (errno == ENOENT || errno == EACCES || errno == EPERM || errno == ECONNREFUSED) return {};
  fail("connecting to");
}

}  // namespace

std::optional<std::string> read_stats_socket() {
  const auto socket = connect_socket();
  if (!socket) return std::nullopt;
  std::string text;
  std::array<char, 65536> some{};
  while (true) {
    const auto count = ::recv(socket.get(), some.data(), some.size(), 0);
    if (count == 0) return text;
    if (count < 0 && errno != EINTR) fail("reading");
    if (count > 0) text.append(some.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace xdplb
