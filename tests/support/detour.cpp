// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/detour.h"

namespace xdplb::test {

namespace {

void make_router(const Host& host) {
  host.sysctl("ipv4/ip_forward", "1");
  host.sysctl("ipv6/conf/all/forwarding", "1");
  // Errors as often as there is a reason.
  host.sysctl("ipv4/icmp_ratelimit", "0");
  host.sysctl("ipv6/icmp/ratelimit", "0");
}

std::string size() { return " mtu " + std::to_string(narrow); }

}  // namespace

NarrowPath::NarrowPath(const Site& site) {
  make_router(hop);
  site.router.ip("link set wan netns hop\nlink add name wan" + size() +
                 " type veth peer name far netns hop" + size() +
                 "\nlink set wan up\n"
                 "addr add 10.3.0.1/24 dev wan\naddr add fd00:3::1/64 dev wan nodad\n"
                 "route add 10.1.0.0/24 via 10.3.0.2\nroute add fd00:1::/64 via fd00:3::2");
  hop.ip("link set wan up\nlink set far up\n"
         "addr add 10.1.0.1/24 dev wan\naddr add fd00:1::1/64 dev wan nodad\n"
         "addr add 10.3.0.2/24 dev far\naddr add fd00:3::2/64 dev far nodad\n"
         "route add default via 10.3.0.1\nroute add default via fd00:3::1");
}

Gateway::Gateway(const Site& site) {
  make_router(gate);
  site.router.ip("link set web4 netns gate\n"
                 "link add name gate type veth peer name eth0 netns gate\n"
                 "link set gate master lan1\nlink set gate up");
  gate.ip("link set web4" + size() +
          " up\nlink set eth0 up\n"
          "addr add 10.4.0.12/24 dev eth0\naddr add fd00:4::12/64 dev eth0 nodad\n"
          "addr add 10.5.0.1/24 dev web4\naddr add fd00:5::1/64 dev web4 nodad\n"
          "route add default via 10.4.0.11\nroute add default via fd00:4::11");
  site.webs[3].ip("addr flush dev eth0\nlink set eth0" + size() + "\n" +
                  "addr add 10.5.0.24/24 dev eth0\naddr add fd00:5::24/64 dev eth0 nodad\n"
                  "route replace default via 10.5.0.1 advmss 1460\n"
                  "route replace default via fd00:5::1 advmss 1440");
  site.balancer.ip("route add 10.5.0.0/24 via 10.4.0.12\nroute add fd00:5::/64 via fd00:4::12");
}

void forget_paths(const Host& host) {
  host.require({"sh", "-c", "ip -4 route flush cache && ip -6 route flush cache"});
}

unsigned path_mtu(const Host& host, const Address& to) {
  const auto words = split(host.require({"ip", "route", "get", to.to_string()}));
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    if (words[i] == "mtu") return static_cast<unsigned>(std::stoul(words[i + 1]));
  return 0;
}

}  // namespace xdplb::test
