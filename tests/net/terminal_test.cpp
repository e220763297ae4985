// SPDX-License-Identifier: GPL-2.0-only
// 'stats --interval' on a terminal: drawn anew with rates, until a key ends it; the terminal is
// as it was.
#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>

#include "plugin/error.h"
#include "tests/net/fixture.h"
#include "tests/net/stats_socket.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

// A terminal of 100 columns and 12 rows, and xdp-lb on it.
class OnTerminal {
 public:
  OnTerminal(Host& host, const Words& command) {
    const winsize size{12, 100, 0, 0};
    int ours = -1;
    int theirs = -1;
    if (::openpty(&ours, &theirs, nullptr, nullptr, &size) != 0)
      throw SystemError(errno, "opening a terminal");
    ours_ = Fd(ours);
    theirs_ = Fd(theirs);
    ::fcntl(ours, F_SETFL, O_NONBLOCK);
    ::tcgetattr(theirs, &before_);
    process_ = host.start([&] {
      for (const int standard : {0, 1, 2}) ::dup2(theirs, standard);
      std::vector<char*> words;
      for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
      words.push_back(nullptr);
      return ::execv(words[0], words.data());
    });
  }

  [[nodiscard]] bool says(const std::string& text) {
    return wait_until(
        [&] {
          std::array<char, 4096> some{};
          for (ssize_t got = 0; (got = ::read(ours_.get(), some.data(), some.size())) > 0;)
            said_.append(some.data(), static_cast<std::size_t>(got));
          return said_.find(text) != std::string::npos;
        },
        10);
  }
  void type(char key) const { BOOST_REQUIRE(::write(ours_.get(), &key, 1) == 1); }
  [[nodiscard]] bool is_as_before() const {
    termios now{};
    ::tcgetattr(theirs_.get(), &now);
    return now.c_lflag == before_.c_lflag && now.c_iflag == before_.c_iflag &&
           now.c_oflag == before_.c_oflag;
  }
  [[nodiscard]] bool has_ended() const {
    return wait_until([&] { return !Host::runs(process_); }, 5);
  }
  void kill(int signal) const { ::kill(process_, signal); }
  void forget() { said_.clear(); }
  void forget_until(const std::string& text) { said_.erase(0, said_.find(text)); }
  [[nodiscard]] const std::string& said() const { return said_; }

 private:
  Fd ours_, theirs_;
  termios before_{};
  pid_t process_ = -1;
  std::string said_;
};

const std::string other_screen = "\033[?1049h";
const std::string back = "\033[?25h\033[?1049l";

BOOST_AUTO_TEST_SUITE(terminal)

BOOST_DATA_TEST_CASE(is_as_it_was, data::make({"q", "Ctrl-C", "SIGTERM"}), end) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  TestService idle(loader, vip(11) + ":80/tcp");
  TestService busy(loader, vip(10) + ":80/tcp");
  busy.add({1, 2});
  OnTerminal screen(site.balancer, loader.command("stats --interval 1"));
  BOOST_TEST(screen.says("every 1 s; q ends\033[K\r\n"), screen.said());
  BOOST_TEST(screen.said().starts_with(other_screen), screen.said());
  BOOST_TEST(!screen.is_as_before());
  Flows flows(true);
  screen.forget();
  check_connections(site, busy, flows, 50);
  BOOST_TEST(screen.says(busy.id() + "  forwarded"), screen.said());
  screen.forget();
  BOOST_TEST(screen.says("\033[H"), screen.said());
  screen.forget_until("\033[H");
  BOOST_TEST(screen.says("\033[J"), screen.said());
  BOOST_TEST(screen.said().find("Bits/s") != std::string::npos, screen.said());
  // the busiest first, and no more than the screen has room for
  BOOST_TEST(screen.said().find(busy.id()) < screen.said().find(idle.id()), screen.said());
  if (end == std::string("SIGTERM"))
    screen.kill(SIGTERM);
  else
    screen.type(end[0] == 'q' ? 'q' : '\003');
  BOOST_TEST(screen.has_ended());
  BOOST_TEST(screen.says(back), screen.said());
  BOOST_TEST(screen.is_as_before());
}

BOOST_AUTO_TEST_CASE(is_a_users_too) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  const StatsSocket socket(site.balancer, loader.command("stats --json"));
  TestService service(loader, vip(10) + ":80/tcp");
  service.add({1, 2});
  OnTerminal screen(site.balancer, as_user(InGroup::yes, "stats --interval 1"));
  BOOST_TEST(screen.says("every 1 s; q ends\033[K\r\n"), screen.said());
  Flows flows(true);
  check_connections(site, service, flows, 50);
  BOOST_TEST(screen.says("all                forwarded"), screen.said());
  screen.type('q');
  BOOST_TEST(screen.has_ended());
  BOOST_TEST(screen.is_as_before());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
