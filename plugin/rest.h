// SPDX-License-Identifier: GPL-2.0-only
// Several things of which each is to be done whatever becomes of the others.
#pragma once

#include <exception>

#include "plugin/error.h"

namespace xdplb {

class Rest {
 public:
  template <typename Part>
  void attempt(Part part) {
    try {
      part();
    } catch (const Failure&) {
      if (!first_) first_ = std::current_exception();
    }
  }

  // Throws the first failure, where there was one.
  void require() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::exception_ptr first_;
};

}  // namespace xdplb
