// SPDX-License-Identifier: GPL-2.0-only
// The component's object over maps of its own, filled from the pinned ones: it does with a packet
// what the one on an interface would do with it now, and no pinned map changes by that.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/fd.h"
#include "plugin/map.h"
#include "plugin/object.h"

struct bpf_program;

namespace xdplb {

struct Ran {
  std::uint32_t verdict;  // XDP_PASS ...
  std::vector<std::uint8_t> frame;
};

class Replica {
 public:
  // Of the program that runs on an interface. Callers hold PinLock.
  Replica(const std::string& file, const std::string& pin_path, std::uint32_t arena_size,
          const std::string& program);

  // A frame that comes in by an interface of this network namespace. Counters of reasons start at
  // zero, and next hops are asked for anew; what is remembered of flows stays for the next frame.
  [[nodiscard]] Ran run(std::span<const std::uint8_t> frame, unsigned ifindex) const;
  // Likewise, through the program that frames redirected to a device pass.
  [[nodiscard]] Ran run_egress(std::span<const std::uint8_t> frame, unsigned ifindex) const;
  // Do frames redirected to the device pass it?
  [[nodiscard]] bool has_egress(unsigned ifindex) const {
    return egress_devices_.contains(ifindex);
  }

  // The map's own values, all of them.
  template <typename T>
  [[nodiscard]] std::span<T> values(const std::string& map) const {
    return mappings_.at(map).as<T>();
  }
  [[nodiscard]] const Fd& map(const std::string& name) const { return maps_.at(name); }
  [[nodiscard]] std::string tag() const;  // of the program, as the kernel tells

 private:
  void fill(const std::string& pin_path);
  void fill_array(const std::string& name, const Fd& live, std::size_t size);
  void fill_egress(const Fd& live);

  Object object_;
  bpf_program* program_;
  bpf_program* egress_ = nullptr;
  std::map<std::string, Fd> maps_;
  std::map<std::string, Mapping> mappings_;
  std::set<std::uint32_t> egress_devices_;
  std::vector<std::vector<std::byte>> limits_;  // as they were
};

}  // namespace xdplb
