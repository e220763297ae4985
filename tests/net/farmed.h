// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// A site with the component, and many connections to a service of web1, web2 and web3: what must
// become of them when backends change.

#include <memory>

#include "tests/net/farm.h"

namespace xdplb::test {

struct Farmed {
  // Options of 'service add' and of 'load'.
  explicit Farmed(const std::string& options = "", const std::string& family = "ipv4",
                  const std::string& load_options = "", int connections = 1000);

  void refill() const;  // all are open again

  // Each is asked once more.
  [[nodiscard]] Report keep() const;  // none is broken
  Report survive() const;             // nor did any fresh one fail
  void survive_a_move() const;        // though the table has others for some of them
  // Nor are there new ones at this backend, which keeps those that it has; and in the latter also
  // when some are opened anew.
  Report survive_draining(const std::string& name) const;
  void survive_without(const std::string& name) const;
  void lose(const std::string& name) const;  // all of this backend are broken, and no others
  void lose_the_moved() const;               // all that the table has others for, and no others

  // Until the epoch of a change before is over, for certain, and closed: none is broken. Returns
  // how many fresh ones failed.
  [[nodiscard]] int outlive_epoch(int seconds) const;

  // Has the table another backend for it than the one that has it?
  [[nodiscard]] bool is_moved(const Contact& contact) const;
  [[nodiscard]] int moved(const Report& report) const;  // how many live ones

  int all, some;  // that are open, and a tenth of them
  Site site;
  Loader loader;
  TestService service;
  std::unique_ptr<Farm> farm;
};

}  // namespace xdplb::test
