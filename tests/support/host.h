// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Hosts for tests: network namespaces, in a machine of their own that leaves nothing behind.

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/address.h"
#include "plugin/fd.h"

namespace xdplb::test {

using Words = std::vector<std::string>;
Words split(std::string_view text);  // at blanks

// Runs body in new mount, network and PID namespaces, with an empty /run and /proc of its own: its
// processes, mounts and network namespaces go when it returns or dies, or when the caller dies.
// Returns what body returned. Throws Skip where namespaces are not to be had.
int run_isolated(const std::function<int()>& body);

// Throws Skip where one of these programs is missing.
void require_tools(const Words& programs);

struct Outcome {
  int status;  // exit status; 128 + N after signal N
  std::string out, err;
};

// A network namespace, /run/netns/NAME. Loopback is up; rp_filter is off, IPv6 addresses are
// usable at once.
class Host {
 public:
  explicit Host(std::string name);
  ~Host();  // ends its processes, deletes the namespace with all its interfaces
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] int descriptor() const { return namespace_.get(); }

  [[nodiscard]] Outcome run(const Words& command) const;
  std::string require(const Words& command) const;  // its output; throws if it fails
  void ip(const std::string& lines) const;          // ip(8), a command a line
  void sysctl(const std::string& name, const std::string& value) const;  // net/NAME, with slashes
  [[nodiscard]] Mac mac(const std::string& ifname) const;
  [[nodiscard]] unsigned ifindex(const std::string& ifname) const;

  // A process that runs until it returns, or stop(), or the host goes.
  pid_t start(const std::function<int()>& body);
  pid_t start(const Words& command);
  void stop(pid_t process);
  [[nodiscard]] static bool runs(pid_t process);

 private:
  std::string name_;
  Fd namespace_;
  std::vector<pid_t> processes_;
};

// While it lives, the calling thread is in the host's network namespace: sockets made meanwhile
// stay there.
class Inside {
 public:
  explicit Inside(const Host& host);
  ~Inside();
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Fd before_;
};

// Asks again and again, at most for so long. True as soon as the answer is.
bool wait_until(const std::function<bool()>& answer, double seconds);

}  // namespace xdplb::test
