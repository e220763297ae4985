// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/vip_route.h"

#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>

#include "plugin/error.h"
#include "plugin/netlink.h"

namespace xdplb {

namespace {

rtmsg& describe(NetlinkRequest& request, std::uint8_t family, unsigned char protocol) {
  auto& head = request.header<rtmsg>();
  head.rtm_family = family;
  head.rtm_table = RT_TABLE_MAIN;
  head.rtm_protocol = protocol;
  return head;
}

int change(std::uint16_t type, std::uint16_t flags, const Address& vip) {
  NetlinkRequest request(type, flags | NLM_F_ACK);
  auto& head = describe(request, af_of(vip), vip_route_protocol);
  head.rtm_type = RTN_BLACKHOLE;
  head.rtm_dst_len = bits_of(vip);
  request.attribute(RTA_DST, vip);
  const std::uint32_t metric = vip_route_metric;
  request.attribute(RTA_PRIORITY, &metric, sizeof(metric));
  return request.run();
}

// A single one, to which the route goes, and not after that to a VIP, as those of greater metrics
// do.
std::optional<Address> host_of(const nlmsghdr* message) {
  const auto* head = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  std::optional<Address> to;
  std::uint32_t metric = 0;
  each_attribute(message, sizeof(rtmsg), [&](const nlattr* attr) {
    if (mnl_attr_get_type(attr) == RTA_DST) to = address_in(attr);
    if (mnl_attr_get_type(attr) == RTA_PRIORITY) metric = mnl_attr_get_u32(attr);
  });
  if (!to || head->rtm_dst_len != bits_of(*to) || metric > vip_route_metric) return std::nullopt;
  return to;
}

// To single addresses. The kernel leaves out those of other protocols, which may be a million.
std::set<Address> host_routes(unsigned char protocol) {
  std::set<Address> all;
  for (const std::uint8_t family : {AF_INET, AF_INET6}) {
    NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP);
    request.strictly();
    describe(request, family, protocol);
    const int error = request.run([&](const nlmsghdr* message) {
      if (const auto host = host_of(message)) all.insert(*host);
    });
    if (error != 0 && error != EAFNOSUPPORT) throw SystemError(error, "reading the routes to VIPs");
  }
  return all;
}

}  // namespace

std::set<Address> vip_routes() { return host_routes(vip_route_protocol); }

std::set<Address> set_routes() {
  auto all = host_routes(RTPROT_BOOT);
  all.merge(host_routes(RTPROT_STATIC));
  return all;
}

void add_vip_route(const Address& vip) {
  const int error = change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, vip);
  if (error != 0 && error != EEXIST)
    throw SystemError(error, "adding the route to " + vip.to_string());
}

void delete_vip_route(const Address& vip) {
  const int error = change(RTM_DELROUTE, 0, vip);
  if (error != 0 && error != ESRCH)
    throw SystemError(error, "deleting the route to " + vip.to_string());
}

}  // namespace xdplb
