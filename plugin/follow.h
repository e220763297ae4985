// SPDX-License-Identifier: GPL-2.0-only
// The packets that the component drops, one by one, as far as it samples them (bpf/sample.h): it
// does while somebody follows, and stops by itself some seconds after who follows was killed.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "plugin/ends.h"
#include "plugin/pins.h"

struct ring_buffer;

namespace xdplb {

struct Sample : Ends {
  std::chrono::system_clock::time_point time{};
  std::string interface {};  // where it came in
  lb_reason reason{};
  std::uint32_t verdict{};
  std::uint32_t length{};  // of the frame
};

class Follower {
 public:
  // reasons: a bit for each that is wanted. Waits until one that was killed counts no more; throws
  // NotLoaded, and Error where somebody else follows.
  Follower(const std::string& pin_path, std::uint32_t reasons);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // Waits for a second or a signal at the most. To be called again and again.
  std::vector<Sample> next();

 private:
  struct Deleter {
    void operator()(ring_buffer* ring) const;
  };
  static int take(void* follower, void* data, std::size_t size);
  void wait_for_other();
  void renew();

  Pins pins_;
  std::uint32_t reasons_;
  lb_follow said_{};
  std::vector<lb_sample> got_;
  std::unique_ptr<ring_buffer, Deleter> ring_;
};

}  // namespace xdplb
