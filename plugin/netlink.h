// SPDX-License-Identifier: GPL-2.0-only
// One netlink request and its answer, over libmnl.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstddef>
#include <functional>
#include <string>

#include "plugin/address.h"

namespace xdplb {

class NetlinkRequest {
 public:
  NetlinkRequest(std::uint16_t type, std::uint16_t flags, int bus = NETLINK_ROUTE);

  // Appends the fixed header that the type has. Once, before attributes.
  template <typename Header>
  Header& header() {
    return *static_cast<Header*>(extra(sizeof(Header)));
  }
  void attribute(std::uint16_t type, const void* data, std::size_t size);
  void attribute(std::uint16_t type, const Address& address);

  // Of a dump, the kernel shall send what the header and the attributes ask for alone.
  void strictly() { strict_ = true; }

  // Sends, and calls with each message of the answer. Returns 0 or errno of the kernel's refusal;
  // throws SystemError where the socket fails.
  int run(const std::function<void(const nlmsghdr*)>& each = {});

 private:
  void* extra(std::size_t size);

  int bus_;
  bool strict_ = false;
  alignas(nlmsghdr) std::array<char, 1024> buffer_{};
};

using AttributeFunction = std::function<void(const nlattr*)>;
void each_attribute(const nlmsghdr* message, std::size_t header_size,
                    const AttributeFunction& each);
void each_nested(const nlattr* attribute, const AttributeFunction& each);

std::uint8_t af_of(const Address& address);    // AF_INET, AF_INET6
std::uint8_t bits_of(const Address& address);  // of its family's addresses
Address address_in(const nlattr* attribute);
Address address_from(const void* wire, std::size_t size);  // 4 or 16 bytes

}  // namespace xdplb
