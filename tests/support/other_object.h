// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

namespace xdplb::test {

// A copy of the object whose programs do the same by other instructions: each has another tag.
// Returns its name. Throws where there is nothing to change.
std::string write_other_object(const std::string& object, const std::string& name);

}  // namespace xdplb::test
