// SPDX-License-Identifier: GPL-2.0-only
#include "tests/vm/traced.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "plugin/error.h"

namespace xdplb::test {

namespace {

void ensure(bool good, const std::string& doing) {
  if (!good) throw SystemError(errno, doing);
}

[[noreturn]] void become(const Host& host, const Words& command, const std::string& output) {
  std::vector<char*> words;
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ::dup2(out, 1);
  ::dup2(out, 2);
  if (::setns(host.descriptor(), CLONE_NEWNET) == 0 &&
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0)
    ::execvp(words[0], words.data());
  ::_exit(127);
}

bool changes(unsigned bpf_command) {
  switch (bpf_command) {
    case BPF_OBJ_PIN:
    case BPF_MAP_UPDATE_ELEM:
    case BPF_MAP_DELETE_ELEM:
    case BPF_RAW_TRACEPOINT_OPEN:  // how libbpf makes the links of a chain
    case BPF_LINK_CREATE:
    case BPF_LINK_UPDATE:
    case BPF_LINK_DETACH:
      return true;
    default:
      return false;
  }
}

bool asks_for_change(pid_t process, std::uint64_t message_at) {
  nlmsghdr message{};
  iovec here{&message, sizeof(message)};
  iovec there{reinterpret_cast<void*>(message_at), sizeof(message)};
  if (::process_vm_readv(process, &here, 1, &there, 1, 0) != sizeof(message)) return true;
  return message.nlmsg_type >= RTM_BASE && message.nlmsg_type % 4 != RTM_GETLINK % 4;
}

std::optional<Change> change_of(pid_t process, const __ptrace_syscall_info& call) {
  const auto* args = call.entry.args;
  switch (call.entry.nr) {
    case SYS_bpf:
      if (changes(static_cast<unsigned>(args[0]))) return Change::bpf;
      return std::nullopt;
    case SYS_sendto:
      if (asks_for_change(process, args[1])) return Change::netlink;
      return std::nullopt;
#ifdef SYS_mkdir  // newer architectures have only the others
    case SYS_mkdir:
    case SYS_rmdir:
    case SYS_unlink:
    case SYS_chmod:
#endif
    case SYS_mkdirat:
    case SYS_unlinkat:
    case SYS_fchmodat:
      return Change::file;
    default:
      return std::nullopt;
  }
}

// What the process, stopped at a system call, is about to change.
std::optional<Change> next_change(pid_t process, int status) {
  constexpr int at_a_system_call = SIGTRAP | 0x80;
  __ptrace_syscall_info call{};
  if (WSTOPSIG(status) != at_a_system_call ||
      ::ptrace(PTRACE_GET_SYSCALL_INFO, process, sizeof(call), &call) <= 0 ||
      call.op != PTRACE_SYSCALL_INFO_ENTRY)
    return std::nullopt;
  return change_of(process, call);
}

std::string contents(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

Traced run_traced(const Host& host, const Words& command,
                  const std::function<At(unsigned, Change)>& then) {
  const std::string output = "/run/traced";
  const pid_t process = ::fork();
  ensure(process >= 0, "starting a process");
  if (process == 0) become(host, command, output);

  Traced traced;
  int status = 0;
  ensure(::waitpid(process, &status, 0) == process && WIFSTOPPED(status), "starting to trace");
  ensure(
      ::ptrace(PTRACE_SETOPTIONS, process, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0,
      "setting options of ptrace");
  while (WIFSTOPPED(status)) {
    const auto change = next_change(process, status);
    if (change && then(++traced.points, *change) == At::kill)
      ensure(::kill(process, SIGKILL) == 0, "killing");
    else
      ensure(::ptrace(PTRACE_SYSCALL, process, nullptr, nullptr) == 0, "tracing");
    ensure(::waitpid(process, &status, 0) == process, "waiting for a traced process");
  }
  traced.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  traced.out = contents(output);
  std::filesystem::remove(output);
  return traced;
}

}  // namespace xdplb::test
