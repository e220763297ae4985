// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/listener.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "plugin/netlink.h"

namespace xdplb {

namespace {

// From the kernel's tcp_states.h, which isn't for programs. UDP's sockets without a peer are
// closed.
constexpr std::uint32_t close_state = 7, listen_state = 10;

bool is_v6_only(const nlmsghdr* message) {
  bool only = false;
  each_attribute(message, sizeof(inet_diag_msg), [&](const nlattr* attr) {
    if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY) only = mnl_attr_get_u8(attr) != 0;
  });
  return only;
}

// Does the socket's own address take in the VIP? A socket of IPv6 may be one of IPv4 as well.
bool takes(const nlmsghdr* message, const inet_diag_msg& socket, const Address& vip) {
  const bool v4 = socket.idiag_family == AF_INET;
  const auto own = address_from(socket.id.idiag_src, v4 ? 4 : 16);
  if (std::ranges::any_of(own.wire(), [](auto byte) { return byte != 0; })) return own == vip;
  return v4 == vip.is_v4() || !is_v6_only(message);
}

std::optional<bool> has_listener(const ServiceId& service, std::uint8_t family) {
  NetlinkRequest request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, NETLINK_SOCK_DIAG);
  auto& wanted = request.header<inet_diag_req_v2>();
  wanted.sdiag_family = family;
  wanted.sdiag_protocol = static_cast<std::uint8_t>(service.protocol);
  wanted.idiag_states = 1U << (service.protocol == Protocol::tcp ? listen_state : close_state);
  wanted.id.idiag_sport = htons(service.port);  // the kernel has others left out
  bool found = false;
  const int refused = request.run([&](const nlmsghdr* message) {
    inet_diag_msg socket{};
    std::memcpy(&socket, mnl_nlmsg_get_payload(message), sizeof(socket));
    found |= takes(message, socket, service.vip);
  });
  if (refused != 0) return std::nullopt;
  return found;
}

}  // namespace

std::optional<bool> has_listener(const ServiceId& service) {
  const auto found = has_listener(service, AF_INET6);
  if (!service.vip.is_v4() || found.value_or(false)) return found;
  return has_listener(service, AF_INET);
}

}  // namespace xdplb
