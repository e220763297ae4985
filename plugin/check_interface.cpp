// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/check_interface.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "plugin/dispatcher.h"
#include "plugin/error.h"
#include "plugin/pins.h"

namespace xdplb {

namespace {

Finding check_attachable(const Interface& interface) {
  try {
    require_attachable(interface);
  } catch (const Failure& failure) {
    return {Level::fail, interface.name, failure.what(), failure.hint()};
  }
  if (!interface.up)
    return {Level::warn, interface.name, "is down", "ip link set dev " + interface.name + " up"};
  return {Level::ok, interface.name,
          "can carry the component" + (interface.kind.empty() ? "" : " (" + interface.kind + ")")};
}

Finding check_place(const Interface& interface, const std::string& pin_path) {
  try {
    const auto chain = read_chain(interface, pinned_arena_id(pin_path));
    return judge_place(interface.name, chain, dispatcher_version(chain.main.id),
                       dispatcher_version(dispatcher_file()));
  } catch (const Failure& failure) {
    return {Level::fail, interface.name, failure.what(), failure.hint()};
  }
}

// Where there is no such setting, the kernel is as old as to evict.
bool keeps_neighbours(const Interface& interface, const std::string& family,
                      const std::string& name) {
  std::ifstream file("/proc/sys/net/" + family + "/conf/" + interface.name + "/" + name);
  int value = 1;
  return (file >> value) && value == 0;
}

Finding check_cable(const Interface& device, const std::vector<Interface>& all) {
  const auto end = std::ranges::find(all, device.parent, &Interface::index);
  if (device.elsewhere || end == all.end()) return judge_checksums(device.name, {}, {});
  const auto offloads = offloads_of(end->name);
  return judge_checksums(device.name, end->name, offloads && offloads->partial);
}

// What packets come in by.
void check_device(Findings& findings, const Interface& device, const std::vector<Interface>& all,
                  bool vlans) {
  const auto& name = device.name;
  if (const auto offloads = offloads_of(name)) {
    // Whether a veth's packets have their tags is up to its other end.
    if (device.kind != "veth") findings.push_back(judge_vlans(name, *offloads, vlans));
    findings.push_back(judge_merging(name, *offloads));
  }
  if (device.kind == "veth") findings.push_back(check_cable(device, all));
  if (const auto queues = rx_queues(name))
    findings.push_back(judge_queues(name, *queues, static_cast<unsigned>(::get_nprocs())));
}

Finding judge_single(const std::string& ifname, const Chain& chain) {
  if (chain.main.ours)
    return {Level::warn, ifname, "the component is attached without a chain",
            "no other XDP program can be beside it"};
  return {Level::fail, ifname,
          "XDP program " + chain.main.name + " is attached without a dispatcher",
          "remove it with its own tool, or with '" + off_command(ifname, chain.mode) + "'"};
}

Finding judge_dispatched(const std::string& ifname, const Chain& chain,
                         std::optional<unsigned> dispatcher, std::optional<unsigned> installed) {
  const auto programs = std::to_string(chain.components.size());
  const auto* ours = chain.ours();
  if (chain.components.size() >= max_components && ours == nullptr)
    return {Level::fail, ifname, "its chain is full with " + programs + " programs",
            "unload one with xdp-loader"};
  if (ours != nullptr && !ours->running)
    return {Level::fail, ifname,
            "the component is in its chain and linked to nothing: it doesn't run",
            "'xdp-lb unload " + ifname + "', and load it again"};
  if (dispatcher && installed && *dispatcher < *installed)
    return {Level::warn, ifname,
            "its chain has a dispatcher of version " + std::to_string(*dispatcher) +
                ", older than libxdp's " + std::to_string(*installed) + ": no program can join it",
            "'xdp-loader unload " + ifname + " --all', then load its programs again"};
  const std::string way = ours == nullptr                 ? ""
                          : ours->name == "xdp_lb_inline" ? ", and encapsulates in it"
                                                          : ", and encapsulates on egress";
  return {
      Level::ok, ifname,
      "has a chain of " + programs + " in " + std::string(to_string(chain.mode)) + " mode" + way};
}

}  // namespace

Finding judge_driver(const std::string& ifname, const std::string& driver,
                     const std::optional<XdpFeatures>& features) {
  if (!features)
    return {Level::warn, ifname,
            "this kernel doesn't say whether driver " + driver + " has native XDP",
            "try: 'xdp-lb load' says so where it hasn't, and --mode skb always works"};
  if (!features->basic)
    return {Level::warn, ifname, "driver " + driver + " has no native XDP", "load with --mode skb"};
  if (!features->redirect_target)
    return {Level::warn, ifname,
            "driver " + driver + " has native XDP, but takes no packets redirected to it",
            "let backends be reached through the interface that the packets come in by"};
  return {Level::ok, ifname, "driver " + driver + " has native XDP, and takes redirected packets"};
}

Finding judge_place(const std::string& ifname, const Chain& chain,
                    std::optional<unsigned> dispatcher, std::optional<unsigned> installed) {
  switch (chain.kind) {
    case Chain::Kind::empty:
      return {Level::warn, ifname,
              "no XDP program yet: the first one may reset the driver's queues for a moment",
              "load when a short loss of link does no harm"};
    case Chain::Kind::single:
      return judge_single(ifname, chain);
    case Chain::Kind::unpinned:
      return {Level::fail, ifname, "its chain has lost its pins and passes every packet",
              "'xdp-loader unload " + ifname + " --all', then load its programs again"};
    default:
      return judge_dispatched(ifname, chain, dispatcher, installed);
  }
}

std::string sysctl_of(const std::string& ifname, const std::string& v4, const std::string& v6) {
  std::string text = "sysctl";
  for (const auto& [family, setting] : {std::pair("ipv4", v4), std::pair("ipv6", v6)})
    if (!setting.empty()) text += std::string(" net/") + family + "/conf/" + ifname + "/" + setting;
  return text;
}

int sysctl_value(const std::string& family, const std::string& ifname, const std::string& name) {
  int most = 0;
  for (const auto& whose : {ifname, std::string("all")}) {
    std::ifstream file("/proc/sys/net/" + family + "/conf/" + whose + "/" + name);
    if (int value = 0; file >> value) most = std::max(most, value);
  }
  return most;
}

Finding judge_forwarding(const std::string& ifname, bool v4, bool v6) {
  if (v4 && v6) return {Level::ok, ifname, "forwards IPv4 and IPv6"};
  const std::string off = v4 ? "IPv6" : v6 ? "IPv4" : "IPv4 and IPv6";
  return {Level::warn, ifname,
          "forwarding is off for " + off + ": such backends need a static next hop",
          sysctl_of(ifname, v4 ? "" : "forwarding=1", v6 ? "" : "forwarding=1")};
}

Finding judge_eviction(const std::string& ifname, bool v4, bool v6) {
  if (v4 && v6) return {Level::ok, ifname, "keeps its neighbours when the link is lost"};
  return {
      Level::warn, ifname,
      "forgets the backends' link addresses when the link is lost (no-neighbour)",
      sysctl_of(ifname, v4 ? "" : "arp_evict_nocarrier=0", v6 ? "" : "ndisc_evict_nocarrier=0")};
}

Finding judge_vlans(const std::string& ifname, const Offloads& offloads, bool vlans) {
  if (!offloads.vlan) return {Level::ok, ifname, "leaves VLAN tags where XDP sees them"};
  if (!vlans)
    return {Level::ok, ifname, "strips VLAN tags before XDP sees them, and has no VLAN devices"};
  return {Level::fail, ifname,
          "strips VLAN tags before XDP sees them: packets of its VLANs are taken for untagged ones",
          "ethtool -K " + ifname + " rxvlan off rx-vlan-stag-hw-parse off"};
}

Finding judge_merging(const std::string& ifname, const Offloads& offloads) {
  if (!offloads.merges) return {Level::ok, ifname, "gives XDP packets as they came"};
  return {Level::warn, ifname,
          "merges packets before XDP sees them (LRO or hardware GRO): the driver may refuse native "
          "XDP, and what was merged is too big to be sent on",
          "ethtool -K " + ifname + " lro off; ethtool -K " + ifname + " rx-gro-hw off"};
}

Finding judge_checksums(const std::string& ifname, const std::string& end, bool partial) {
  const std::string text = " takes packets from its stack without TCP's and UDP's checksums: where "
                           "native XDP sends them on, whoever gets them drops them";
  if (end.empty())
    return {Level::warn, ifname,
            "can't tell whether its other end, in another network namespace," + text,
            "there: ethtool -K IFNAME tx off"};
  if (!partial) return {Level::ok, ifname, "gets packets with their checksums"};
  return {Level::warn, ifname, "its other end, " + end + "," + text,
          "ethtool -K " + end + " tx off"};
}

Finding judge_queues(const std::string& ifname, const Queues& queues, unsigned cpus) {
  const auto text =
      "receive queues: " + std::to_string(queues.rx) + ", CPUs: " + std::to_string(cpus);
  const auto most = std::min(queues.most, cpus);
  if (queues.spread != 0 && queues.spread < std::min(queues.rx, cpus))
    return {Level::warn, ifname,
            text + "; hashes spread packets over " + std::to_string(queues.spread) +
                " of the queues (RSS)",
            "ethtool -X " + ifname + " default"};
  if (queues.rx >= cpus) return {Level::ok, ifname, text};
  if (queues.rx >= most) return {Level::ok, ifname, text + "; it can't have more queues"};
  return {
      Level::warn, ifname, text + "; the other CPUs balance nothing",
      "ethtool -L " + ifname + (queues.combined ? " combined " : " rx ") + std::to_string(most)};
}

void check_interface(Findings& findings, const Interface& interface, const std::string& pin_path) {
  const auto& name = interface.name;
  findings.push_back(check_attachable(interface));
  if (findings.back().level == Level::fail) return;
  findings.push_back(judge_driver(name, driver_name(name), xdp_features(interface.index)));
  findings.push_back(check_place(interface, pin_path));
  findings.push_back(judge_forwarding(name, forwards(interface, true), forwards(interface, false)));
  findings.push_back(judge_eviction(name,
                                    keeps_neighbours(interface, "ipv4", "arp_evict_nocarrier"),
                                    keeps_neighbours(interface, "ipv6", "ndisc_evict_nocarrier")));
  const auto all = interfaces();
  const bool vlans = std::ranges::any_of(all, [&](const auto& other) {
    return other.kind == "vlan" && other.parent == interface.index;
  });
  if (interface.kind != "bond") return check_device(findings, interface, all, vlans);
  for (const auto& port : all)
    if (port.master == interface.index) check_device(findings, port, all, vlans);
}

}  // namespace xdplb
