// SPDX-License-Identifier: GPL-2.0-only
// The BPF object file: where it is, and what is made from it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "bpf/abi.h"

struct bpf_object;
struct bpf_program;

namespace xdplb {

struct ObjectDeleter {
  void operator()(bpf_object* object) const;
};
using Object = std::unique_ptr<bpf_object, ObjectDeleter>;

// The file given, or else the installed one. Throws Error where there is none.
std::string find_object(const std::optional<std::string>& given);

// Opens the file with its maps' pin paths in pin_path, its arena of that many bytes, and nothing
// loaded yet. Throws Error where the file is none of ours or has another map ABI.
Object open_object(const std::string& file, const std::string& pin_path, std::uint32_t arena_size);

// Likewise, as many and as large maps as are pinned, but none of them: loaded it has maps of its
// own.
Object open_replica(const std::string& file, const std::string& pin_path, std::uint32_t arena_size);

// Has loading the object load this one of its programs alone; returns it.
bpf_program* choose_program(const Object& object, const std::string& name);

// What tells a loaded program from others: a hash of its instructions.
std::string program_tag(int program);

// Makes and pins those maps that aren't pinned yet. flow_keys: of lb_flows, two a flow.
void make_maps(const std::string& file, const std::string& pin_path, std::uint32_t arena_size,
               std::uint32_t flow_keys = LB_FLOWS,
               std::uint32_t exception_sets = LB_EXCEPTION_SETS);

}  // namespace xdplb
