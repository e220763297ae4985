// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <ostream>
#include <sstream>

namespace xdplb {

// While it lives, what is printed to the stream waits for a flush, or its end: whoever reads it
// slowly, in a pager, must not hold up others who wait for a lock that the verb has.
class Held : public std::stringbuf {
 public:
  explicit Held(std::ostream& stream);
  ~Held() override;
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  int sync() override;

  std::ostream& stream_;
  std::streambuf* out_;
};

}  // namespace xdplb
