// SPDX-License-Identifier: GPL-2.0-only
// Pinned maps of another map ABI, made into those of this release.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace xdplb {

// Killed in between, it is run again: it sets lb_meta's ABI last.
struct Converter {
  std::uint32_t from, to;
  void (*convert)(const std::string& pin_path);
};
std::span<const Converter> converters();

// Where the pinned maps have another ABI: throws Error that says so where nothing converts them.
// Callers hold PinLock.
void convert_maps(const std::string& pin_path, std::span<const Converter> known = converters());

}  // namespace xdplb
