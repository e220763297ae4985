// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/arena.h"

#include <algorithm>

namespace xdplb {

namespace {

constexpr std::uint32_t element_lines = LB_ARENA_ELEMENT / LB_LINE;

}  // namespace

std::optional<std::uint32_t> find_free(std::vector<Extent> used, std::uint32_t total,
                                       std::uint32_t lines, std::uint32_t start) {
  std::ranges::sort(used, {}, &Extent::line);
  used.push_back({total, 0});
  std::optional<Extent> best;
  for (const auto& extent : used) {
    const auto end = std::min(extent.line, total);
    const std::uint32_t gap = end > start ? end - start : 0;
    if (gap >= lines && (!best || gap < best->lines)) best = Extent{start, gap};
    start = std::max(start, extent.line + extent.lines);
  }
  if (!best) return std::nullopt;
  return best->line;
}

std::optional<std::uint32_t> find_for_index(const std::vector<Extent>& used, std::uint32_t total,
                                            std::uint32_t lines) {
  return find_free(used, std::min(total, element_lines), lines);
}

std::optional<std::uint32_t> find_for_table(const std::vector<Extent>& used, std::uint32_t total,
                                            std::uint32_t lines) {
  if (total > element_lines)
    if (const auto line = find_free(used, total, lines, element_lines)) return line;
  return find_free(used, std::min(total, element_lines), lines);
}

std::optional<std::size_t> first_without_room(std::vector<Extent> used, std::uint32_t total,
                                              std::span<const std::uint32_t> tables,
                                              std::uint32_t index) {
  const auto take = [&](auto find, std::uint32_t lines) {
    const auto line = find(used, total, lines);
    if (line) used.push_back({*line, lines});
    return line.has_value();
  };
  for (std::size_t i = 0; i < tables.size(); i++)
    if (!take(find_for_table, tables[i])) return i;
  for (int i = 0; i < 2; i++)
    if (!take(find_for_index, index)) return tables.size();
  return std::nullopt;
}

}  // namespace xdplb
