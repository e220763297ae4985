// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The maps as bytes, to put back and to compare, and as what they mean.

#include <cstddef>
#include <string>
#include <vector>

#include "tests/support/bpf_fixture.h"

namespace xdplb::test {

// All that user space writes: lb_meta, lb_services, lb_backends and lb_arena.
class Picture {
 public:
  explicit Picture(const Balancer& balancer);
  void put_back(const Balancer& balancer) const;
  bool operator==(const Picture&) const = default;

 private:
  std::vector<std::vector<std::byte>> maps_;
};

// Every byte of the counters.
std::vector<std::byte> counter_bytes(const Balancer& balancer);
void put_back_counters(const Balancer& balancer, const std::vector<std::byte>& bytes);

// Services, backends and slots by the names that administrators and packets have for them: the same
// text for two states that differ in handles, places in the arena and generations alone. Says so
// where records are in a state in between, or tables and index overlap.
std::string meaning(Balancer& balancer);

}  // namespace xdplb::test
