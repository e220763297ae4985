// SPDX-License-Identifier: GPL-2.0-only
// The source addresses of mode fullnat: FIRST-LAST, or one address.
#pragma once

#include <string>
#include <string_view>

#include "plugin/address.h"

namespace xdplb {

struct Pool {
  Address first;
  unsigned count = 0;  // addresses, one after the other; 0: none

  static constexpr unsigned most = 256;

  static Pool parse(std::string_view text);  // throws Error
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] Address at(unsigned i) const;
  [[nodiscard]] bool contains(const Address& address) const;
  bool operator==(const Pool&) const = default;
};

}  // namespace xdplb
