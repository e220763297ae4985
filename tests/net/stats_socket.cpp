// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/stats_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "plugin/error.h"
#include "plugin/stats_socket.h"

namespace xdplb::test {

namespace {

constexpr gid_t socket_group = 4711;

Fd listening() {
  std::filesystem::create_directory(std::filesystem::path(stats_socket).parent_path());
  std::filesystem::remove(stats_socket);
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(std::string_view(stats_socket), address.sun_path);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::chown(stats_socket, 0, socket_group) != 0 || ::chmod(stats_socket, 0660) != 0 ||
      ::listen(socket.get(), 8) != 0)
    throw SystemError(errno, "listening for the tests");
  return socket;
}

[[noreturn]] void become(const Words& command, int connection) {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO}) ::dup2(connection, standard);
  std::vector<char*> words;
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  ::_exit(127);
}

int serve(const Fd& socket, const Words& command) {
  std::signal(SIGCHLD, SIG_IGN);
  while (true) {
    const Fd connection(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection && ::fork() == 0) become(command, connection.get());
  }
}

}  // namespace

StatsSocket::StatsSocket(Host& host, const Words& command) : host_(host) {
  const auto socket = listening();
  server_ = host.start([&] { return serve(socket, command); });
}

StatsSocket::~StatsSocket() {
  stop();
  std::filesystem::remove(stats_socket);
}

void StatsSocket::stop() const {
  if (Host::runs(server_)) host_.stop(server_);
}

std::string program_for_users() {
  const std::string copy = "/run/xdp-lb.user";
  std::filesystem::copy_file(XDP_LB_LOADER, copy, std::filesystem::copy_options::skip_existing);
  return copy;
}

Words as_user(InGroup in_group, const std::string& line) {
  Words words{"/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534"};
  words.push_back(in_group == InGroup::yes ? "--groups=" + std::to_string(socket_group)
                                           : "--clear-groups");
  words.push_back(program_for_users());
  for (const auto& word : split(line)) words.push_back(word);
  return words;
}

}  // namespace xdplb::test
