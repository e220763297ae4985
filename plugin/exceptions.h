// SPDX-License-Identifier: GPL-2.0-only
// The flows that are remembered (bpf/exception.h), as user space sees them: it takes out what is
// over.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "bpf/abi.h"
#include "plugin/pins.h"

namespace xdplb {

// That of entries and deadlines.
std::uint32_t epoch_seconds();

class Exceptions {
 public:
  explicit Exceptions(const Pins& pins) : pins_(pins) {}

  // Each entry; those of which the visitor says so are taken out, unless a packet was faster. A set
  // is read from its end: an entry that is being moved is written in front before it goes there.
  using Visitor = std::function<bool(std::uint64_t entry)>;
  void remove_if(const Visitor& is_over) const;
  [[nodiscard]] bool has_any(const std::vector<bool>& handles) const;

 private:
  const Pins& pins_;
};

}  // namespace xdplb
