// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "bpf/abi.h"
#include "plugin/arena.h"
#include "plugin/diagnostics.h"
#include "plugin/error.h"
#include "plugin/fd.h"
#include "plugin/hex.h"
#include "plugin/pins.h"

namespace xdplb {

namespace {

// The map of the object's read-only data, with what it holds.
bpf_map* constants_of(bpf_object* object, lb_constants& constants) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (std::strstr(bpf_map__name(map), ".rodata") == nullptr) continue;
    std::size_t size = 0;
    const void* value = bpf_map__initial_value(map, &size);
    if (value == nullptr || size != sizeof(constants)) continue;
    std::memcpy(&constants, value, size);
    return map;
  }
  return nullptr;
}

void set_entries(const Object& object, const std::string& name, std::uint32_t entries) {
  bpf_map* map = bpf_object__find_map_by_name(object.get(), name.c_str());
  const int error = map == nullptr ? -ENOENT : bpf_map__set_max_entries(map, entries);
  if (error != 0) throw SystemError(-error, "sizing the map " + name);
}

void set_constants(const Object& object, const lb_constants& constants) {
  lb_constants old{};
  bpf_map* map = constants_of(object.get(), old);
  if (bpf_map__set_initial_value(map, &constants, sizeof(constants)) != 0)
    throw SystemError(errno, "writing the object's constants");
  set_entries(object, "lb_exceptions", constants.exception_sets);
}

// As the pinned maps are, where there are some.
void size_maps(const Object& object, const std::string& pin_path, std::uint32_t arena_size) {
  lb_constants constants{};
  constants_of(object.get(), constants);
  if (const auto keys = pinned_entries(pin_path, "lb_flows"))
    set_entries(object, "lb_flows", *keys);
  constants.exception_sets = pinned_entries(pin_path, "lb_exceptions").value_or(LB_EXCEPTION_SETS);
  constants.arena_size = arena_element_size(arena_size);
  set_constants(object, constants);
  bpf_map* arena = bpf_object__find_map_by_name(object.get(), "lb_arena");
  if (bpf_map__set_value_size(arena, constants.arena_size) != 0 ||
      bpf_map__set_max_entries(arena, arena_elements(arena_size)) != 0)
    throw SystemError(errno, "sizing the arena");
}

Object open_ours(const std::string& file, const std::string& pin_path) {
  const Diagnostics diagnostics;
  bpf_object_open_opts opts{};
  opts.sz = sizeof(opts);
  opts.object_name = "xdp_lb";  // whatever the file's is
  opts.pin_root_path = pin_path.c_str();
  Object object(bpf_object__open_file(file.c_str(), &opts));
  const int error = errno;
  const auto not_ours = [&](const std::string& why) {
    return Error(file + " is not the BPF object of this release: " + why,
                 "give the xdp_lb.bpf.o that came with this xdp-lb");
  };
  if (!object) {
    if (error == EACCES) throw SystemError(error, "opening " + file);
    std::array<char, 128> text{};
    libbpf_strerror(error, text.data(), text.size());
    throw not_ours(text.data());
  }
  for (const std::string name : {"xdp_lb", "xdp_lb_inline", "xdp_lb_egress"})
    if (bpf_object__find_program_by_name(object.get(), name.c_str()) == nullptr)
      throw not_ours("it has no program " + name);
  lb_constants constants{};
  if (constants_of(object.get(), constants) == nullptr) throw not_ours("it has no map ABI");
  if (constants.abi != XDP_LB_ABI)
    throw not_ours("its map ABI is " + std::to_string(constants.abi) + ", not " +
                   std::to_string(XDP_LB_ABI));
  for (const std::string name : {"lb_arena", "lb_egress"})
    if (bpf_object__find_map_by_name(object.get(), name.c_str()) == nullptr)
      throw not_ours("it has no map " + name);
  return object;
}

}  // namespace

void ObjectDeleter::operator()(bpf_object* object) const { bpf_object__close(object); }

std::string find_object(const std::optional<std::string>& given) {
  std::string file = given.value_or(XDP_LB_OBJECT_DIR "/xdp_lb.bpf.o");
  std::error_code error;
  if (std::filesystem::is_regular_file(file, error)) return file;
  throw Error("there is no BPF object " + file,
              given ? "give the path of xdp_lb.bpf.o" : "install xdp-lb, or give its path with -o");
}

Object open_object(const std::string& file, const std::string& pin_path, std::uint32_t arena_size) {
  auto object = open_ours(file, pin_path);
  const Fd pinned(::bpf_obj_get(pin_of(pin_path, "lb_egress").c_str()));
  bpf_map* egress = bpf_object__find_map_by_name(object.get(), "lb_egress");
  const int reused = pinned ? bpf_map__reuse_fd(egress, pinned.get()) : 0;
  if (reused != 0) throw SystemError(-reused, "using the pinned map lb_egress");
  size_maps(object, pin_path, arena_size);
  return object;
}

Object open_replica(const std::string& file, const std::string& pin_path,
                    std::uint32_t arena_size) {
  auto object = open_ours(file, pin_path);
  size_maps(object, pin_path, arena_size);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object.get()) {
    const int error = bpf_map__set_pin_path(map, nullptr);
    if (error != 0) throw SystemError(-error, "keeping maps from being pinned");
  }
  return object;
}

bpf_program* choose_program(const Object& object, const std::string& name) {
  bpf_program* chosen = nullptr;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    const bool is_it = name == bpf_program__name(program);
    bpf_program__set_autoload(program, is_it);
    if (is_it) chosen = program;
  }
  return chosen;
}

std::string program_tag(int program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  if (::bpf_obj_get_info_by_fd(program, &info, &size) != 0)
    throw SystemError(errno, "looking at a program");
  return hex(info.tag);
}

void make_maps(const std::string& file, const std::string& pin_path, std::uint32_t arena_size,
               std::uint32_t flow_keys, std::uint32_t exception_sets) {
  const auto object = open_object(file, pin_path, arena_size);
  if (!pinned_entries(pin_path, "lb_flows")) set_entries(object, "lb_flows", flow_keys);
  if (!pinned_entries(pin_path, "lb_exceptions"))
    set_constants(object, {XDP_LB_ABI, arena_element_size(arena_size), exception_sets});
  choose_program(object, "");
  const Diagnostics diagnostics;
  int error = bpf_object__load(object.get());
  const auto pin = pin_of(pin_path, "lb_egress");
  if (error == 0 && !std::filesystem::exists(pin))
    error = bpf_map__pin(bpf_object__find_map_by_name(object.get(), "lb_egress"), pin.c_str());
  if (error == 0) return;
  if (error == -ENOMEM || error == -E2BIG)
    throw SystemError(-error, "making the maps",
                      "a smaller --arena, and fewer --flows and --exceptions, need less memory");
  throw SystemError(-error, "making the maps in " + pin_path, diagnostics.hint(-error));
}

}  // namespace xdplb
