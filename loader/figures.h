// SPDX-License-Identifier: GPL-2.0-only
// What stats shows: from the maps, or, for who may not read them, from who may.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loader/output.h"

namespace xdplb {

// Counters by what they count, in the order in which they are printed.
struct Row {
  std::string service;
  std::string what;  // a backend, or a reason
  lb_counter total;
};

struct Figures {
  std::vector<Row> rows{};
  FamilyReasons reasons{};
};

Json rows_json(const std::vector<Row>& rows);

class FiguresSource {
 public:
  // Throws as Pins does. The default pin path may be one that this user may not read.
  explicit FiguresSource(const std::string& pin_path);

  // With the rows of one service, or of all. Throws Error where there is no such service, and
  // SystemError where the maps can't be read and nobody else says what is in them.
  [[nodiscard]] Figures read(const std::optional<ServiceId>& only);

 private:
  std::optional<Pins> pins_{};
  int refused_ = 0;  // errno, where there are no pins
};

}  // namespace xdplb
