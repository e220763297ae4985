// SPDX-License-Identifier: GPL-2.0-only
// What was traced, as text and as JSON.
#pragma once

#include "loader/output.h"
#include "plugin/trace.h"

namespace xdplb {

// number: of the packet, from 1. Without bytes where those go elsewhere.
void print_trace(const Tracer& tracer, const Traced& traced, std::size_t number, bool bytes);
Json to_json(const Tracer& tracer, const Traced& traced, std::size_t number);

}  // namespace xdplb
