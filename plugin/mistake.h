// SPDX-License-Identifier: GPL-2.0-only
// What is wrong with a file, each at its place: all of it is told at once.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plugin/error.h"

namespace xdplb {

// In the file, from 1; 0: nowhere.
struct Position {
  unsigned line = 0;
  unsigned column = 0;
  bool operator==(const Position&) const = default;
};

struct Mistake {
  Position at;
  std::string text;
  std::string hint;
};

// All of them; what() has a line for each: NAME:LINE:COLUMN: what is wrong; what to do. Without a
// name it has no places: whoever knows the file throws another with it.
class ConfigError : public Error {
 public:
  ConfigError(const std::string& name, std::vector<Mistake> mistakes);
  [[nodiscard]] const std::vector<Mistake>& mistakes() const { return mistakes_; }

 private:
  std::vector<Mistake> mistakes_;
};

class Mistakes {
 public:
  void add(const Position& at, const std::string& text, const std::string& hint = {}) {
    all_.push_back({at, text, hint});
  }
  // That what is done throws Error is a mistake there.
  template <typename Action>
  void attempt(const Position& at, Action action) {
    try {
      action();
    } catch (const Error& error) {
      add(at, error.what(), error.hint());
    }
  }
  [[nodiscard]] const std::vector<Mistake>& all() const { return all_; }
  [[nodiscard]] bool has(const Position& at) const;  // one there
  // Throws ConfigError where there are some; name: the file's.
  void require(const std::string& name) const {
    if (!all_.empty()) throw ConfigError(name, all_);
  }

 private:
  std::vector<Mistake> all_;
};

}  // namespace xdplb
