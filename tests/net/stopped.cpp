// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/stopped.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "plugin/error.h"

namespace xdplb::test {

namespace {

void trace(__ptrace_request request, pid_t process, void* data) {
  if (::ptrace(request, process, nullptr, data) != 0) throw SystemError(errno, "tracing xdp-lb");
}

// The system call that it is about to make, or -1 between calls.
long next_call(pid_t process) {
  __ptrace_syscall_info info{};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, process, sizeof(info), &info) < 0)
    throw SystemError(errno, "looking at a system call");
  return info.op == PTRACE_SYSCALL_INFO_ENTRY ? static_cast<long>(info.entry.nr) : -1;
}

int exit_status(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

pid_t launch(const Host& host, const Words& command, bool traced) {
  const pid_t child = ::fork();
  if (child < 0) throw SystemError(errno, "starting a process");
  if (child > 0) return child;
  const Inside here(host);
  const int nowhere = ::open("/dev/null", O_RDWR);
  for (const int standard : {0, 1, 2}) ::dup2(nowhere, standard);
  if (traced) ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  std::vector<char*> words;
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execv(words[0], words.data());
  std::_Exit(127);
}

int await(pid_t process) {
  int status = 0;
  if (::waitpid(process, &status, 0) != process) throw SystemError(errno, "waiting for xdp-lb");
  return status;
}

int run_stopped(const Host& host, const Words& command, const IsCall& is_it, Then then,
                const std::function<void()>& meanwhile) {
  const pid_t process = launch(host, command, true);
  int status = await(process);
  trace(PTRACE_SETOPTIONS, process,
        reinterpret_cast<void*>(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
  for (bool found = false; !found && WIFSTOPPED(status);) {
    trace(PTRACE_SYSCALL, process, nullptr);
    status = await(process);
    const long call = WIFSTOPPED(status) ? next_call(process) : -1;
    found = call >= 0 && is_it(call);
  }
  if (!WIFSTOPPED(status)) return exit_status(status);
  if (meanwhile) meanwhile();
  if (then == Then::kill)
    ::kill(process, SIGKILL);
  else
    trace(PTRACE_DETACH, process, nullptr);
  return exit_status(await(process));
}

int run_stopped(const Host& host, const Words& command, long call, int nth, Then then,
                const std::function<void()>& meanwhile) {
  int calls = 0;
  const auto is_it = [&](long made) { return made == call && ++calls == nth; };
  return run_stopped(host, command, is_it, then, meanwhile);
}

}  // namespace xdplb::test
