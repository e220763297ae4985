// SPDX-License-Identifier: GPL-2.0-only
// Where there is room in the arena. Nothing is stored about it: what is in use follows from the
// references to it, so a writer that died leaks nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bpf/abi.h"

namespace xdplb {

// The elements of lb_arena, and their size, where it has so many bytes in all.
constexpr std::uint32_t arena_elements(std::uint32_t size) {
  return size > LB_ARENA_ELEMENT ? size / LB_ARENA_ELEMENT : 1;
}
constexpr std::uint32_t arena_element_size(std::uint32_t size) {
  return size / arena_elements(size);
}

constexpr std::uint32_t lines_of(std::uint64_t bytes) {
  return static_cast<std::uint32_t>((bytes + LB_LINE - 1) / LB_LINE);
}

// In lines of LB_LINE bytes.
struct Extent {
  std::uint32_t line;
  std::uint32_t lines;
};

// The first free run of `lines` in an arena of `total`, from line `start` on, best fit among the
// runs between those used; nothing when there is none.
std::optional<std::uint32_t> find_free(std::vector<Extent> used, std::uint32_t total,
                                       std::uint32_t lines, std::uint32_t start = 0);

// Where there is room for an index, in the first element of lb_arena, and for a table, in one of
// them: the second before the first, where the index must find room too.
std::optional<std::uint32_t> find_for_index(const std::vector<Extent>& used, std::uint32_t total,
                                            std::uint32_t lines);
std::optional<std::uint32_t> find_for_table(const std::vector<Extent>& used, std::uint32_t total,
                                            std::uint32_t lines);

// Of tables of so many lines, in their order, the first without room beside what is used and two
// more indexes: the next one, and the one after it, without which no service could be deleted. All
// of them: only the indexes have none. Nothing: there is room.
std::optional<std::size_t> first_without_room(std::vector<Extent> used, std::uint32_t total,
                                              std::span<const std::uint32_t> tables,
                                              std::uint32_t index);

}  // namespace xdplb
