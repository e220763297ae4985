// SPDX-License-Identifier: GPL-2.0-only
#include "loader/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iostream>

#include "plugin/error.h"

namespace xdplb {

namespace {

constexpr char interrupt_key = 3;  // Ctrl-C

volatile std::sig_atomic_t ended = 0;
void end(int /*signal*/) { ended = 1; }

}  // namespace

struct Terminal::Settings : termios {};

bool Terminal::is_there() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1; }

Terminal::Terminal() : before_(std::make_unique<Settings>()) {
  if (::tcgetattr(STDIN_FILENO, before_.get()) != 0)
    throw SystemError(errno, "looking at the terminal");
  auto keys = *before_;
  keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
  for (const int signal : {SIGTERM, SIGHUP}) std::signal(signal, end);
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
  std::cout << "\033[?1049h\033[?25l";  // another screen, no cursor
}

Terminal::~Terminal() {
  std::cout << "\033[?25h\033[?1049l" << std::flush;
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, before_.get());
}

void Terminal::draw(const std::vector<std::string>& lines) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) size = {24, 80, 0, 0};
  const auto count = std::min<std::size_t>(lines.size(), size.ws_row);
  std::cout << "\033[H";
  for (std::size_t i = 0; i < count; i++)
    std::cout << (i == 0 ? "" : "\n") << lines[i].substr(0, size.ws_col) << "\033[K";
  std::cout << "\033[J" << std::flush;
}

bool Terminal::wait(std::chrono::milliseconds time) {
  using std::chrono::steady_clock;
  const auto until = steady_clock::now() + time;
  while (ended == 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now());
    if (left.count() <= 0) return true;
    pollfd keys{STDIN_FILENO, POLLIN, 0};
    if (::poll(&keys, 1, static_cast<int>(left.count())) <= 0) continue;
    char key = 0;
    if (::read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == interrupt_key) return false;
  }
  return false;
}

}  // namespace xdplb
