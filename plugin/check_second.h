// SPDX-License-Identifier: GPL-2.0-only
// Of check: whether a service's second chances can come to anything here.
#pragma once

#include <string>
#include <vector>

#include "plugin/check.h"
#include "plugin/interface.h"
#include "plugin/state.h"

namespace xdplb {

struct SecondFacts {
  bool here = false;                 // a backend is this host
  bool peers = false;                // there are any
  bool full = false;                 // of one kind as many as can be
  unsigned others = 0;               // backends elsewhere, of mode l2
  unsigned links = 0;                // peers' link addresses, but this host's own
  std::vector<Address> strangers{};  // elsewhere, behind outer headers, and no peers
  std::vector<Address> unlike{};     // of another mode or family than this host's backend
};
// own: this host's interfaces, whose link addresses all nodes have in their file.
SecondFacts second_facts(const std::vector<Backend>& backends, const std::vector<Peer>& peers,
                         const std::vector<Interface>& own);
Finding judge_second_chance(const std::string& service, const SecondFacts& facts);

}  // namespace xdplb
