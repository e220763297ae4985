// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/egress.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>

#include "plugin/diagnostics.h"
#include "plugin/error.h"
#include "plugin/interface.h"
#include "plugin/object.h"

namespace xdplb {

namespace {

void put(const Pins& pins, unsigned ifindex, int program) {
  bpf_devmap_val entry{};
  entry.ifindex = ifindex;
  entry.bpf_prog.fd = program;
  const std::uint32_t key = ifindex;
  if (::bpf_map_update_elem(pins.egress().get(), &key, &entry, BPF_ANY) == 0) return;
  if (errno == E2BIG)
    throw SystemError(
        errno, "putting the egress program on " + interface_name(ifindex),
        "packets can be encapsulated out of " + std::to_string(LB_EGRESS_DEVICES) + " interfaces");
  throw SystemError(errno, "putting the egress program on " + interface_name(ifindex));
}

}  // namespace

void install_egress(const std::string& file, const Pins& pins, unsigned ifindex) {
  const Diagnostics diagnostics;
  const auto object = open_object(file, pins.path(), static_cast<std::uint32_t>(pins.arena_size()));
  const auto* egress = choose_program(object, "xdp_lb_egress");
  const int error = bpf_object__load(object.get());
  if (error != 0) throw SystemError(-error, "loading the egress program", diagnostics.hint(-error));
  auto devices = map_keys(pins.egress());
  devices.insert(ifindex);
  for (const auto& port : interfaces())
    if (port.master == ifindex && port.port_kind == "bond") devices.insert(port.index);
  for (const auto device : devices) put(pins, device, bpf_program__fd(egress));
}

bool has_egress(const Pins& pins, const std::string& tag) {
  const auto devices = map_keys(pins.egress());
  return !devices.empty() && std::ranges::all_of(devices, [&](std::uint32_t device) {
    bpf_devmap_val entry{};
    if (::bpf_map_lookup_elem(pins.egress().get(), &device, &entry) != 0) return false;
    const Fd program(::bpf_prog_get_fd_by_id(entry.bpf_prog.id));
    return program && program_tag(program.get()) == tag;
  });
}

void allow_egress(const Pins& pins, unsigned ifindex) {
  std::uint32_t key = ifindex;
  bpf_devmap_val entry{};
  if (!pins.egress()) return;
  if (::bpf_map_lookup_elem(pins.egress().get(), &key, &entry) == 0) return;
  if (::bpf_map_get_next_key(pins.egress().get(), nullptr, &key) != 0 ||
      ::bpf_map_lookup_elem(pins.egress().get(), &key, &entry) != 0)
    return;
  const Fd program(::bpf_prog_get_fd_by_id(entry.bpf_prog.id));
  if (program) put(pins, ifindex, program.get());
}

}  // namespace xdplb
