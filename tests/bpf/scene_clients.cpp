// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/scene_clients.h"

#include <array>

#include "tests/bpf/links.h"

namespace xdplb::test {

namespace {

// A way, and how the kernel is told of it: the device of the gateway's neighbour entry, if there is
// one.
struct Route {
  std::string v4;
  std::string v6;
  std::string device;
  Way way;
};

std::vector<Route> routes() {
  const auto way = [](const std::string& device, unsigned mtu) {
    return Way{
        Way::none, ifindex_of(device), {0x02, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5}, mac_of(device), mtu};
  };
  const auto trouble = [](lb_reason reason) {
    Way way;
    way.trouble = reason;
    return way;
  };
  auto tagged = way("tagged0", 1500);
  tagged.tags = Way::one;
  tagged.vlan = scene_vlan;
  tagged.ifindex = links().in;
  return {{"via 10.9.1.170", "via 2001:db8:a::170", "out0", way("out0", 1500)},
          {"via 10.9.2.170", "via 2001:db8:b::170", "tight0", way("tight0", 1300)},
          {"via 10.9.0.170 mtu lock 1290", "via 2001:db8:9::170 mtu lock 1290", "in0",
           way("in0", 1290)},
          {"via 10.9.3.170", "via 2001:db8:d::170", "tagged0", tagged},
          {"dev in0", "dev in0", "", trouble(LB_NO_NEIGHBOUR)},
          {"", "", "", trouble(LB_NO_ROUTE)}};
}

std::string gateway_in(const std::string& route) { return route.substr(4, route.find(' ', 4) - 4); }

std::vector<Network> make_networks() {
  std::vector<Network> networks;
  unsigned number = 0;
  for (const auto& route : routes()) {
    number++;
    for (const bool v4 : {true, false}) {
      const auto& how = v4 ? route.v4 : route.v6;
      if (!route.device.empty()) set_neighbour(gateway_in(how), route.device, route.way.dst);
      const Network network{client_address(v4, number, 0), v4 ? 24U : 64U, route.way, {}};
      ip_tool("route replace " + std::string(how.empty() ? "blackhole " : "") +
              network.first.to_string() + "/" + std::to_string(network.bits) + " " + how);
      networks.push_back(network);
    }
  }
  // Sources that chance put into the balancer's own networks, where nobody is that has them.
  Way nobody;
  nobody.trouble = LB_NO_NEIGHBOUR;
  for (const std::string own : {"2001:db8:9::", "2001:db8:a::", "2001:db8:b::", "2001:db8:d::"})
    networks.push_back({ip(own), 64U, nobody, ip(own + "1")});
  return networks;
}

}  // namespace

Address client_address(bool v4, unsigned network, unsigned host) {
  if (v4) return ip("198.18." + std::to_string(network) + "." + std::to_string(host));
  auto bytes = ip("2001:db8::").bytes();
  bytes[4] = 0xc;
  bytes[5] = static_cast<std::uint8_t>(network);
  bytes[15] = static_cast<std::uint8_t>(host);
  return Address(bytes);
}

std::vector<Network> client_networks() {
  static const auto made = make_networks();
  return made;
}

}  // namespace xdplb::test
