// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include <cerrno>

#include "plugin/diagnostics.h"
#include "plugin/egress.h"
#include "plugin/error.h"
#include "plugin/fd.h"

namespace xdplb {

namespace {

constexpr auto grows = "xdp_lb_inline";
constexpr auto redirects = "xdp_lb";

}  // namespace

Attachment& Programs::attachment(const char* program, const ChainOptions& options) {
  auto& made = attachments_[{program, options}];
  if (!made)
    made = std::make_unique<Attachment>(
        open_object(file_, pins_.path(), static_cast<std::uint32_t>(pins_.arena_size())), program,
        options);
  return *made;
}

void Programs::attach(const Interface& interface, const ChainOptions& options) {
  try {
    attachment(grows, options).attach(interface, pins_.arena_id());
  } catch (const GrowthRefused&) {
    attachments_.erase({grows, options});  // what was refused once can't be loaded again
    install_egress(file_, pins_, interface.index);
    attachment(redirects, options).attach(interface, pins_.arena_id());
  }
}

bpf_program* Programs::alone(const std::string& name) {
  auto& object = alone_[name];
  if (object) return bpf_object__find_program_by_name(object.get(), name.c_str());
  const Diagnostics diagnostics;
  object = open_object(file_, pins_.path(), static_cast<std::uint32_t>(pins_.arena_size()));
  auto* program = choose_program(object, name);
  if (program == nullptr) return nullptr;
  bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_XDP_HAS_FRAGS);
  const int error = bpf_object__load(object.get());
  if (error == 0) return program;
  object.reset();
  throw SystemError(-error, "loading the program " + name, diagnostics.hint(-error));
}

void Programs::replace(const Interface& interface, Mode mode, const Component& old) {
  const Fd expected(::bpf_prog_get_fd_by_id(old.id));
  bpf_xdp_attach_opts opts{};
  opts.sz = sizeof(opts);
  opts.old_prog_fd = expected.get();
  const auto flags = mode == Mode::skb ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
  const int error = expected ? -::bpf_xdp_attach(static_cast<int>(interface.index),
                                                 bpf_program__fd(alone(grows)), flags, &opts)
                             : errno;
  if (error != 0)
    throw SystemError(error, "replacing " + old.name + " (id " + std::to_string(old.id) + ") on " +
                                 interface.name);
}

std::string Programs::tag(const std::string& name) {
  const auto* program = alone(name);
  return program == nullptr ? "" : program_tag(bpf_program__fd(program));
}

}  // namespace xdplb
