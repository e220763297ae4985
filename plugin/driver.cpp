// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/driver.h"

#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

#include "plugin/fd.h"
#include "plugin/netlink.h"

namespace xdplb {

namespace {

// From the kernel's netlink/specs/netdev.yaml; <linux/netdev.h> is newer than Linux 6.1's headers.
constexpr std::uint8_t netdev_cmd_dev_get = 1;
constexpr std::uint16_t netdev_a_dev_ifindex = 1;
constexpr std::uint16_t netdev_a_dev_xdp_features = 3;
constexpr std::uint64_t xdp_act_basic = 1;
constexpr std::uint64_t xdp_act_ndo_xmit = 4;

std::uint16_t netdev_family() {
  NetlinkRequest request(GENL_ID_CTRL, NLM_F_ACK, NETLINK_GENERIC);
  auto& head = request.header<genlmsghdr>();
  head.cmd = CTRL_CMD_GETFAMILY;
  head.version = 1;
  const std::string name = "netdev";
  request.attribute(CTRL_ATTR_FAMILY_NAME, name.c_str(), name.size() + 1);
  std::uint16_t family = 0;
  request.run([&](const nlmsghdr* message) {
    each_attribute(message, sizeof(genlmsghdr), [&](const nlattr* attr) {
      if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID) family = mnl_attr_get_u16(attr);
    });
  });
  return family;
}

}  // namespace

std::string driver_name(const std::string& ifname) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  ifreq request{};
  std::strncpy(request.ifr_name, ifname.c_str(), sizeof(request.ifr_name) - 1);
  request.ifr_data = reinterpret_cast<char*>(&info);
  if (!socket || ::ioctl(socket.get(), SIOCETHTOOL, &request) != 0) return "unknown";
  return info.driver;
}

std::optional<XdpFeatures> xdp_features(unsigned ifindex) {
  const auto family = netdev_family();
  if (family == 0) return std::nullopt;
  NetlinkRequest request(family, NLM_F_ACK, NETLINK_GENERIC);
  auto& head = request.header<genlmsghdr>();
  head.cmd = netdev_cmd_dev_get;
  head.version = 1;
  const std::uint32_t index = ifindex;
  request.attribute(netdev_a_dev_ifindex, &index, sizeof(index));
  std::optional<XdpFeatures> features;
  request.run([&](const nlmsghdr* message) {
    each_attribute(message, sizeof(genlmsghdr), [&](const nlattr* attr) {
      if (mnl_attr_get_type(attr) != netdev_a_dev_xdp_features) return;
      const auto bits = mnl_attr_get_u64(attr);
      features = XdpFeatures{(bits & xdp_act_basic) != 0, (bits & xdp_act_ndo_xmit) != 0};
    });
  });
  return features;
}

}  // namespace xdplb
