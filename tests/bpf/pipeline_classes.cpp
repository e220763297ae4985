// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/pipeline_classes.h"

#include "bpf/abi.h"
#include "plugin/counters.h"

namespace xdplb::test {

namespace {

std::vector<std::string> flow_classes() {
  std::vector<std::string> names{"flow opened", "flow opened anew"};
  for (const std::string side : {"client", "backend"})
    for (const auto* what :
         {"opening, ", "open, ", "closing, ", "of datagrams, ", "reset by the ", "closed by the "})
      names.push_back("flow " + (what + side));
  return names;
}

std::vector<std::string> nat_classes(const std::string& family) {
  std::vector<std::string> names;
  for (const auto* what :
       {"returned, tags: 0", "returned, tags: 1", "told-too-big back", "left to the kernel",
        "returned behind options or extension headers", "egress program: returned"})
    names.push_back(family + what);
  for (const auto* way : {"by nat to ", "by nat back, ", "by fullnat to ", "by fullnat back, "}) {
    const std::string mode(way);
    const auto start = family + mode + (mode.ends_with("to ") ? family.substr(7, 1) + ", " : "");
    for (const auto* kind : {"whole", "ICMP error"}) names.push_back(start + kind);
    if (mode.starts_with("by fullnat")) continue;
    for (const auto* kind : {"first fragment", "later fragment"}) names.push_back(start + kind);
  }
  for (const std::string way : {"there", "back"})
    for (const auto* what : {", quoted by eight bytes", ", quoted by more", ", no UDP checksum",
                             ", UDP checksum of zero"})
      names.push_back(family + way + what);
  return names;
}

}  // namespace

std::vector<std::string> pipeline_classes() {
  std::vector<std::string> names{"family 0 not-ip", "family 0 runt",
                                 "family 2 outer checksum zero"};
  for (const auto& name : flow_classes()) names.push_back(name);
  for (const std::string family : {"family 1 ", "family 2 "}) {
    for (const auto reason :
         {LB_FORWARDED,    LB_NOT_TRANSPORT,   LB_NOT_SERVICE,   LB_LATER_FRAGMENT, LB_RUNT,
          LB_GROUP_FRAME,  LB_MALFORMED,       LB_FRAGMENT,      LB_TTL_EXPIRED,    LB_NO_BACKEND,
          LB_NO_NEIGHBOUR, LB_NO_ROUTE,        LB_OFF_LINK,      LB_VLAN_MISMATCH,  LB_NO_SOURCE,
          LB_TOO_BIG,      LB_FRAGMENT_PASSED, LB_ICMP_FRAGMENT, LB_ECHO,           LB_TOLD_TOO_BIG,
          LB_RETURNED,     LB_NO_FLOW})
      names.push_back(family + std::string(reason_name(reason)));
    for (const std::string mode : {"l2", "ipip", "gue", "gre"})
      for (const std::string to : {" to 1, ", " to 2, "})
        for (const auto* kind : {"whole", "first fragment", "later fragment", "ICMP error"})
          names.push_back(family + "by " + mode + to + kind);
    for (const auto& name : nat_classes(family)) names.push_back(name);
    for (const std::string reason : {"forwarded", "echo", "told-too-big"})
      for (const auto* what :
           {", tags: 0", ", tags: 1", ", tags: 2", " behind options or extension headers"})
        names.push_back(family + reason + what);
    for (const auto* name :
         {"local", "by a prefix of the source", "quoted as it is", "quoted behind something",
          "quoted by eight bytes", "egress program: forwarded", "egress program: told-too-big",
          "egress program: no-egress"})
      names.push_back(family + name);
  }
  return names;
}

}  // namespace xdplb::test
