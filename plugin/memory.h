// SPDX-License-Identifier: GPL-2.0-only
// What the component's maps cost in kernel memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xdplb {

struct MapMemory {
  std::string_view map;
  std::uint64_t bytes;
};

// Of each map that is pinned, as the kernel accounts it.
std::vector<MapMemory> map_memory(const std::string& pin_path);

}  // namespace xdplb
