// SPDX-License-Identifier: GPL-2.0-only
// What is to be known of libxdp's dispatcher before a chain is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace xdplb {

// Of the object in that file, or of a program that is loaded; nothing where it doesn't say.
std::optional<unsigned> dispatcher_version(const std::string& file);
std::optional<unsigned> dispatcher_version(std::uint32_t program_id);

// Does this kernel let a component of such a dispatcher grow packets? Loads both, and attaches
// nothing. Nothing where it can't be told.
std::optional<bool> lets_grow(const std::string& file);

}  // namespace xdplb
