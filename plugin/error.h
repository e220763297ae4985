// SPDX-License-Identifier: GPL-2.0-only
// The three ways to fail, each with its exit code. Every message says what is wrong, with what,
// and every hint what to do about it.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace xdplb {

class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& what, std::string hint = {})
      : std::runtime_error(what), hint_(std::move(hint)) {}
  [[nodiscard]] const std::string& hint() const { return hint_; }
  [[nodiscard]] virtual int exit_code() const = 0;

 private:
  std::string hint_;
};

// The administrator's mistake: bad usage or input.
class Error : public Failure {
 public:
  using Failure::Failure;
  [[nodiscard]] int exit_code() const override { return 2; }
};

// The system refused: what we were doing, and errno.
class SystemError : public Failure {
 public:
  SystemError(int error, const std::string& doing, const std::string& hint = {});
  [[nodiscard]] int exit_code() const override { return 1; }
  [[nodiscard]] int error() const { return error_; }

 private:
  int error_;
};

// Nothing is loaded where something should be.
class NotLoaded : public Failure {
 public:
  using Failure::Failure;
  [[nodiscard]] int exit_code() const override { return 3; }
};

// The kernel, the driver or libxdp lacks something.
class Unsupported : public Failure {
 public:
  using Failure::Failure;
  [[nodiscard]] int exit_code() const override { return 4; }
};

// What failed after something was changed. The same again completes it, where it can be.
class Halfway : public Failure {
 public:
  using Failure::Failure;
  [[nodiscard]] int exit_code() const override { return 1; }
};

}  // namespace xdplb
