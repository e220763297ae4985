// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The cluster key and what each service derives from it. Nodes that share the key and the
// configuration have the same tables and choose the same slot for a packet.
//
// A derived word is SipHash-2-4(cluster key, addr16 | port (big-endian) | protocol | j), read as
// a number: k[j] for j = 0..6 are the keys of the flow hash KM3, of which k[1], k[2] and k[3] are
// multipliers and so made odd; j = 255 gives the seed of the service's table.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace xdplb {

using ClusterKey = std::array<std::uint8_t, 16>;

struct FlowKeys {
  std::array<std::uint64_t, 7> k;
  std::uint64_t table_seed;

  bool operator==(const FlowKeys&) const = default;
};

// addr16 is the VIP in network byte order, an IPv4 one as ::ffff:a.b.c.d; the port is in host
// order.
FlowKeys derive_flow_keys(const ClusterKey& key, std::span<const std::uint8_t, 16> addr16,
                          std::uint16_t port_host_order, std::uint8_t proto);

// Exactly 32 hex digits of either case, first byte first; anything else, white space included,
// gives nothing.
std::optional<ClusterKey> parse_cluster_key(std::string_view text);

}  // namespace xdplb
