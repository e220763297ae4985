// SPDX-License-Identifier: GPL-2.0-only
// What the command line says, in this process.
#pragma once

#include <iostream>
#include <sstream>
#include <string>

#include "loader/cli.h"

namespace xdplb {

// What goes to a stream while this lives.
class Captured {
 public:
  explicit Captured(std::ostream& stream) : stream_(stream), before_(stream.rdbuf(text_.rdbuf())) {}
  ~Captured() { stream_.rdbuf(before_); }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  [[nodiscard]] std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::ostream& stream_;
  std::streambuf* before_;
};

struct Said {
  int code;
  std::string out;
  std::string err;
};

inline Said run(const Arguments& arguments) {
  const Captured out(std::cout);
  const Captured err(std::cerr);
  const int code = run_cli(arguments);
  return {code, out.text(), err.text()};
}

}  // namespace xdplb
