// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/convert.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "bpf/abi.h"
#include "plugin/error.h"
#include "plugin/map.h"
#include "plugin/pins.h"

namespace xdplb {

namespace {

// 0: not adopted yet, or there is none.
std::uint32_t pinned_abi(const std::string& pin_path) {
  const Fd map(::bpf_obj_get(pin_of(pin_path, "lb_meta").c_str()));
  if (!map) return 0;
  bpf_map_info info{};
  if (!read_info(map, info)) throw SystemError(errno, "looking at " + pin_of(pin_path, "lb_meta"));
  std::vector<std::byte> meta(std::max<std::size_t>(info.value_size, sizeof(lb_meta)));
  read_value(map, 0, meta.data());
  std::uint32_t abi = 0;
  std::memcpy(&abi, meta.data() + offsetof(lb_meta, abi), sizeof(abi));
  return abi;
}

}  // namespace

std::span<const Converter> converters() { return {}; }  // no other ABI was ever released

// An object of another ABI than this release's is refused where it is opened.
void convert_maps(const std::string& pin_path, std::span<const Converter> known) {
  const auto abi = pinned_abi(pin_path);
  if (abi == 0 || abi == XDP_LB_ABI) return;
  const auto found = std::ranges::find_if(
      known, [&](const auto& one) { return one.from == abi && one.to == XDP_LB_ABI; });
  if (found == known.end())
    throw Error("the maps in " + pin_path + " have map ABI " + std::to_string(abi) +
                    ", and this release has " + std::to_string(XDP_LB_ABI) +
                    ": it can't convert them",
                other_abi_hint);
  found->convert(pin_path);
}

}  // namespace xdplb
