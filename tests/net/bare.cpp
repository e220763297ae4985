// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/bare.h"

#include <algorithm>

namespace xdplb::test {

void make_bare(const Site& site) {
  // Much of it may not be there.
  std::string script = "{ ip fou del port 6080; ip -6 fou del port 6080\n";
  for (const std::string device : {"tunl0", "sit0", "gre0", "ip6tnl0", "ip6gre0"})
    script += "[ ! -e /proc/sys/net/ipv4/conf/" + device + " ] || { ip link set " + device +
              " down; ip address flush dev " + device + "; sysctl net.ipv4.conf." + device +
              ".rp_filter=1; }\n";
  script += "ip -6 tunnel change ip6tnl0 mode ip6ip6; nft flush ruleset\n";
  for (const auto& vip : vips()) script += "ip address del " + vip + " dev lo\n";
  for (const std::string ip : {"ip", "ip -6"})
    script += ip + " rule del table 100; " + ip + " route flush table 100\n";
  script += "} >/dev/null 2>&1; true";
  for (const auto& web : site.webs) {
    web.require({"sh", "-c", script});
    for (const std::string device : {"all", "default", "eth0"})
      web.sysctl("ipv4/conf/" + device + "/rp_filter", "1");
    web.sysctl("ipv4/conf/all/arp_ignore", "0");
    web.sysctl("ipv4/conf/all/arp_announce", "0");
  }
}

void set_up(const Site& site, const Loader& loader, const TestService& service, int number) {
  const auto& members = service.members();
  const auto member = std::ranges::find(members, "web" + std::to_string(number), &Member::name);
  const auto lines = loader.require("backend-setup " + service.id() + " " + member->address);
  site.webs[static_cast<std::size_t>(number - 1)].require({"sh", "-ec", lines});
}

}  // namespace xdplb::test
