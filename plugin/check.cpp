// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/check.h"

#include <sys/utsname.h>

#include <cstdio>
#include <fstream>
#include <utility>

#include "plugin/chain.h"
#include "plugin/driver.h"
#include "plugin/error.h"
#include "plugin/interface.h"
#include "plugin/object.h"
#include "plugin/pins.h"
#include "plugin/privileges.h"

namespace xdplb {

namespace {

constexpr unsigned min_kernel_major = 6;
constexpr unsigned min_kernel_minor = 1;

Finding ok(const std::string& subject, const std::string& text) {
  return {Level::ok, subject, text, {}};
}

Finding check_kernel() {
  utsname names{};
  ::uname(&names);
  unsigned major = 0;
  unsigned minor = 0;
  const std::string release = names.release;
  if (std::sscanf(release.c_str(), "%u.%u", &major, &minor) == 2 &&
      (major > min_kernel_major || (major == min_kernel_major && minor >= min_kernel_minor)))
    return ok("kernel", "Linux " + release);
  return {Level::fail, "kernel", "Linux " + release + " is too old",
          "Linux 6.1 or newer is needed"};
}

Finding check_privileges() {
  const auto missing = missing_capabilities();
  if (missing.empty()) return ok("privileges", "CAP_SYS_ADMIN and CAP_NET_ADMIN are there");
  return {Level::fail, "privileges", missing + " is missing, which a chain needs", "run as root"};
}

Finding check_bpffs(const std::string& pin_path) {
  try {
    require_bpffs(pin_path);
    return ok("bpffs", pin_path + " is on a BPF file system");
  } catch (const Failure& failure) {
    return {Level::fail, "bpffs", failure.what(), failure.hint()};
  }
}

Finding check_libxdp() {
  const auto version = libxdp_version();
  if (version.empty())
    return {Level::warn, "libxdp", "can't tell its version", "1.3.1 or newer is needed"};
  return ok("libxdp", "version " + version);
}

Finding check_object() {
  try {
    return ok("object", find_object({}) + " is installed");
  } catch (const Failure& failure) {
    return {Level::warn, "object", failure.what(), failure.hint()};
  }
}

Finding check_dispatcher() {
  if (!missing_capabilities().empty())
    return {Level::warn, "chain", "can't tell whether the kernel takes libxdp's dispatcher",
            "run as root"};
  const auto missing = why_no_chain();
  if (!missing) return ok("chain", "the kernel takes libxdp's dispatcher");
  return {Level::fail, "chain", *missing,
          "use a kernel that takes it, or load with --single-ok, with no other XDP program"};
}

Finding check_jit() {
  std::ifstream file("/proc/sys/net/core/bpf_jit_enable");
  int enabled = 0;
  if (!(file >> enabled))
    return {Level::warn, "jit", "can't tell whether BPF programs are compiled",
            "see net.core.bpf_jit_enable in the first network namespace"};
  if (enabled != 0) return ok("jit", "BPF programs are compiled");
  return {Level::warn, "jit", "BPF programs are interpreted, which is many times slower",
          "sysctl net.core.bpf_jit_enable=1"};
}

Finding check_attachable(const Interface& interface) {
  try {
    require_attachable(interface);
    return ok(interface.name, "can carry the component" +
                                  (interface.kind.empty() ? "" : " (" + interface.kind + ")"));
  } catch (const Failure& failure) {
    return {Level::fail, interface.name, failure.what(), failure.hint()};
  }
}

Finding check_driver(const Interface& interface) {
  const auto driver = driver_name(interface.name);
  const auto features = xdp_features(interface.index);
  if (!features)
    return {Level::warn, interface.name,
            "this kernel doesn't say whether driver " + driver + " has native XDP",
            "try: 'xdp-lb load' says so where it hasn't, and --mode skb always works"};
  if (!features->basic)
    return {Level::warn, interface.name, "driver " + driver + " has no native XDP",
            "load with --mode skb"};
  if (!features->redirect_target)
    return {Level::warn, interface.name,
            "driver " + driver + " has native XDP, but takes no packets redirected to it",
            "let backends be reached through the interface that the packets come in by"};
  return ok(interface.name, "driver " + driver + " has native XDP, and takes redirected packets");
}

Finding check_chain(const Interface& interface, std::uint32_t arena_id) {
  try {
    const auto chain = read_chain(interface, arena_id);
    const auto programs = std::to_string(chain.components.size());
    switch (chain.kind) {
      case Chain::Kind::empty:
        return {Level::warn, interface.name,
                "no XDP program yet: the first one may reset the driver's queues for a moment",
                "load when a short loss of link does no harm"};
      case Chain::Kind::single:
        if (chain.main.ours)
          return {Level::warn, interface.name, "the component is attached without a chain",
                  "no other XDP program can be beside it"};
        return {Level::fail, interface.name,
                "XDP program " + chain.main.name + " is attached without a dispatcher",
                "remove it with its own tool, or with 'ip link set dev " + interface.name +
                    " xdp off'"};
      case Chain::Kind::unpinned:
        return {Level::fail, interface.name, "its chain has lost its pins and passes every packet",
                "'xdp-loader unload " + interface.name + " --all', then load its programs again"};
      case Chain::Kind::dispatcher:
        break;
    }
    if (chain.components.size() >= max_components && chain.ours() == nullptr)
      return {Level::fail, interface.name, "its chain is full with " + programs + " programs",
              "unload one with xdp-loader"};
    const auto* ours = chain.ours();
    const std::string way = ours == nullptr                 ? ""
                            : ours->name == "xdp_lb_inline" ? ", and encapsulates in it"
                                                            : ", and encapsulates on egress";
    return ok(interface.name, "has a chain of " + programs + " in " +
                                  std::string(to_string(chain.mode)) + " mode" + way);
  } catch (const Failure& failure) {
    return {Level::fail, interface.name, failure.what(), failure.hint()};
  }
}

// A sysctl's name takes a slash for a dot in an interface's name.
std::string sysctls(const std::string& ifname, const std::string& v4, const std::string& v6) {
  std::string text = "sysctl";
  for (const auto& [family, setting] : {std::pair("ipv4", v4), std::pair("ipv6", v6)})
    if (!setting.empty()) text += std::string(" net/") + family + "/conf/" + ifname + "/" + setting;
  return text;
}

Finding check_forwarding(const Interface& interface) {
  const bool v4 = forwards(interface, true);
  const bool v6 = forwards(interface, false);
  if (v4 && v6) return ok(interface.name, "forwards IPv4 and IPv6");
  const std::string off = v4 ? "IPv6" : v6 ? "IPv4" : "IPv4 and IPv6";
  return {Level::warn, interface.name,
          "forwarding is off for " + off + ": such backends need a static next hop",
          sysctls(interface.name, v4 ? "" : "forwarding=1", v6 ? "" : "forwarding=1")};
}

Finding check_eviction(const Interface& interface) {
  const auto keeps = [&](const char* family, const char* name) {
    std::ifstream file(std::string("/proc/sys/net/") + family + "/conf/" + interface.name + "/" +
                       name);
    int value = 1;
    return (file >> value) && value == 0;
  };
  const bool v4 = keeps("ipv4", "arp_evict_nocarrier");
  const bool v6 = keeps("ipv6", "ndisc_evict_nocarrier");
  if (v4 && v6) return ok(interface.name, "keeps its neighbours when the link is lost");
  return {Level::warn, interface.name,
          "forgets the backends' link addresses when the link is lost (no-neighbour)",
          sysctls(interface.name, v4 ? "" : "arp_evict_nocarrier=0",
                  v6 ? "" : "ndisc_evict_nocarrier=0")};
}

}  // namespace

std::vector<Finding> check_host(const std::vector<std::string>& ifnames,
                                const std::string& pin_path) {
  std::vector<Interface> named;
  named.reserve(ifnames.size());
  for (const auto& name : ifnames) named.push_back(find_interface(name));
  std::vector<Finding> findings{check_kernel(), check_privileges(), check_bpffs(pin_path),
                                check_libxdp(), check_dispatcher(), check_object(),
                                check_jit()};
  const auto arena_id = pinned_arena_id(pin_path);
  for (const auto& interface : named) {
    findings.push_back(check_attachable(interface));
    if (findings.back().level == Level::fail) continue;
    findings.push_back(check_driver(interface));
    findings.push_back(check_chain(interface, arena_id));
    findings.push_back(check_forwarding(interface));
    findings.push_back(check_eviction(interface));
  }
  return findings;
}

}  // namespace xdplb
