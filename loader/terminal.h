// SPDX-License-Identifier: GPL-2.0-only
// The terminal as a screen that is drawn again and again; when this goes, it is as it was.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace xdplb {

class Terminal {
 public:
  static bool is_there();  // on standard input and output

  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  static void draw(const std::vector<std::string>& lines);  // those that there is room for
  // False as soon as the user has enough: q, Ctrl-C, or a signal to end.
  [[nodiscard]] static bool wait(std::chrono::milliseconds time);

 private:
  struct Settings;
  std::unique_ptr<Settings> before_;
};

}  // namespace xdplb
