// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/cluster_key.h"

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "plugin/siphash.h"

namespace xdplb {
namespace {

constexpr std::uint8_t table_seed_number = 255;

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

FlowKeys derive_flow_keys(const ClusterKey& key, std::span<const std::uint8_t, 16> addr16,
                          std::uint16_t port_host_order, std::uint8_t proto) {
  std::array<std::uint8_t, 20> message{};
  std::copy(addr16.begin(), addr16.end(), message.begin());
  message[16] = static_cast<std::uint8_t>(port_host_order >> 8);
  message[17] = static_cast<std::uint8_t>(port_host_order);
  message[18] = proto;
  const auto derive = [&](std::uint8_t number) {
    message[19] = number;
    return siphash24(key, message);
  };

  FlowKeys keys{};
  for (std::size_t j = 0; j < keys.k.size(); ++j) keys.k[j] = derive(static_cast<std::uint8_t>(j));
  for (const std::size_t multiplier : {1, 2, 3}) keys.k[multiplier] |= 1;
  keys.table_seed = derive(table_seed_number);
  return keys;
}

std::optional<ClusterKey> parse_cluster_key(std::string_view text) {
  ClusterKey key{};
  if (text.size() != 2 * key.size() || !std::all_of(text.begin(), text.end(), is_hex_digit)) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < key.size(); ++i) {
    const char* digits = text.data() + 2 * i;
    std::from_chars(digits, digits + 2, key[i], 16);
  }
  return key;
}

}  // namespace xdplb
