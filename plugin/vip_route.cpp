// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/vip_route.h"

#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include <cerrno>

#include "plugin/error.h"
#include "plugin/netlink.h"

namespace xdplb {

namespace {

rtmsg& describe(NetlinkRequest& request, std::uint8_t family) {
  auto& head = request.header<rtmsg>();
  head.rtm_family = family;
  head.rtm_table = RT_TABLE_MAIN;
  head.rtm_protocol = vip_route_protocol;
  head.rtm_type = RTN_BLACKHOLE;
  return head;
}

int change(std::uint16_t type, std::uint16_t flags, const Address& vip) {
  NetlinkRequest request(type, flags | NLM_F_ACK);
  auto& head = describe(request, af_of(vip));
  head.rtm_dst_len = bits_of(vip);
  request.attribute(RTA_DST, vip);
  const std::uint32_t metric = vip_route_metric;
  request.attribute(RTA_PRIORITY, &metric, sizeof(metric));
  return request.run();
}

void add_those(std::uint8_t family, std::set<Address>& all) {
  NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP);
  request.strictly();
  describe(request, family);
  const int error = request.run([&](const nlmsghdr* message) {
    each_attribute(message, sizeof(rtmsg), [&](const nlattr* attr) {
      if (mnl_attr_get_type(attr) == RTA_DST) all.insert(address_in(attr));
    });
  });
  if (error != 0 && error != EAFNOSUPPORT) throw SystemError(error, "reading the routes to VIPs");
}

}  // namespace

std::set<Address> vip_routes() {
  std::set<Address> all;
  add_those(AF_INET, all);
  add_those(AF_INET6, all);
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
