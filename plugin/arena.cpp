// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/arena.h"

#include <algorithm>

namespace xdplb {

std::optional<std::uint32_t> find_free(std::vector<Extent> used, std::uint32_t total,
                                       std::uint32_t lines) {
  std::ranges::sort(used, {}, &Extent::line);
  used.push_back({total, 0});
  std::optional<Extent> best;
  std::uint32_t start = 0;
  for (const auto& extent : used) {
    const std::uint32_t gap = extent.line > start ? extent.line - start : 0;
    if (gap >= lines && (!best || gap < best->lines)) best = Extent{start, gap};
    start = std::max(start, extent.line + extent.lines);
  }
  if (!best) return std::nullopt;
  return best->line;
}

}  // namespace xdplb
