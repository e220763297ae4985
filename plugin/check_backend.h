// SPDX-License-Identifier: GPL-2.0-only
// Of check: the services in the maps, and the ways to their backends. The rules are functions of
// facts.
#pragma once

#include <string>
#include <vector>

#include "plugin/check.h"
#include "plugin/mode.h"
#include "plugin/pins.h"

namespace xdplb {

void check_services(Findings& findings, const Pins& pins);

struct VipFacts {
  bool local = false;                  // an address of this host
  std::vector<std::string> holders{};  // the interfaces that have it
  bool served_here = false;            // a backend of one of its services is this host
};
Finding judge_vip(const std::string& vip, const VipFacts& facts);
// Of a service that has this host for a backend.
Finding judge_listener(const std::string& service, bool listens);

// What goes out of an interface to backends, and comes back.
struct Traffic {
  unsigned mtu = 0;  // where there is the least room for outer headers
  unsigned outer = 0;
  Forward forward = Forward::l2;
  bool rewritten_v4 = false;  // there are replies to be rewritten
  bool local_vip = false;     // from a VIP that this host has
};
Finding judge_mtu(const std::string& ifname, const Traffic& traffic);
// The interface's rp_filter and accept_local, as the kernel takes them.
Finding judge_replies(const std::string& ifname, const Traffic& traffic, int rp_filter,
                      int accept_local);

}  // namespace xdplb
