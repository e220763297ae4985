// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// PRH-1 tables word for word from their definition: score all pairs, sort them, give the slots
// away. Slow, in need of 16 bytes a pair, and without a line of the builder's code, so that the two
// can check each other.

#include "plugin/table.h"

namespace xdplb::test {

// As build_table(), for input that it accepts.
Table naive_table(const TableSpec& spec);

}  // namespace xdplb::test
