// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Web servers that run the component too.

#include <cstdlib>
#include <optional>

#include "tests/net/fixture.h"
#include "tests/support/mounts.h"

namespace xdplb::test {

// What 'peer add' takes.
inline std::string mac_of(const Host& host) { return xdplb::to_string(host.mac("eth0")); }

// The router's next hops to the VIPs.
inline void route_vips(const Site& site, bool v4, const Words& nodes) {
  std::string line = v4 ? "route replace 192.0.2.0/24" : "route replace 2001:db8:ffff::/64";
  for (const auto& node : nodes) line += " nexthop via " + node;
  site.router.ip({line});
}

// The component on a web server's eth0, with maps of its own. In the guest it is in a chain, behind
// xdp-filter, with a bpffs of its own: xdp-filter's pins are by the interface's name. Lines as
// Loader has them.
class SecondNode {
 public:
  SecondNode(Host& at, std::size_t number, const std::string& options = "")
      : host(at), loader_(at), pins_(" -p /sys/fs/bpf/node" + std::to_string(number)) {
    for (const std::string family : {"ipv4", "ipv6"})
      at.sysctl(family + "/conf/eth0/forwarding", "1");
    if (std::getenv("XDPLB_GUEST") != nullptr) {
      secluded_.emplace(at, "mount -t bpf bpf /sys/fs/bpf");
      at.require(inside({"xdp-filter", "load", "-m", "skb", "-f", "tcp", "eth0"}));
    }
    require("load eth0 -m skb --single-ok " + options + with_object);
  }
  ~SecondNode() {
    (void)run("unload --all");
    if (secluded_) (void)host.run(inside({"xdp-filter", "unload", "eth0"}));
  }
  SecondNode(const SecondNode&) = delete;
  SecondNode& operator=(const SecondNode&) = delete;

  [[nodiscard]] Outcome run(const std::string& line) const { return host.run(command(line)); }
  std::string require(const std::string& line) const { return host.require(command(line)); }
  [[nodiscard]] nlohmann::json json(const std::string& line) const {
    return nlohmann::json::parse(require(line + " --json"));
  }

  [[nodiscard]] Words command(const std::string& line) const {
    return inside(loader_.command(line + pins_));
  }

  const Host& host;

 private:
  [[nodiscard]] Words inside(const Words& command) const {
    return secluded_ ? secluded_->inside(command) : command;
  }

  Loader loader_;
  std::string pins_;
  std::optional<MountNamespace> secluded_{};
};

}  // namespace xdplb::test
