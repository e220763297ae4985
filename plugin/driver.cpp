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
#include <set>
#include <string_view>
#include <vector>

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

// command: one of ethtool's structures, which the answer comes into.
bool ask_ethtool(const std::string& ifname, void* command) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, ifname.c_str(), sizeof(request.ifr_name) - 1);
  request.ifr_data = static_cast<char*>(command);
  return socket && ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0;
}

// An ethtool structure that ends with an array, in whole words.
template <typename Head>
class WithArray {
 public:
  WithArray(std::uint32_t command, std::size_t bytes) : words_((sizeof(Head) + bytes + 3) / 4) {
    head().cmd = command;
  }
  Head& head() { return *reinterpret_cast<Head*>(words_.data()); }
  void* get() { return words_.data(); }

 private:
  std::vector<std::uint32_t> words_;
};

std::uint32_t count_features(const std::string& ifname) {
  WithArray<ethtool_sset_info> sets(ETHTOOL_GSSET_INFO, sizeof(std::uint32_t));
  sets.head().sset_mask = 1ULL << ETH_SS_FEATURES;
  if (!ask_ethtool(ifname, sets.get()) || sets.head().sset_mask == 0) return 0;
  return sets.head().data[0];
}

// How many queues the indirection table has.
unsigned queues_in_table(const std::string& ifname) {
  ethtool_rxfh_indir head{};
  head.cmd = ETHTOOL_GRXFHINDIR;  // tells the size
  if (!ask_ethtool(ifname, &head) || head.size == 0) return 0;
  WithArray<ethtool_rxfh_indir> table(ETHTOOL_GRXFHINDIR, head.size * sizeof(std::uint32_t));
  table.head().size = head.size;
  if (!ask_ethtool(ifname, table.get())) return 0;
  const auto* first = table.head().ring_index;
  return static_cast<unsigned>(std::set(first, first + head.size).size());
}

}  // namespace

std::string driver_name(const std::string& ifname) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  return ask_ethtool(ifname, &info) ? info.driver : "unknown";
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

std::optional<Offloads> offloads_of(const std::string& ifname) {
  const auto count = count_features(ifname);
  const auto blocks = (count + 31) / 32;
  WithArray<ethtool_gstrings> names(ETHTOOL_GSTRINGS, std::size_t{count} * ETH_GSTRING_LEN);
  names.head().string_set = ETH_SS_FEATURES;
  names.head().len = count;
  WithArray<ethtool_gfeatures> features(ETHTOOL_GFEATURES,
                                        blocks * sizeof(ethtool_get_features_block));
  features.head().size = blocks;
  if (count == 0 || !ask_ethtool(ifname, names.get()) || !ask_ethtool(ifname, features.get()))
    return std::nullopt;
  Offloads offloads;
  for (std::uint32_t i = 0; i < count; i++) {
    if ((features.head().features[i / 32].active >> (i % 32) & 1) == 0) continue;
    const std::string_view name =
        reinterpret_cast<const char*>(names.head().data) + std::size_t{i} * ETH_GSTRING_LEN;
    offloads.vlan |= name == "rx-vlan-hw-parse" || name == "rx-vlan-stag-hw-parse";
    offloads.merges |= name == "rx-lro" || name == "rx-gro-hw";
    offloads.partial |= name.starts_with("tx-checksum-ip");
  }
  return offloads;
}

std::optional<Queues> rx_queues(const std::string& ifname) {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (!ask_ethtool(ifname, &channels)) return std::nullopt;
  return Queues{channels.rx_count + channels.combined_count,
                channels.max_rx + channels.max_combined, channels.max_combined != 0,
                queues_in_table(ifname)};
}

}  // namespace xdplb
