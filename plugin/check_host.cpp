// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/check_host.h"

#include <bpf/libbpf.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <utility>

#include "plugin/chain.h"
#include "plugin/dispatcher.h"
#include "plugin/error.h"
#include "plugin/object.h"
#include "plugin/pins.h"
#include "plugin/privileges.h"

namespace xdplb {

namespace {

using Version = std::pair<unsigned, unsigned>;

constexpr Version least_kernel{6, 1};
constexpr Version least_libxdp{1, 3};  // 1.3.1 calls its file 1.3.0

// Nothing where there are no two numbers.
std::optional<Version> version_of(const std::string& text) {
  Version version;
  if (std::sscanf(text.c_str(), "%u.%u", &version.first, &version.second) < 2) return std::nullopt;
  return version;
}

std::string kernel_release() {
  utsname names{};
  ::uname(&names);
  return names.release;
}

std::optional<int> jit_enabled() {
  std::ifstream file("/proc/sys/net/core/bpf_jit_enable");
  int enabled = 0;
  return file >> enabled ? std::optional(enabled) : std::nullopt;
}

Finding check_privileges() {
  const auto missing = missing_capabilities();
  if (missing.empty())
    return {Level::ok, "privileges", "CAP_SYS_ADMIN and CAP_NET_ADMIN are there"};
  return {Level::fail, "privileges", missing + " is missing, which a chain needs", "run as root"};
}

Finding check_bpffs(const std::string& pin_path) {
  try {
    require_bpffs(pin_path);
    return {Level::ok, "bpffs", pin_path + " is on a BPF file system"};
  } catch (const Failure& failure) {
    return {Level::fail, "bpffs", failure.what(), failure.hint()};
  }
}

Finding check_object() {
  try {
    return {Level::ok, "object", find_object({}) + " is installed"};
  } catch (const Failure& failure) {
    return {Level::warn, "object", failure.what(),
            "install xdp-lb, or give its path to load, apply, upgrade and trace with -o"};
  }
}

void check_dispatcher(Findings& findings) {
  if (!missing_capabilities().empty()) {
    findings.push_back({Level::warn, "chain",
                        "can't tell whether the kernel takes libxdp's dispatcher", "run as root"});
    return;
  }
  const auto missing = why_no_chain();
  findings.push_back(judge_chain(missing));
  if (!missing) findings.push_back(judge_growth(lets_grow(dispatcher_file())));
}

std::optional<bool> finds_sockets() {
  if (!missing_capabilities().empty()) return std::nullopt;
  for (const auto helper :
       {BPF_FUNC_skc_lookup_tcp, BPF_FUNC_sk_lookup_udp, BPF_FUNC_tcp_check_syncookie}) {
    const int found = libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, helper, nullptr);
    if (found < 0) return std::nullopt;
    if (found == 0) return false;
  }
  return true;
}

}  // namespace

Finding judge_kernel(const std::string& release) {
  if (version_of(release).value_or(Version()) >= least_kernel)
    return {Level::ok, "kernel", "Linux " + release};
  return {Level::fail, "kernel", "Linux " + release + " is too old",
          "Linux 6.1 or newer is needed"};
}

Finding judge_types(bool there) {
  if (there) return {Level::ok, "btf", "the kernel has type information"};
  return {Level::fail, "btf", "the kernel has no type information (/sys/kernel/btf/vmlinux)",
          "use a kernel with CONFIG_DEBUG_INFO_BTF, as distributions have it"};
}

Finding judge_libxdp(const std::string& version, std::optional<unsigned> dispatcher) {
  const auto number = version_of(version);
  if (!number) return {Level::warn, "libxdp", "can't tell its version", "1.3.1 or newer is needed"};
  if (*number < least_libxdp)
    return {Level::fail, "libxdp", "version " + version + " is too old",
            "1.3.1 or newer is needed"};
  if (!dispatcher)
    return {Level::warn, "libxdp",
            "version " + version + " has no dispatcher beside it, which chains are made from",
            "install it whole: xdp-dispatcher.o is missing in its folder bpf"};
  return {Level::ok, "libxdp",
          "version " + version + ", with dispatcher version " + std::to_string(*dispatcher)};
}

Finding judge_chain(const std::optional<std::string>& missing) {
  if (!missing) return {Level::ok, "chain", "the kernel takes libxdp's dispatcher"};
  return {Level::fail, "chain", *missing,
          "use a kernel that takes it, or load with --single-ok, with no other XDP program"};
}

Finding judge_growth(std::optional<bool> lets_grow) {
  if (!lets_grow)
    return {Level::warn, "growth", "can't tell whether a program in a chain may grow packets",
            "'xdp-lb load' finds out; modes ipip, gue and gre work either way"};
  if (*lets_grow)
    return {
        Level::ok, "growth",
        "programs in a chain may grow packets: modes ipip, gue and gre write their headers there"};
  return {
      Level::warn, "growth",
      "programs in a chain may not grow packets: modes ipip, gue and gre write their headers on "
      "egress, and no other program may redirect to these devices",
      "libxdp 1.5.5 or newer makes chains that let them"};
}

Finding judge_sockets(std::optional<bool> finds) {
  if (!finds)
    return {Level::warn, "sockets", "can't tell whether programs may look for sockets",
            "run as root"};
  if (*finds) return {Level::ok, "sockets", "programs may look for sockets: second chances work"};
  return {Level::fail, "sockets", "programs may not look for sockets, which second chances need",
          "use a kernel with CONFIG_INET, as distributions have it"};
}

Finding judge_jit(std::optional<int> enabled) {
  if (!enabled)
    return {Level::warn, "jit", "can't tell whether BPF programs are compiled",
            "see net.core.bpf_jit_enable in the first network namespace"};
  if (*enabled != 0) return {Level::ok, "jit", "BPF programs are compiled"};
  return {Level::warn, "jit", "BPF programs are interpreted, which is many times slower",
          "sysctl net.core.bpf_jit_enable=1"};
}

void check_host(Findings& findings, const std::string& pin_path) {
  findings.push_back(judge_kernel(kernel_release()));
  findings.push_back(check_privileges());
  findings.push_back(judge_types(::access("/sys/kernel/btf/vmlinux", R_OK) == 0));
  findings.push_back(check_bpffs(pin_path));
  findings.push_back(judge_libxdp(libxdp_version(), dispatcher_version(dispatcher_file())));
  check_dispatcher(findings);
  findings.push_back(judge_sockets(finds_sockets()));
  findings.push_back(check_object());
  findings.push_back(judge_jit(jit_enabled()));
}

}  // namespace xdplb
