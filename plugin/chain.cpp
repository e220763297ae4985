// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/chain.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <set>
#include <thread>
#include <utility>

#include "plugin/diagnostics.h"
#include "plugin/error.h"
#include "plugin/fd.h"
#include "plugin/hex.h"
#include "plugin/libxdp.h"

namespace xdplb {

namespace {

constexpr std::string_view dispatcher_name = "xdp_dispatcher";
constexpr int busy_retries = 10;

using Links = std::set<std::pair<std::uint32_t, std::uint32_t>>;  // {program, what it replaces}

// Sets id to the next one after it; false behind the last.
bool advance(int (*next)(__u32, __u32*), std::uint32_t& id) {
  if (next(id, &id) == 0) return true;
  if (errno == ENOENT) return false;
  throw SystemError(errno, "listing the BPF programs that run");
}

// False where it has just gone, or doesn't run yet: what can't be looked at is neither.
template <typename Info>
bool read(const Fd& object, Info& info) {
  std::uint32_t size = sizeof(info);
  if (object && ::bpf_obj_get_info_by_fd(object.get(), &info, &size) == 0) return true;
  if (!object && (errno == ENOENT || errno == EAGAIN)) return false;
  throw SystemError(errno, "looking at the BPF programs that run");
}

// Which program is linked to which dispatcher, as the kernel has it.
Links replacing_links() {
  Links links;
  for (std::uint32_t id = 0; advance(::bpf_link_get_next_id, id);) {
    bpf_link_info info{};
    if (read(Fd(::bpf_link_get_fd_by_id(id)), info) && info.type == BPF_LINK_TYPE_TRACING)
      links.emplace(info.prog_id, info.tracing.target_obj_id);
  }
  return links;
}

bool uses_map(std::uint32_t program_id, std::uint32_t map_id) {
  std::array<std::uint32_t, 64> ids{};
  bpf_prog_info info{};
  info.nr_map_ids = ids.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  if (map_id == 0 || !read(Fd(::bpf_prog_get_fd_by_id(program_id)), info)) return false;
  const auto count = std::min<std::size_t>(info.nr_map_ids, ids.size());
  return std::find(ids.begin(), ids.begin() + count, map_id) != ids.begin() + count;
}

// The program on egress is none of a chain: the map that holds it keeps it.
bool is_xdp(std::uint32_t program_id) {
  bpf_prog_info info{};
  return read(Fd(::bpf_prog_get_fd_by_id(program_id)), info) && info.type == BPF_PROG_TYPE_XDP &&
         std::string_view(info.name) != "xdp_lb_egress";
}

// In the driver or the stack.
bool has_program(const Interface& interface) {
  LIBBPF_OPTS(bpf_xdp_query_opts, found);
  return ::bpf_xdp_query(static_cast<int>(interface.index), 0, &found) == 0 &&
         (found.drv_prog_id != 0 || found.skb_prog_id != 0);
}

Component describe(const xdp_program* program, std::uint32_t arena_id) {
  Component component;
  component.id = xdp_program__id(program);
  component.name = xdp_program__name(program) == nullptr ? "" : xdp_program__name(program);
  component.tag = hex({xdp_program__tag(program), BPF_TAG_SIZE});
  component.priority = xdp_program__run_prio(program);
  std::array<char, 128> actions{};
  xdp_program__print_chain_call_actions(program, actions.data(), actions.size());
  component.actions = actions.data();
  component.ours = uses_map(component.id, arena_id);
  return component;
}

}  // namespace

std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::native:
      return "native";
    case Mode::skb:
      return "skb";
    case Mode::hardware:
      return "hw";
    default:
      return "unknown";
  }
}

std::string off_command(const std::string& ifname, Mode mode) {
  return "ip link set dev " + ifname + (mode == Mode::skb ? " xdpgeneric off" : " xdp off");
}

const Component* Chain::ours() const {
  if (kind == Kind::single && main.ours) return &main;
  const auto found = std::ranges::find_if(components, &Component::ours);
  return found == components.end() ? nullptr : &*found;
}

namespace {

// Empty also where libxdp could not look at the program.
Chain try_chain(const Interface& interface, std::uint32_t arena_id) {
  const Diagnostics quiet;
  const Multiprog multiprog(xdp_multiprog__get_from_ifindex(static_cast<int>(interface.index)));
  Chain chain;
  if (const auto error = multiprog.error()) {
    if (error == ENOENT) return chain;
    if (error == EOPNOTSUPP)
      throw Unsupported("the chain on " + interface.name + " is of a newer libxdp than this one",
                        "install the libxdp that made it; 'ip link set dev " + interface.name +
                            " xdp off', or 'xdpgeneric off' in mode skb, removes the chain with "
                            "all of its programs");
    throw SystemError(error, "reading the XDP chain of " + interface.name, quiet.hint(error));
  }
  chain.mode = from_libxdp(xdp_multiprog__attach_mode(multiprog.get()));
  const auto* main = xdp_multiprog__main_prog(multiprog.get());
  if (main == nullptr || xdp_program__id(main) == 0) return chain;  // on the hardware alone
  chain.main = describe(main, arena_id);
  if (xdp_multiprog__is_legacy(multiprog.get())) {
    const bool lost = chain.main.name == dispatcher_name;
    chain.kind = lost ? Chain::Kind::unpinned : Chain::Kind::single;
    chain.main.running = !lost;
    return chain;
  }
  chain.kind = Chain::Kind::dispatcher;
  chain.main.running = true;
  const auto links = replacing_links();
  const xdp_program* program = nullptr;
  while ((program = xdp_multiprog__next_prog(program, multiprog.get())) != nullptr) {
    chain.components.push_back(describe(program, arena_id));
    auto& component = chain.components.back();
    component.running = links.contains({component.id, chain.main.id});
  }
  return chain;
}

}  // namespace

Chain read_chain(const Interface& interface, std::uint32_t arena_id) {
  constexpr int tries = 3;  // one may have come meanwhile
  for (int i = 0; i < tries; i++)
    if (auto chain = try_chain(interface, arena_id);
        chain.kind != Chain::Kind::empty || !has_program(interface))
      return chain;
  throw SystemError(EAGAIN, "reading the XDP chain of " + interface.name);
}

Attachment::Attachment(Object object, const char* program, const ChainOptions& options)
    : object_(std::move(object)), options_(options) {
  choose_program(object_, program);
  xdp_program_opts from{};
  from.sz = sizeof(from);
  from.obj = object_.get();
  from.prog_name = program;
  program_ = xdp_program__create(&from);
  if (const auto error = libxdp_get_error(program_)) {
    program_ = nullptr;
    throw SystemError(static_cast<int>(-error), "handing the object to libxdp");
  }
  // libxdp doesn't see SEC("xdp.frags"): without this, jumbo frames would be refused.
  xdp_program__set_xdp_frags_support(program_, true);
  if (options.priority) xdp_program__set_run_prio(program_, *options.priority);
  if (options.actions)
    for (unsigned action = XDP_ABORTED; action <= XDP_REDIRECT; action++)
      xdp_program__set_chain_call_enabled(program_, action, (*options.actions >> action & 1) != 0);
}

Attachment::~Attachment() { xdp_program__close(program_); }

void Attachment::require_joinable(const Interface& interface, const Chain& chain) const {
  const auto& name = interface.name;
  switch (chain.kind) {
    case Chain::Kind::empty:
      return;
    case Chain::Kind::single:
      throw Error(name + " has an XDP program that is in no chain: " + chain.main.name + " (id " +
                      std::to_string(chain.main.id) + ")",
                  "remove it with its own tool, or with '" + off_command(name, chain.mode) +
                      "', and load it with xdp-loader to have both");
    case Chain::Kind::unpinned:
      throw Error("the chain on " + name + " has lost its pins, and passes every packet",
                  "its bpffs was unmounted, or is another mount namespace's: 'xdp-loader unload " +
                      name + " --all' removes it, then load all of its programs again");
    case Chain::Kind::dispatcher:
      break;
  }
  if (chain.mode != options_.mode)
    throw Error("the chain on " + name + " is attached in " + std::string(to_string(chain.mode)) +
                    " mode, not in " + std::string(to_string(options_.mode)),
                "give --mode " + std::string(to_string(chain.mode)) +
                    ", or unload the chain's programs first");
  if (chain.components.size() >= max_components)
    throw Error("the chain on " + name + " is full: it has " + std::to_string(max_components) +
                    " programs, which is all that libxdp's dispatcher can hold",
                "unload one: 'xdp-loader status " + name + "' lists them");
}

void Attachment::attach(const Interface& interface, std::uint32_t arena_id) {
  for (int retry = 0;; retry++) {
    require_joinable(interface, read_chain(interface, arena_id));
    const Diagnostics said;
    const int error = -xdp_program__attach(program_, static_cast<int>(interface.index),
                                           to_libxdp(options_.mode), 0);
    if (error == 0) break;
    // Of several first loads on an empty interface libxdp lets one win: join its chain.
    if (error == EOPNOTSUPP && options_.mode == Mode::native)
      throw Unsupported("attaching to " + interface.name + ": its driver lacks native XDP",
                        "--mode skb works with every driver, more slowly");
    if (said.text().find("changes packet data") != std::string::npos)
      throw GrowthRefused("the chain on " + interface.name + " takes no programs that grow packets",
                          "libxdp 1.5.5 or newer makes chains that do");
    if ((error != EBUSY && error != EAGAIN && error != EEXIST) || retry == busy_retries)
      throw attach_failure(error, interface, said);
    std::this_thread::sleep_for(std::chrono::milliseconds(1 << retry));
  }
  verify(interface, arena_id);
}

void Attachment::verify(const Interface& interface, std::uint32_t arena_id) {
  const auto chain = read_chain(interface, arena_id);
  const auto id = xdp_program__id(program_);
  if (chain.kind == Chain::Kind::single && chain.main.id == id) {
    if (options_.single_ok) return;
    detach(interface, chain.main);
    throw Unsupported("libxdp could not make a chain on " + interface.name + ": " +
                          why_no_chain().value_or("the kernel refused its dispatcher"),
                      "--single-ok attaches the component alone, with no other XDP program "
                      "beside it");
  }
  const auto found = std::ranges::find(chain.components, id, &Component::id);
  if (found != chain.components.end() && found->running) return;
  throw Unsupported(
      "the component was attached to " + interface.name + " but doesn't run in its chain",
      "something else changed the chain meanwhile; see 'xdp-lb status " + interface.name +
          "' and load again");
}

void detach(const Interface& interface, const Component& component) {
  const Diagnostics diagnostics;
  const Multiprog multiprog(xdp_multiprog__get_from_ifindex(static_cast<int>(interface.index)));
  const Program program(xdp_program__from_id(component.id));
  int error = multiprog.error() != 0 ? multiprog.error() : program.error();
  if (error == 0)
    error = -xdp_program__detach(program.get(), static_cast<int>(interface.index),
                                 xdp_multiprog__attach_mode(multiprog.get()), 0);
  if (error != 0)
    throw SystemError(error,
                      "detaching " + component.name + " (id " + std::to_string(component.id) +
                          ") from " + interface.name,
                      diagnostics.hint(error));
}

bool runs_anywhere(std::uint32_t arena_id, const std::set<std::uint32_t>& detached) {
  if (std::ranges::any_of(replacing_links(),
                          [&](const auto& link) { return uses_map(link.first, arena_id); }))
    return true;
  // Attached by itself, without a link, it is a program of type XDP, not EXT.
  for (std::uint32_t id = 0; advance(::bpf_prog_get_next_id, id);)
    if (!detached.contains(id) && is_xdp(id) && uses_map(id, arena_id)) return true;
  return false;
}

std::optional<std::string> why_no_chain() {
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0)
    return "the kernel has no type information (CONFIG_DEBUG_INFO_BTF)";
  const Diagnostics quiet;
  const int ext = ::libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, nullptr);
  if (ext != 1)
    return "the kernel refuses programs that replace functions of others (BPF_PROG_TYPE_EXT), "
           "which a chain is made of";
  return std::nullopt;
}

}  // namespace xdplb
