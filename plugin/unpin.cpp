// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "plugin/error.h"
#include "plugin/fd.h"
#include "plugin/map.h"
#include "plugin/pins.h"

namespace xdplb {

namespace {

// Whatever its ABI, a map of the component has the same name in the kernel; or none, where libbpf
// couldn't find out whether maps may have names.
bool is_own(const std::string& pin, const MapShape& shape) {
  const Fd map(::bpf_obj_get(pin.c_str()));
  if (!map && errno == ENOENT) return true;
  if (!map) throw SystemError(errno, "opening " + pin);
  bpf_map_info info{};
  if (!read_info(map, info)) return false;
  const std::string_view name = info.name;
  if (name.empty()) return info.type == shape.type && info.key_size == shape.key_size;
  return name == shape.name.substr(0, sizeof(info.name) - 1);
}

}  // namespace

void require_own_maps(const std::string& pin_path) {
  for (const auto& shape : map_shapes())
    if (const auto pin = pin_of(pin_path, shape.name); !is_own(pin, shape))
      throw Error(pin + ": it is no map of xdp-lb",
                  "give another folder with --pin-path, or remove it with whose it is");
}

void unpin_maps(const std::string& pin_path) {
  require_own_maps(pin_path);
  // lb_arena, by which programs are known to be ours, is the last to go.
  const auto shapes = map_shapes();
  for (std::size_t left = shapes.size(); left-- > 0;) {
    const auto pin = pin_of(pin_path, shapes[left].name);
    if (::unlink(pin.c_str()) != 0 && errno != ENOENT)
      throw SystemError(errno, "removing the pin " + pin);
  }
}

void remove_pins(const std::string& pin_path) {
  unpin_maps(pin_path);
  if (::rmdir(pin_path.c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY)
    throw SystemError(errno, "removing the pin folder " + pin_path);
}

}  // namespace xdplb
