// SPDX-License-Identifier: GPL-2.0-only
// What the configuration file says, xdp-lb.toml(5): read from text, and written as text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/cluster_key.h"
#include "plugin/mistake.h"
#include "plugin/options.h"

namespace xdplb {

// Keys of a table that weren't understood, or aren't known and may be meant for others.
using Unclear = std::set<std::string, std::less<>>;

struct InterfaceConfig {
  std::string name{};
  bool skb = false;                      // attach mode skb, not native
  std::optional<unsigned> priority{};    // in the chain
  std::optional<std::string> actions{};  // on which the chain goes on: "XDP_PASS,XDP_TX"
  Position at{};
};

struct BackendConfig {
  BackendId id{};  // as member_id() has it
  unsigned weight = 1;
  std::optional<Forward> forward{};  // not the service's
  std::optional<StaticHop> next_hop{};
  std::optional<BackendState> state{};  // as it is where not given
  Position at{};
  Unclear unclear{};
};

struct ServiceConfig {
  ServiceId id{};
  ServiceOptions options{};
  std::optional<unsigned> slots{};
  std::vector<BackendConfig> backends{};
  Position at{};
  Unclear unclear{};  // those of [defaults] among them
};

struct Config {
  std::string name{};  // the file's, for messages; empty: there is none
  std::optional<ClusterKey> cluster_key{};
  Position key_at{};
  std::optional<std::uint32_t> arena{};  // bytes
  std::optional<std::uint32_t> flows{};
  std::optional<std::uint32_t> exceptions{};
  std::optional<std::vector<InterfaceConfig>> interfaces{};  // nothing: they stay as they are
  std::optional<std::vector<Peer>> peers{};                  // likewise
  std::vector<ServiceConfig> services{};
};

// name: the file's, for messages. Throws ConfigError.
Config parse_config(std::string_view text, const std::string& name);

// What is wrong with a configuration as a whole: what is there twice, or can't be beside another.
// Nothing is said of what depends on keys that are unclear.
std::vector<Mistake> mistakes_of(const Config& config);

// Text that parse_config() makes the same of. What is as by default is left out.
std::string to_text(const Config& config);

// A size in bytes, with an optional K, M or G: a power of two from 64K to 1G.
std::optional<std::uint32_t> parse_arena(std::string_view text);
inline constexpr std::uint32_t min_flows = 1024;  // of mode fullnat, and of those remembered
inline constexpr std::uint32_t max_flows = 1U << 24;

}  // namespace xdplb
