// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/diagnostics.h"

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <utility>
#include <vector>

#include "plugin/error.h"

namespace xdplb {

namespace {

std::string* kept = nullptr;  // libbpf's callbacks carry no context

int keep(const char* format, va_list args) {
  if (kept == nullptr) return 0;
  va_list again;
  va_copy(again, args);
  const int length = std::vsnprintf(nullptr, 0, format, args);
  std::vector<char> line(static_cast<std::size_t>(std::max(length, 0)) + 1);
  std::vsnprintf(line.data(), line.size(), format, again);
  va_end(again);
  // The verifier's log can be a megabyte: its end is what tells.
  constexpr std::size_t most = 32768;
  *kept += line.data();
  if (kept->size() > most) kept->erase(0, kept->size() - most);
  return length;
}

int keep_libbpf(libbpf_print_level level, const char* format, va_list args) {
  return level == LIBBPF_DEBUG ? 0 : keep(format, args);
}

int keep_libxdp(libxdp_print_level level, const char* format, va_list args) {
  return level == LIBXDP_DEBUG ? 0 : keep(format, args);
}

}  // namespace

Diagnostics::Diagnostics()
    : text_(std::make_unique<std::string>()), outer_(std::exchange(kept, text_.get())) {
  libbpf_set_print(keep_libbpf);
  libxdp_set_print(keep_libxdp);
}

Diagnostics::~Diagnostics() { kept = outer_; }

std::string Diagnostics::hint(int error) const {
  const auto known = SystemError(error, "").hint();
  return known.empty() || error == EACCES ? last_line()
                                          : known;  // EACCES is the verifier's as well
}

std::string Diagnostics::last_line() const {
  const auto& said = *text_;
  const auto end = said.find_last_not_of(" \n");
  if (end == std::string::npos) return {};
  const auto newline = said.rfind('\n', end);
  const auto start = said.find_first_not_of(' ', newline == std::string::npos ? 0 : newline + 1);
  return said.substr(start, end + 1 - start);
}

}  // namespace xdplb
