// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/mounts.h"

#include <fstream>
#include <stdexcept>

namespace xdplb::test {

MountNamespace::MountNamespace(Host& host, const std::string& script)
    : keeper_(host.start({"unshare", "--mount", "--propagation", "private", "sh", "-ec",
                          script + "; exec sleep infinity"})) {
  constexpr double patience = 30;  // seconds
  const auto ready = [&] {
    std::ifstream file("/proc/" + std::to_string(keeper_) + "/comm");
    std::string name;
    return file >> name && name == "sleep";
  };
  if (!wait_until(ready, patience)) throw std::runtime_error("no mounts for " + host.name());
}

Words MountNamespace::inside(const Words& command) const {
  Words words{"nsenter", "--mount=/proc/" + std::to_string(keeper_) + "/ns/mnt"};
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

}  // namespace xdplb::test
