// SPDX-License-Identifier: GPL-2.0-only
// What libbpf and libxdp say, kept back.
#pragma once

#include <memory>
#include <string>

namespace xdplb {

// Keeps their messages while it lives, and no other that is made within does; after the last they
// are dropped.
class Diagnostics {
 public:
  Diagnostics();
  ~Diagnostics();
  Diagnostics(const Diagnostics&) = delete;
  Diagnostics& operator=(const Diagnostics&) = delete;

  [[nodiscard]] const std::string& text() const { return *text_; }
  // What to do about an errno, or else the last line that was said.
  [[nodiscard]] std::string hint(int error) const;

 private:
  [[nodiscard]] std::string last_line() const;

  std::unique_ptr<std::string> text_;
  std::string* outer_;
};

}  // namespace xdplb
