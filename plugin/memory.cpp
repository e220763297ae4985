// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/memory.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <fstream>

#include "plugin/error.h"
#include "plugin/fd.h"
#include "plugin/pins.h"

namespace xdplb {

namespace {

std::uint64_t memory_of(const Fd& map, const std::string& pin) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(map.get()));
  for (std::string word; info >> word;) {
    std::uint64_t bytes = 0;
    if (word == "memlock:" && info >> bytes) return bytes;
  }
  throw Unsupported("the kernel doesn't tell the memory of " + pin, "mount /proc");
}

}  // namespace

std::vector<MapMemory> map_memory(const std::string& pin_path) {
  std::vector<MapMemory> all;
  struct bpf_obj_get_opts opts {};
  opts.sz = sizeof(opts);
  opts.file_flags = BPF_F_RDONLY;
  for (const auto& shape : map_shapes()) {
    const auto pin = pin_of(pin_path, shape.name);
    const Fd map(::bpf_obj_get_opts(pin.c_str(), &opts));
    if (map)
      all.push_back({shape.name, memory_of(map, pin)});
    else if (errno != ENOENT)
      throw SystemError(errno, "opening " + pin);
  }
  return all;
}

}  // namespace xdplb
