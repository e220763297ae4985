// SPDX-License-Identifier: GPL-2.0-only
// Of check: an interface that the component is on, or may be. The rules are functions of facts.
#pragma once

#include <optional>
#include <string>

#include "plugin/chain.h"
#include "plugin/check.h"
#include "plugin/driver.h"
#include "plugin/interface.h"

namespace xdplb {

void check_interface(Findings& findings, const Interface& interface, const std::string& pin_path);

Finding judge_driver(const std::string& ifname, const std::string& driver,
                     const std::optional<XdpFeatures>& features);
// Versions of dispatchers: of the chain, and of those that libxdp makes.
Finding judge_place(const std::string& ifname, const Chain& chain,
                    std::optional<unsigned> dispatcher, std::optional<unsigned> installed);
Finding judge_forwarding(const std::string& ifname, bool v4, bool v6);
// Does it keep neighbours without a carrier?
Finding judge_eviction(const std::string& ifname, bool v4, bool v6);
// vlans: are there VLAN devices on it?
Finding judge_vlans(const std::string& ifname, const Offloads& offloads, bool vlans);
Finding judge_merging(const std::string& ifname, const Offloads& offloads);
// Of a veth: end: the other one's name; empty where it can't be looked at.
Finding judge_checksums(const std::string& ifname, const std::string& end, bool partial);
Finding judge_queues(const std::string& ifname, const Queues& queues, unsigned cpus);

// sysctl(8) for an interface, of each family with a setting: a slash is a dot there, since there
// may be dots in an interface's name.
std::string sysctl_of(const std::string& ifname, const std::string& v4, const std::string& v6);
// What the interface has there, or all interfaces have; 0 where that can't be read.
int sysctl_value(const std::string& family, const std::string& ifname, const std::string& name);

}  // namespace xdplb
