// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/interface.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <net/if_arp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "plugin/error.h"
#include "plugin/netlink.h"

namespace xdplb {

namespace {

constexpr int max_tries = 20;

void read_kinds(const nlattr* info, Interface& interface) {
  each_nested(info, [&](const nlattr* attr) {
    if (mnl_attr_get_type(attr) == IFLA_INFO_KIND) interface.kind = mnl_attr_get_str(attr);
    if (mnl_attr_get_type(attr) == IFLA_INFO_SLAVE_KIND)
      interface.port_kind = mnl_attr_get_str(attr);
    if (mnl_attr_get_type(attr) != IFLA_INFO_DATA || interface.kind != "vlan") return;
    each_nested(attr, [&](const nlattr* data) {
      if (mnl_attr_get_type(data) == IFLA_VLAN_ID) interface.vlan = mnl_attr_get_u16(data);
    });
  });
}

bool has_program(const nlattr* xdp) {
  bool has = false;
  each_nested(xdp, [&](const nlattr* attr) {
    if (mnl_attr_get_type(attr) == IFLA_XDP_ATTACHED)
      has = mnl_attr_get_u8(attr) != XDP_ATTACHED_NONE;
  });
  return has;
}

Interface read_link(const nlmsghdr* message) {
  const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  Interface interface;
  interface.index = static_cast<unsigned>(link->ifi_index);
  interface.up = (link->ifi_flags & IFF_UP) != 0;
  interface.ethernet = link->ifi_type == ARPHRD_ETHER || link->ifi_type == ARPHRD_LOOPBACK;
  each_attribute(message, sizeof(*link), [&](const nlattr* attr) {
    switch (mnl_attr_get_type(attr)) {
      case IFLA_IFNAME:
        interface.name = mnl_attr_get_str(attr);
        break;
      case IFLA_MTU:
        interface.mtu = mnl_attr_get_u32(attr);
        break;
      case IFLA_LINK:
        interface.parent = mnl_attr_get_u32(attr);
        break;
      case IFLA_LINK_NETNSID:
        interface.elsewhere = true;
        break;
      case IFLA_MASTER:
        interface.master = mnl_attr_get_u32(attr);
        break;
      case IFLA_ADDRESS:
        if (mnl_attr_get_payload_len(attr) == interface.mac.size())
          std::memcpy(interface.mac.data(), mnl_attr_get_payload(attr), interface.mac.size());
        break;
      case IFLA_LINKINFO:
        read_kinds(attr, interface);
        break;
      case IFLA_XDP:
        interface.xdp = has_program(attr);
        break;
      default:
        break;
    }
  });
  return interface;
}

}  // namespace

std::vector<Interface> interfaces() {
  // The kernel says EINTR of a list that changed while it was read.
  for (int tries = 0;; tries++) {
    NetlinkRequest request(RTM_GETLINK, NLM_F_DUMP);
    request.header<ifinfomsg>();
    std::vector<Interface> all;
    const int error =
        request.run([&](const nlmsghdr* message) { all.push_back(read_link(message)); });
    if (error == 0) return all;
    if (error != EINTR || tries == max_tries)
      throw SystemError(error, "listing the network interfaces");
  }
}

Interface find_interface(const std::string& name) { return find_interface(interfaces(), name); }

const Interface& find_interface(const std::vector<Interface>& all, const std::string& name) {
  const auto found = std::ranges::find(all, name, &Interface::name);
  if (found == all.end())
    throw Error("there is no network interface '" + name + "'",
                "'ip link' shows those in this network namespace");
  return *found;
}

std::string interface_name(unsigned index) {
  std::array<char, IF_NAMESIZE> name{};
  if (::if_indextoname(index, name.data()) == nullptr) return "ifindex " + std::to_string(index);
  return name.data();
}

bool is_there(unsigned index) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(index, name.data()) != nullptr;
}

void require_attachable(const Interface& interface) {
  if (interface.kind == "vlan")
    throw Error(interface.name + " is a VLAN device, which XDP sees only after the network stack",
                "give its parent, " + interface_name(interface.parent) + ": VLAN tags are read");
  if (interface.kind == "bridge")
    throw Error(interface.name + " is a bridge, which XDP sees only after the network stack",
                "give the bridge's ports, and backends a static --next-hop");
  if (interface.port_kind == "bond")
    throw Error(interface.name + " is a port of a bond",
                "give the bond, " + interface_name(interface.master));
  if (!interface.ethernet)
    throw Error(interface.name + " has no Ethernet headers", "give an Ethernet interface");
}

bool forwards(const Interface& interface, bool v4) {
  std::ifstream file(std::string("/proc/sys/net/") + (v4 ? "ipv4" : "ipv6") + "/conf/" +
                     interface.name + "/forwarding");
  int value = 0;
  return (file >> value) && value != 0;
}

}  // namespace xdplb
