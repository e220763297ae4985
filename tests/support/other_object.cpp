// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/other_object.h"

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace xdplb::test {

std::string write_other_object(const std::string& object, const std::string& name) {
  std::ifstream in(object, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::string drop{"\xb4\0\0\0\1\0\0\0", 8};  // w0 = XDP_DROP
  auto at = bytes.find(drop);
  if (at == std::string::npos) throw std::runtime_error("nothing to change in " + object);
  for (; at != std::string::npos; at = bytes.find(drop, at + 8)) bytes[at] = '\xb7';  // r0 = ...
  std::ofstream(name, std::ios::binary) << bytes;
  return name;
}

}  // namespace xdplb::test
