// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/vlan.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "plugin/error.h"
#include "plugin/interface.h"

namespace xdplb {

void sync_vlans(const Pins& pins) {
  auto gone = map_keys(pins.vlans());
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
