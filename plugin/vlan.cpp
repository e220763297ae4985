// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/vlan.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <set>

#include "plugin/error.h"
#include "plugin/interface.h"

namespace xdplb {

namespace {

std::set<std::uint32_t> keys_of(const Fd& map) {
  std::set<std::uint32_t> keys;
  std::uint32_t key = 0;
  const std::uint32_t* last = nullptr;
  while (::bpf_map_get_next_key(map.get(), last, &key) == 0) {
    keys.insert(key);
    last = &*keys.find(key);
  }
  return keys;
}

}  // namespace

void sync_vlans(const Pins& pins) {
  auto gone = keys_of(pins.vlans());
  for (const auto& interface : interfaces()) {
    if (interface.kind != "vlan") continue;
    gone.erase(interface.index);
    const lb_vlan vlan{interface.parent, static_cast<std::uint16_t>(interface.vlan), 0};
    if (::bpf_map_update_elem(pins.vlans().get(), &interface.index, &vlan, BPF_ANY) != 0)
      throw SystemError(errno, "telling the data path of VLAN device " + interface.name);
  }
  for (const auto key : gone) ::bpf_map_delete_elem(pins.vlans().get(), &key);
}

}  // namespace xdplb
