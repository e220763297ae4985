// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Web servers that run the component too.

#include <cstdlib>

#include "tests/net/fixture.h"

namespace xdplb::test {

inline std::string mac_of(const Host& host) {
  const auto links = nlohmann::json::parse(host.require({"ip", "-j", "link", "show", "eth0"}));
  return links.at(0).at("address");
}

// The router's next hops to the VIPs.
inline void route_vips(const Site& site, bool v4, const Words& nodes) {
  std::string line = v4 ? "route replace 192.0.2.0/24" : "route replace 2001:db8:ffff::/64";
  for (const auto& node : nodes) line += " nexthop via " + node;
  site.router.ip({line});
}

// The component on a web server's eth0, with maps of its own; in a chain where the guest has them,
// the first behind xdp-filter, whose pins are by the interface's name. Lines as Loader has them.
class SecondNode {
 public:
  SecondNode(const Host& at, std::size_t number, const std::string& options = "")
      : host(at),
        loader_(at),
        pins_(" -p /sys/fs/bpf/node" + std::to_string(number)),
        filtered_(number == 0 && std::getenv("XDPLB_GUEST") != nullptr) {
    for (const std::string family : {"ipv4", "ipv6"})
      at.sysctl(family + "/conf/eth0/forwarding", "1");
    if (filtered_) at.require({"xdp-filter", "load", "-m", "skb", "-f", "tcp", "eth0"});
    require("load eth0 -m skb --single-ok --object " XDP_LB_OBJECT " " + options);
  }
  ~SecondNode() {
    (void)run("unload --all");
    if (filtered_) (void)host.run({"xdp-filter", "unload", "eth0"});
  }
  SecondNode(const SecondNode&) = delete;
  SecondNode& operator=(const SecondNode&) = delete;

  [[nodiscard]] Outcome run(const std::string& line) const { return loader_.run(line + pins_); }
  std::string require(const std::string& line) const { return loader_.require(line + pins_); }
  [[nodiscard]] nlohmann::json json(const std::string& line) const {
    return loader_.json(line + pins_);
  }

  const Host& host;

 private:
  Loader loader_;
  std::string pins_;
  bool filtered_;
};

}  // namespace xdplb::test
