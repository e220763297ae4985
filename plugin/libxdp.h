// SPDX-License-Identifier: GPL-2.0-only
// Owners of libxdp's objects, and what its errors mean. For chain.cpp alone.
#pragma once

#include <xdp/libxdp.h>

#include <string>

#include "plugin/chain.h"
#include "plugin/diagnostics.h"
#include "plugin/error.h"

namespace xdplb {

template <typename T, void (*close)(T*)>
class Handle {
 public:
  explicit Handle(T* handle) : handle_(handle) {
    const auto error = libxdp_get_error(handle_);
    if (error == 0) return;
    error_ = static_cast<int>(-error);
    handle_ = nullptr;
  }
  ~Handle() { close(handle_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  [[nodiscard]] T* get() const { return handle_; }
  [[nodiscard]] int error() const { return error_; }

 private:
  T* handle_;
  int error_ = 0;
};

using Multiprog = Handle<xdp_multiprog, xdp_multiprog__close>;
using Program = Handle<xdp_program, xdp_program__close>;

Mode from_libxdp(xdp_attach_mode mode);
xdp_attach_mode to_libxdp(Mode mode);

// Why an attach failed: errno and what the libraries said, in the administrator's words.
[[nodiscard]] SystemError attach_failure(int error, const Interface& interface,
                                         const Diagnostics& said);

}  // namespace xdplb
