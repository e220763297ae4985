// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/store_trap.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include "plugin/error.h"

namespace xdplb::test {

#if defined(__x86_64__)

namespace {

constexpr int lived = 0;
constexpr int died = 40;
constexpr int threw = 41;
constexpr int strayed = 42;  // a fault outside of the maps
constexpr greg_t trap_flag = 0x100;

struct Range {
  std::byte* data;
  std::size_t size;
};

// Signal handlers have no context of their own. This is the child's.
std::array<Range, 4> ranges;
std::array<std::byte*, 2> open_pages;  // a store may lie across two
std::size_t page;
Death awaited;
volatile unsigned* stores;

void protect(std::byte* data, std::size_t size, int access) {
  if (::mprotect(data, size, access) != 0) ::_exit(strayed);
}

bool in_maps(const void* address) {
  for (const auto& range : ranges)
    if (address >= range.data && address < range.data + range.size) return true;
  return false;
}

void single_step(void* context, bool on) {
  auto& flags = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL];
  flags = on ? flags | trap_flag : flags & ~trap_flag;
}

void on_store(int, siginfo_t* info, void* context) {
  if (!in_maps(info->si_addr)) ::_exit(strayed);
  *stores = *stores + 1;
  if (*stores == awaited.store && awaited.moment == Moment::before) ::_exit(died);
  auto* data = static_cast<std::byte*>(info->si_addr);
  data -= reinterpret_cast<std::uintptr_t>(data) % page;
  open_pages[open_pages[0] == nullptr ? 0 : 1] = data;
  protect(data, page, PROT_READ | PROT_WRITE);
  single_step(context, true);
}

void on_step(int, siginfo_t*, void* context) {
  single_step(context, false);
  if (*stores == awaited.store) ::_exit(died);
  for (auto*& data : open_pages)
    if (data != nullptr) protect(std::exchange(data, nullptr), page, PROT_READ);
}

void handle(int signal, void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  if (::sigaction(signal, &action, nullptr) != 0) ::_exit(strayed);
}

[[noreturn]] void child(const Balancer& balancer, const std::function<void()>& change) {
  page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto& pins = balancer.pins();
  const auto range = [](auto* data, std::size_t size) {
    return Range{reinterpret_cast<std::byte*>(data), (size + page - 1) / page * page};
  };
  ranges = {range(&pins.meta(), sizeof(lb_meta)),
            range(pins.services().data(), pins.services().size_bytes()),
            range(pins.backends().data(), pins.backends().size_bytes()),
            range(pins.arena().data(), pins.arena().size())};
  handle(SIGSEGV, on_store);
  handle(SIGTRAP, on_step);
  for (const auto& [data, size] : ranges) protect(data, size, PROT_READ);
  try {
    change();
  } catch (...) {
    ::_exit(threw);
  }
  ::_exit(lived);
}

}  // namespace

bool can_trap_stores() { return true; }

Ending run_until(const Balancer& balancer, const Death& death,
                 const std::function<void()>& change) {
  void* shared =
      ::mmap(nullptr, sizeof(unsigned), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw SystemError(errno, "sharing a counter with a child");
  stores = static_cast<volatile unsigned*>(shared);
  awaited = death;
  const pid_t pid = ::fork();
  if (pid == 0) child(balancer, change);
  int status = 0;
  const bool waited = pid > 0 && ::waitpid(pid, &status, 0) == pid;
  const Ending ending{WIFEXITED(status) && WEXITSTATUS(status) == died, *stores};
  ::munmap(shared, sizeof(unsigned));
  if (!waited) throw SystemError(errno, "waiting for a child");
  if (!WIFEXITED(status) || (WEXITSTATUS(status) != died && WEXITSTATUS(status) != lived))
    throw std::runtime_error("the child ended with status " + std::to_string(status));
  return ending;
}

#else

bool can_trap_stores() { return false; }

Ending run_until(const Balancer&, const Death&, const std::function<void()>&) {
  throw std::logic_error("stores can't be trapped on this machine");
}

#endif

boost::test_tools::assertion_result traps(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result can(can_trap_stores());
  can.message() << "stores are trapped on x86-64 alone";
  return can;
}

}  // namespace xdplb::test
