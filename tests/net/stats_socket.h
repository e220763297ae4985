// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The socket for those who may not read the maps, with a stand-in for systemd behind it.

#include <string>

#include "tests/support/host.h"

namespace xdplb::test {

// As xdp-lb-stats.socket and xdp-lb-stats@.service have it: each connection gets what a process of
// its own, the command as root, prints.
class StatsSocket {
 public:
  StatsSocket(Host& host, const Words& command);
  ~StatsSocket();
  StatsSocket(const StatsSocket&) = delete;
  StatsSocket& operator=(const StatsSocket&) = delete;

  void stop() const;  // nobody listens any more, and the socket's file is still there

 private:
  Host& host_;
  pid_t server_;
};

// xdp-lb, where every user can go.
std::string program_for_users();

// xdp-lb as a user without privileges runs it, who is in the socket's group or isn't. The line is
// what follows "xdp-lb".
enum class InGroup : bool { no, yes };
Words as_user(InGroup in_group, const std::string& line);

}  // namespace xdplb::test
