// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Web servers that run the component too.

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
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
      seclude(at);
      at.require(inside({"xdp-filter", "load", "-m", "skb", "-f", "tcp", "eth0"}));
    }
    require("load eth0 -m skb --single-ok --object " XDP_LB_OBJECT " " + options);
  }
  ~SecondNode() {
    (void)run("unload --all");
    if (!prefix_.empty()) (void)host.run(inside({"xdp-filter", "unload", "eth0"}));
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
  // A process whose mount namespace has another bpffs.
  void seclude(Host& at) {
    const auto keeper = at.start([] {
      if (::unshare(CLONE_NEWNS) != 0 ||
          ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) != 0 ||
          ::mkdir("/sys/fs/bpf/secluded", 0700) != 0)
        return 1;
      while (true) ::pause();
    });
    prefix_ = {"nsenter", "-m", "-t", std::to_string(keeper), "--"};
    BOOST_REQUIRE(wait_until(
        [&] {
          return at.run(inside({"test", "-d", "/sys/fs/bpf/secluded"})).status == 0;
        },
        10));
  }
  [[nodiscard]] Words inside(const Words& command) const {
    auto words = prefix_;
    words.insert(words.end(), command.begin(), command.end());
    return words;
  }

  Loader loader_;
  std::string pins_;
  Words prefix_{};
};

}  // namespace xdplb::test
