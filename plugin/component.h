// SPDX-License-Identifier: GPL-2.0-only
// The component as a whole: loading it on interfaces, unloading it, where it is.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "plugin/chain.h"
#include "plugin/cluster_key.h"
#include "plugin/interface.h"
#include "plugin/pins.h"
#include "plugin/reach.h"
#include "plugin/state.h"

namespace xdplb {

struct LoadOptions {
  std::string pin_path{default_pin_path};
  std::optional<std::string> object;
  std::optional<std::uint32_t> arena_size;  // bytes, a power of two; for maps not yet made
  std::optional<std::uint32_t> flows;       // of mode fullnat; likewise
  std::optional<std::uint32_t> exceptions;  // flows of changed slots, a power of two; likewise
  std::optional<ClusterKey> cluster_key;    // likewise; random where not given
  ChainOptions chain;
};

// Loads on all of the interfaces or on none: where it throws, they and the pin folder are as they
// were.
Notes load_component(const std::vector<std::string>& ifnames, const LoadOptions& options);

struct UnloadOptions {
  std::string pin_path{default_pin_path};
  bool all = false;        // every interface of this network namespace
  bool keep_maps = false;  // also with the last interface
};

Notes unload_component(const std::vector<std::string>& ifnames, const UnloadOptions& options);

struct Place {
  Interface interface;
  Chain chain{};
  std::string problem{};  // the chain can't be read: why
  std::exception_ptr failure{};
};

// Are there maps with a whole state? A command that was killed may have left some of them, which
// have none. Throws Error where a component uses those.
bool has_whole_maps(const std::string& pin_path);

// Tables are made by this key from now on. Throws Error where there are some by another.
void take_cluster_key(const Pins& pins, const ClusterKey& key);

// The chains of the interfaces named, or else of all that have a program. An interface whose chain
// can't be read doesn't hide the others.
std::vector<Place> places(const std::vector<std::string>& ifnames, const std::string& pin_path);

// Throws why its chain can't be read, if it can't.
void require_readable(const Place& place);

// Those of them that have the component.
std::vector<Place> with_component(std::vector<Place> from);

// Throws NotLoaded, with the hint, where one of them hasn't the component.
void require_present(const std::vector<Place>& named, const std::string& hint);

}  // namespace xdplb
