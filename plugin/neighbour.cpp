// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/neighbour.h"

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>

#include <cerrno>

#include "plugin/error.h"
#include "plugin/interface.h"
#include "plugin/netlink.h"

namespace xdplb {

namespace {

struct Neighbour {
  std::uint16_t state = 0;
  std::uint32_t flags_ext = 0;
};

std::optional<Neighbour> find_neighbour(const Address& address, unsigned ifindex) {
  NetlinkRequest request(RTM_GETNEIGH, 0);
  auto& head = request.header<ndmsg>();
  head.ndm_family = af_of(address);
  head.ndm_ifindex = static_cast<int>(ifindex);
  request.attribute(NDA_DST, address);
  std::optional<Neighbour> found;
  request.run([&](const nlmsghdr* message) {
    found = Neighbour{static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message))->ndm_state, 0};
    each_attribute(message, sizeof(ndmsg), [&](const nlattr* attr) {
      if (mnl_attr_get_type(attr) == NDA_FLAGS_EXT) found->flags_ext = mnl_attr_get_u32(attr);
    });
  });
  return found;
}

// Only a locked MTU is one for packets that are forwarded.
unsigned locked_mtu(const nlattr* metrics) {
  unsigned mtu = 0;
  unsigned locks = 0;
  each_nested(metrics, [&](const nlattr* attr) {
    if (mnl_attr_get_type(attr) == RTAX_MTU) mtu = mnl_attr_get_u32(attr);
    if (mnl_attr_get_type(attr) == RTAX_LOCK) locks = mnl_attr_get_u32(attr);
  });
  return (locks & (1U << RTAX_MTU)) != 0 ? mtu : 0;
}

void read_into(Route& route, const nlattr* attr) {
  const auto type = mnl_attr_get_type(attr);
  if (type == RTA_OIF) route.ifindex = mnl_attr_get_u32(attr);
  if (type == RTA_PREFSRC) route.source = address_in(attr);
  if (type == RTA_GATEWAY) route.gateway = address_in(attr);
  if (type == RTA_METRICS) route.mtu = locked_mtu(attr);
  if (type == RTA_GATEWAY || type == RTA_VIA) route.on_link = false;
}

}  // namespace

std::optional<Route> route_to(const Address& address) {
  NetlinkRequest request(RTM_GETROUTE, 0);
  auto& head = request.header<rtmsg>();
  head.rtm_family = af_of(address);
  head.rtm_dst_len = bits_of(address);
  request.attribute(RTA_DST, address);
  std::optional<Route> route;
  request.run([&](const nlmsghdr* message) {
    const auto type = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message))->rtm_type;
    if (type != RTN_UNICAST && type != RTN_LOCAL) return;
    route = Route{};
    route->local = type == RTN_LOCAL;
    each_attribute(message, sizeof(rtmsg), [&](const nlattr* attr) { read_into(*route, attr); });
  });
  return route;
}

void keep_neighbour(const Address& address, unsigned ifindex) {
  const auto now = find_neighbour(address, ifindex);
  if (now &&
      ((now->state & (NUD_PERMANENT | NUD_NOARP)) != 0 || (now->flags_ext & NTF_EXT_MANAGED) != 0))
    return;
  NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK);
  auto& head = request.header<ndmsg>();
  head.ndm_family = af_of(address);
  head.ndm_ifindex = static_cast<int>(ifindex);
  head.ndm_state = NUD_NONE;
  request.attribute(NDA_DST, address);
  const std::uint32_t managed = NTF_EXT_MANAGED;
  request.attribute(NDA_FLAGS_EXT, &managed, sizeof(managed));
  const int error = request.run();
  if (error != 0)
    throw SystemError(error, "asking the kernel to keep neighbour " + address.to_string() + " on " +
                                 interface_name(ifindex));
}

bool has_neighbour(const Address& address, unsigned ifindex) {
  constexpr unsigned valid =
      NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
  const auto now = find_neighbour(address, ifindex);
  return now && (now->state & valid) != 0;
}

void release_neighbour(const Address& address, unsigned ifindex) {
  const auto now = find_neighbour(address, ifindex);
  if (!now || (now->flags_ext & NTF_EXT_MANAGED) == 0) return;
  NetlinkRequest request(RTM_DELNEIGH, NLM_F_ACK);
  auto& head = request.header<ndmsg>();
  head.ndm_family = af_of(address);
  head.ndm_ifindex = static_cast<int>(ifindex);
  request.attribute(NDA_DST, address);
  request.run();
}

}  // namespace xdplb
