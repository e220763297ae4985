// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/dispatcher.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <array>
#include <memory>
#include <vector>

#include "plugin/diagnostics.h"
#include "plugin/fd.h"
#include "plugin/object.h"

namespace xdplb {

namespace {

struct TypesDeleter {
  void operator()(btf* types) const { btf__free(types); }
};
using Types = std::unique_ptr<btf, TypesDeleter>;

// It stands in the type information alone, as the length of an array.
std::optional<unsigned> version_in(const Types& types) {
  if (!types) return std::nullopt;
  const int id = btf__find_by_name_kind(types.get(), "dispatcher_version", BTF_KIND_VAR);
  const auto target = [&](const btf_type* type) {
    return btf__type_by_id(types.get(), type->type);
  };
  if (id < 0) return std::nullopt;
  const auto* pointer = target(btf__type_by_id(types.get(), static_cast<std::uint32_t>(id)));
  if (pointer == nullptr || !btf_is_ptr(pointer) || !btf_is_array(target(pointer)))
    return std::nullopt;
  return btf_array(target(pointer))->nelems;
}

Types types_of(int program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  if (program < 0 || ::bpf_obj_get_info_by_fd(program, &info, &size) != 0 || info.btf_id == 0)
    return nullptr;
  return Types(btf__load_from_kernel_by_id(info.btf_id));
}

// Loaded, with one place for components: without any, the kernel takes their calls away.
Object load_dispatcher(const std::string& file) {
  constexpr std::size_t places_at = 2;  // in its configuration
  Object object(bpf_object__open_file(file.c_str(), nullptr));
  bpf_map* map = nullptr;
  if (object) bpf_object__for_each_map(map, object.get()) {
      std::size_t size = 0;
      const auto* value = static_cast<const char*>(bpf_map__initial_value(map, &size));
      if (value == nullptr || size <= places_at) continue;
      std::vector<char> changed(value, value + size);
      changed[places_at] = 1;
      bpf_map__set_initial_value(map, changed.data(), size);
    }
  if (!object || choose_program(object, "xdp_dispatcher") == nullptr ||
      bpf_object__load(object.get()) != 0)
    return nullptr;
  return object;
}

// Types of a global function int grow(struct xdp_md *ctx), and the function's.
Types types_of_component(int& function) {
  Types types(btf__new_empty());
  if (!types) return types;
  const int number = btf__add_int(types.get(), "int", 4, BTF_INT_SIGNED);
  const int pointer = btf__add_ptr(types.get(), btf__add_struct(types.get(), "xdp_md", 0));
  const int prototype = btf__add_func_proto(types.get(), number);
  btf__add_func_param(types.get(), "ctx", pointer);
  function = btf__add_func(types.get(), "grow", BTF_FUNC_GLOBAL, prototype);
  if (btf__load_into_kernel(types.get()) != 0) types.reset();
  return types;
}

// A program in the dispatcher's first place that grows packets; what the verifier said of it.
Fd load_component(int dispatcher, std::string& said) {
  int function = 0;
  const auto places = types_of(dispatcher);
  const auto types = types_of_component(function);
  if (!places || !types) return {};
  const std::array<bpf_insn, 4> grow{{{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0},
                                      {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_xdp_adjust_head},
                                      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS},
                                      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  const bpf_func_info where{0, static_cast<std::uint32_t>(function)};
  std::vector<char> log(65536);
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.prog_btf_fd = static_cast<std::uint32_t>(btf__fd(types.get()));
  options.attach_prog_fd = static_cast<std::uint32_t>(dispatcher);
  options.attach_btf_id =
      static_cast<std::uint32_t>(btf__find_by_name_kind(places.get(), "prog0", BTF_KIND_FUNC));
  options.func_info = &where;
  options.func_info_cnt = 1;
  options.func_info_rec_size = sizeof(where);
  options.log_level = 1;
  options.log_buf = log.data();
  options.log_size = static_cast<std::uint32_t>(log.size());
  Fd program(::bpf_prog_load(BPF_PROG_TYPE_EXT, "grow", "GPL", grow.data(), grow.size(), &options));
  said = log.data();
  return program;
}

}  // namespace

std::optional<unsigned> dispatcher_version(const std::string& file) {
  const Diagnostics quiet;
  return version_in(Types(btf__parse(file.c_str(), nullptr)));
}

std::optional<unsigned> dispatcher_version(std::uint32_t program_id) {
  const Diagnostics quiet;
  const Fd program(::bpf_prog_get_fd_by_id(program_id));
  return version_in(types_of(program.get()));
}

std::optional<bool> lets_grow(const std::string& file) {
  const Diagnostics quiet;
  const auto dispatcher = load_dispatcher(file);
  if (!dispatcher) return std::nullopt;
  const auto* program = bpf_object__find_program_by_name(dispatcher.get(), "xdp_dispatcher");
  std::string said;
  if (load_component(bpf_program__fd(program), said)) return true;
  if (said.find("changes packet data") != std::string::npos) return false;
  return std::nullopt;
}

}  // namespace xdplb
