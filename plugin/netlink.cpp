// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/netlink.h"

#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <span>
#include <vector>

#include "plugin/error.h"

namespace xdplb {

namespace {

struct SocketCloser {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};

int call_each(const nlmsghdr* message, void* each) {
  const auto& function = *static_cast<const std::function<void(const nlmsghdr*)>*>(each);
  if (function) function(message);
  return MNL_CB_OK;
}

int call_with(const nlattr* attribute, void* each) {
  (*static_cast<const AttributeFunction*>(each))(attribute);
  return MNL_CB_OK;
}

}  // namespace

std::uint8_t af_of(const Address& address) { return address.is_v4() ? AF_INET : AF_INET6; }

std::uint8_t bits_of(const Address& address) {
  return static_cast<std::uint8_t>(address.wire().size() * 8);
}

Address address_from(const void* wire, std::size_t size) {
  std::array<std::uint8_t, 16> bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  size = std::min(size, bytes.size());
  std::memcpy(bytes.data() + bytes.size() - size, wire, size);
  return Address(bytes);
}

Address address_in(const nlattr* attribute) {
  return address_from(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
}

void each_attribute(const nlmsghdr* message, std::size_t header_size,
                    const AttributeFunction& each) {
  auto function = each;
  mnl_attr_parse(message, static_cast<unsigned>(header_size), call_with, &function);
}

void each_nested(const nlattr* attribute, const AttributeFunction& each) {
  auto function = each;
  mnl_attr_parse_nested(attribute, call_with, &function);
}

NetlinkRequest::NetlinkRequest(std::uint16_t type, std::uint16_t flags, int bus) : bus_(bus) {
  auto* message = mnl_nlmsg_put_header(buffer_.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
}

void* NetlinkRequest::extra(std::size_t size) {
  return mnl_nlmsg_put_extra_header(reinterpret_cast<nlmsghdr*>(buffer_.data()), size);
}

void NetlinkRequest::attribute(std::uint16_t type, const void* data, std::size_t size) {
  mnl_attr_put(reinterpret_cast<nlmsghdr*>(buffer_.data()), type, size, data);
}

void NetlinkRequest::attribute(std::uint16_t type, const Address& address) {
  attribute(type, address.wire().data(), address.wire().size());
}

int NetlinkRequest::run(const std::function<void(const nlmsghdr*)>& each) {
  const std::unique_ptr<mnl_socket, SocketCloser> socket(mnl_socket_open(bus_));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
    throw SystemError(errno, "opening a netlink socket");
  int strict = strict_ ? 1 : 0;
  if (strict_ &&
      mnl_socket_setsockopt(socket.get(), NETLINK_GET_STRICT_CHK, &strict, sizeof(strict)) < 0)
    throw SystemError(errno, "asking netlink for strict answers");
  const auto port = mnl_socket_get_portid(socket.get());
  auto* message = reinterpret_cast<nlmsghdr*>(buffer_.data());
  const auto sequence = static_cast<unsigned>(std::time(nullptr));
  message->nlmsg_seq = sequence;
  if (mnl_socket_sendto(socket.get(), message, message->nlmsg_len) < 0)
    throw SystemError(errno, "asking the kernel by netlink");

  const bool answer_ends = (message->nlmsg_flags & (NLM_F_ACK | NLM_F_DUMP)) != 0;
  auto callback = each;
  std::vector<char> answer(32768);
  int result = MNL_CB_OK;
  while (result > MNL_CB_STOP) {
    const auto size = mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
    if (size < 0) throw SystemError(errno, "hearing the kernel by netlink");
    result = mnl_cb_run(answer.data(), static_cast<std::size_t>(size), sequence, port, call_each,
                        &callback);
    if (result < 0) return errno;
    if (!answer_ends) break;
  }
  return 0;
}

}  // namespace xdplb
