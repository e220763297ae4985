// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// One machine to give bad orders to, and everything there that an order might change.

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "tests/net/fixture.h"

namespace xdplb::test {

inline constexpr auto bpffs = "/sys/fs/bpf";
// What to do of maps of another ABI, as the package says it too.
inline constexpr auto abi_remedy = "(umask 077; xdp-lb save --full >FILE) && xdp-lb unload --all";

// A host with a bpffs of its own, and two interfaces, eth0 and eth1, joined by a cable.
class Machine {
 public:
  Machine();
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  Host host{"machine"};
  Loader loader{host};

  // With --object where the line is one of load, apply or upgrade, --single-ok with the former two.
  [[nodiscard]] Outcome run(const std::string& line) const;
  [[nodiscard]] Outcome run(Words words) const;  // words with blanks, or none
  void load();                                   // on eth0
  void load_with_services();
};

// What the loader may change: by name, in a form that can be compared and shown.
using Snapshot = std::map<std::string, std::string>;
Snapshot take_snapshot(const Machine& machine);
// One line for each difference.
std::string differences(const Snapshot& before, const Snapshot& after);

struct BadLine {
  std::string line;
  int status;
  std::string message;  // in what is said of it
};

// Each line ends with its status, says on standard error what is wrong, and changes nothing.
void check_refused(const Machine& machine, const std::vector<BadLine>& lines);
void check_refused(const Machine& machine, const Words& words, int status,
                   const std::string& message);

void check_status(const Outcome& outcome, int status);

// What was said is in the project's words: not another library's, not the compiler's.
void check_words(const Outcome& outcome);

}  // namespace xdplb::test
