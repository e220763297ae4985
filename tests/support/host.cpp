// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/host.h"

#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "plugin/error.h"
#include "tests/support/bpf_fixture.h"

namespace xdplb::test {

namespace {

void check(bool good, const std::string& doing) {
  if (!good) throw SystemError(errno, doing);
}

int exit_status(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// In a child: never returns to the caller's stack.
[[noreturn]] void run_and_exit(const std::function<int()>& body) {
  int status = 1;
  try {
    status = body();
  } catch (const Skip& lack) {
    std::cerr << "skipped: " << lack.what() << '\n';
    status = 77;
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
  }
  std::cout.flush();
  std::_Exit(status);
}

pid_t spawn(const std::function<int()>& body) {
  std::cout.flush();
  const pid_t child = ::fork();
  check(child >= 0, "starting a process");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    run_and_exit(body);
  }
  return child;
}

int await(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) check(errno == EINTR, "waiting for a process");
  return exit_status(status);
}

int execute(const Words& command) {
  std::vector<char*> words;
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  std::cerr << command[0] << ": " << std::strerror(errno) << '\n';
  return 127;
}

void enter(int descriptor) { check(::setns(descriptor, CLONE_NEWNET) == 0, "entering a host"); }

// Reads both to their ends.
void drain(const Fd& out, const Fd& err, Outcome& outcome) {
  std::array<pollfd, 2> ends{{{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}}};
  const std::array<std::string*, 2> texts{&outcome.out, &outcome.err};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    check(::poll(ends.data(), ends.size(), -1) >= 0 || errno == EINTR, "waiting for output");
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      std::array<char, 4096> some{};
      const auto count = ::read(ends[i].fd, some.data(), some.size());
      if (count > 0) texts[i]->append(some.data(), static_cast<std::size_t>(count));
      if (count == 0) ends[i].fd = -1;
    }
  }
}

std::array<Fd, 2> make_pipe() {
  std::array<int, 2> ends{};
  check(::pipe2(ends.data(), O_CLOEXEC) == 0, "making a pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

std::string text_of(const Words& command) {
  std::string text;
  for (const auto& word : command) text += (text.empty() ? "" : " ") + word;
  return text;
}

// Process 1 of the PID namespace: whoever loses its parent is its child.
int reap_until(pid_t worker) {
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == worker) return exit_status(status);
    check(ended >= 0 || errno == EINTR, "waiting for the tests");
  }
}

void mount_own(const char* type, const char* target) {
  if (::mount(type, target, type, 0, nullptr) != 0)
    throw Skip(std::string("mounting ") + type + " on " + target + ": " + std::strerror(errno));
}

int run_machine(const std::function<int()>& body) {
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    throw Skip(std::string("making mounts private: ") + std::strerror(errno));
  mount_own("proc", "/proc");
  mount_own("tmpfs", "/run");
  check(::mkdir("/run/netns", 0755) == 0, "making /run/netns");
  return reap_until(spawn(body));
}

}  // namespace

Words split(std::string_view text) {
  std::istringstream in{std::string(text)};
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

int run_isolated(const std::function<int()>& body) {
  return await(spawn([&] {
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID) != 0)
      throw Skip(std::string("making namespaces: ") + std::strerror(errno));
    return await(spawn([&] { return run_machine(body); }));
  }));
}

void require_tools(const Words& programs) {
  const std::string path =
      std::string(std::getenv("PATH") == nullptr ? "" : std::getenv("PATH")) + ":/usr/sbin:/sbin";
  ::setenv("PATH", path.c_str(), 1);
  for (const auto& program : programs) {
    std::istringstream folders(path);
    bool found = false;
    for (std::string folder; std::getline(folders, folder, ':');)
      found |= ::access((folder + "/" + program).c_str(), X_OK) == 0;
    if (!found) throw Skip("no " + program + " here");
  }
}

Host::Host(std::string name) : name_(std::move(name)) {
  const Words add{"ip", "netns", "add", name_};
  if (await(spawn([&] { return execute(add); })) != 0)
    throw std::runtime_error("'" + text_of(add) + "' failed");
  namespace_ = Fd(::open(("/run/netns/" + name_).c_str(), O_RDONLY | O_CLOEXEC));
  check(static_cast<bool>(namespace_), "opening host " + name_);
  for (const auto* place : {"all", "default"}) {
    sysctl("ipv4/conf/" + std::string(place) + "/rp_filter", "0");
    sysctl("ipv6/conf/" + std::string(place) + "/accept_dad", "0");
  }
  ip("link set lo up");
}

Host::~Host() {
  while (!processes_.empty()) stop(processes_.back());
  const Words remove{"ip", "netns", "del", name_};
  try {
    await(spawn([&] { return execute(remove); }));
  } catch (const Failure&) {  // it goes with the machine
  }
}

Outcome Host::run(const Words& command) const {
  auto out = make_pipe();
  auto err = make_pipe();
  const pid_t child = spawn([&] {
    enter(namespace_.get());
    ::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    ::dup2(out[1].get(), 1);
    ::dup2(err[1].get(), 2);
    return execute(command);
  });
  out[1] = Fd();
  err[1] = Fd();
  Outcome outcome{};
  drain(out[0], err[0], outcome);
  outcome.status = await(child);
  return outcome;
}

std::string Host::require(const Words& command) const {
  auto outcome = run(command);
  if (outcome.status != 0)
    throw std::runtime_error(name_ + ": '" + text_of(command) + "' ended with " +
                             std::to_string(outcome.status) + ": " + outcome.err);
  return outcome.out;
}

void Host::ip(const std::string& lines) const {
  const std::string script = "ip -batch - <<END\n" + lines + "\nEND\n";
  require({"sh", "-c", script});
}

void Host::sysctl(const std::string& name, const std::string& value) const {
  const Inside here(*this);
  const auto file = "/proc/sys/net/" + name;
  std::ofstream(file) << value << std::flush;
  std::string now;
  std::getline(std::ifstream(file), now);
  if (now != value) throw std::runtime_error("writing " + value + " to " + file + " failed");
}

Mac Host::mac(const std::string& ifname) const {
  const Inside here(*this);
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  ifname.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
  check(::ioctl(socket.get(), SIOCGIFHWADDR, &request) == 0, "asking for " + ifname + "'s MAC");
  Mac mac{};
  std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
  return mac;
}

unsigned Host::ifindex(const std::string& ifname) const {
  const Inside here(*this);
  const unsigned index = ::if_nametoindex(ifname.c_str());
  check(index != 0, "looking for " + ifname);
  return index;
}

pid_t Host::start(const std::function<int()>& body) {
  processes_.push_back(spawn([&] {
    enter(namespace_.get());
    return body();
  }));
  return processes_.back();
}

pid_t Host::start(const Words& command) {
  return start([&] { return execute(command); });
}

void Host::stop(pid_t process) {
  std::erase(processes_, process);
  ::kill(process, SIGTERM);
  int status = 0;
  if (wait_until([&] { return ::waitpid(process, &status, WNOHANG) != 0; }, 5)) return;
  ::kill(process, SIGKILL);
  ::waitpid(process, &status, 0);
}

bool Host::runs(pid_t process) {
  siginfo_t ended{};
  return ::waitid(P_PID, static_cast<id_t>(process), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         ended.si_pid == 0;
}

Inside::Inside(const Host& host)
    : before_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  check(static_cast<bool>(before_), "opening this network namespace");
  enter(host.descriptor());
}

Inside::~Inside() {
  if (::setns(before_.get(), CLONE_NEWNET) != 0) std::terminate();
}

bool wait_until(const std::function<bool()>& answer, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!answer()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace xdplb::test
