// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/pool.h"

#include <algorithm>

#include "plugin/error.h"

namespace xdplb {

namespace {

// The last four bytes, which are what addresses of a pool differ in.
std::uint32_t tail(const Address& address) {
  std::uint32_t value = 0;
  for (unsigned i = 12; i < 16; i++) value = value << 8 | address.bytes()[i];
  return value;
}

}  // namespace

Pool Pool::parse(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = Address::parse(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : Address::parse(text.substr(dash + 1));
  const auto wrong = [&](const std::string& why) {
    return Error(
        "pool '" + std::string(text) + "': " + why,
        "write one address, or FIRST-LAST with at most " + std::to_string(most) + " addresses");
  };
  if (!first.is_unicast() || !last.is_unicast()) throw wrong("not a unicast address");
  if (!std::equal(first.bytes().begin(), first.bytes().begin() + 12, last.bytes().begin()))
    throw wrong("the two addresses are too far apart");
  if (tail(last) < tail(first)) throw wrong("it is empty: its last address is before its first");
  if (tail(last) - tail(first) >= most) throw wrong("it has too many addresses");
  return {first, tail(last) - tail(first) + 1};
}

Address Pool::at(unsigned i) const {
  auto bytes = first.bytes();
  const auto value = tail(first) + i;
  for (unsigned at = 0; at < 4; at++) bytes[15 - at] = static_cast<std::uint8_t>(value >> (8 * at));
  return Address(bytes);
}

std::string Pool::to_string() const {
  if (count == 0) return "none";
  const auto text = first.to_string();
  return count == 1 ? text : text + "-" + at(count - 1).to_string();
}

bool Pool::contains(const Address& address) const {
  return std::equal(first.bytes().begin(), first.bytes().begin() + 12, address.bytes().begin()) &&
         tail(address) - tail(first) < count;
}

}  // namespace xdplb
