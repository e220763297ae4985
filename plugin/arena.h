// SPDX-License-Identifier: GPL-2.0-only
// Where there is room in the arena. Nothing is stored about it: what is in use follows from the
// references to it, so a writer that died leaks nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace xdplb {

// In lines of LB_LINE bytes.
struct Extent {
  std::uint32_t line;
  std::uint32_t lines;
};

// The first free run of `lines` in an arena of `total`, best fit among the runs between those
// used; nothing when there is none.
std::optional<std::uint32_t> find_free(std::vector<Extent> used, std::uint32_t total,
                                       std::uint32_t lines);

}  // namespace xdplb
