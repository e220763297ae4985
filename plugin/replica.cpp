// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/replica.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstring>

#include "plugin/diagnostics.h"
#include "plugin/egress.h"
#include "plugin/error.h"
#include "plugin/pins.h"

namespace xdplb {

namespace {

constexpr std::uint32_t new_flows = 4096;     // that there is room for
constexpr std::uint32_t batch = 4096;         // entries; more than a bucket ever has
constexpr std::size_t frame_room = 1U << 17;  // more than the kernel takes

Fd open_live(const std::string& pin_path, std::string_view map) {
  const auto pin = pin_of(pin_path, map);
  Fd live(::bpf_obj_get(pin.c_str()));
  if (!live) throw SystemError(errno, "opening " + pin);
  return live;
}

// The entries of a hash, keys and values one after the other. A look-up by batch marks none of them
// as used.
struct Entries {
  std::vector<std::byte> keys, values;
  std::uint32_t count = 0;
};

Entries read_entries(const Fd& live, std::uint32_t key_size, std::uint32_t value_size) {
  Entries all;
  std::uint32_t place = 0;
  for (bool first = true, more = true; more; first = false) {
    all.keys.resize(std::size_t{all.count + batch} * key_size);
    all.values.resize(std::size_t{all.count + batch} * value_size);
    std::uint32_t got = batch;
    more = ::bpf_map_lookup_batch(live.get(), first ? nullptr : &place, &place,
                                  all.keys.data() + std::size_t{all.count} * key_size,
                                  all.values.data() + std::size_t{all.count} * value_size, &got,
                                  nullptr) == 0;
    if (!more && errno != ENOENT) throw SystemError(errno, "reading the entries of a map");
    all.count += got;
  }
  return all;
}

void write_entries(const Fd& copy, const Entries& all) {
  std::uint32_t count = all.count;
  if (count != 0 &&
      ::bpf_map_update_batch(copy.get(), all.keys.data(), all.values.data(), &count, nullptr) != 0)
    throw SystemError(errno, "copying the entries of a map");
}

// As many as there are, and some more: the least used never goes, since there is always room.
void make_room(const Object& object, std::uint32_t flows) {
  bpf_map* map = bpf_object__find_map_by_name(object.get(), "lb_flows");
  int error = bpf_map__set_type(map, BPF_MAP_TYPE_HASH);
  if (error == 0) error = bpf_map__set_map_flags(map, BPF_F_NO_PREALLOC);
  if (error == 0) error = bpf_map__set_max_entries(map, flows + new_flows);
  if (error != 0) throw SystemError(-error, "sizing the copy of lb_flows");
}

// BPF_PROG_TEST_RUN takes no program for a devmap, and of others one that can have long frames.
void make_runnable(bpf_program* program) {
  bpf_program__set_autoload(program, true);
  bpf_program__set_expected_attach_type(program, BPF_XDP);
  bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_XDP_HAS_FRAGS);
}

Ran run_program(const bpf_program* program, std::span<const std::uint8_t> frame, unsigned ifindex) {
  Ran ran{0, std::vector<std::uint8_t>(frame_room)};
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(frame.size());
  context.ingress_ifindex = ifindex;
  bpf_test_run_opts opts{};
  opts.sz = sizeof(opts);
  opts.data_in = frame.data();
  opts.data_size_in = static_cast<std::uint32_t>(frame.size());
  opts.data_out = ran.frame.data();
  opts.data_size_out = static_cast<std::uint32_t>(ran.frame.size());
  opts.ctx_in = &context;
  opts.ctx_size_in = sizeof(context);
  if (::bpf_prog_test_run_opts(bpf_program__fd(program), &opts) != 0)
    throw SystemError(
        errno, "running the program with a frame of " + std::to_string(frame.size()) + " bytes");
  ran.verdict = opts.retval;
  ran.frame.resize(opts.data_size_out);
  return ran;
}

}  // namespace

Replica::Replica(const std::string& file, const std::string& pin_path, std::uint32_t arena_size,
                 const std::string& program)
    : object_(open_replica(file, pin_path, arena_size)),
      program_(choose_program(object_, program)) {
  if (program_ == nullptr)
    throw Error("the program on the interface is " + program + ", which " + file + " hasn't",
                "give the object that it was loaded from with -o");
  const auto flows =
      read_entries(open_live(pin_path, "lb_flows"), sizeof(lb_flow_key), sizeof(lb_flow));
  make_room(object_, flows.count);
  make_runnable(program_);
  if (program == "xdp_lb") {
    egress_ = bpf_object__find_program_by_name(object_.get(), "xdp_lb_egress");
    make_runnable(egress_);
  }
  const Diagnostics diagnostics;
  const int error = bpf_object__load(object_.get());
  if (error == -ENOMEM)
    throw SystemError(ENOMEM, "copying the maps", "a trace takes as much memory as the maps do");
  if (error != 0) throw SystemError(-error, "loading a copy", diagnostics.hint(-error));
  for (const auto& shape : map_shapes()) {
    const std::string name(shape.name);
    const auto* map = bpf_object__find_map_by_name(object_.get(), name.c_str());
    maps_.emplace(name, ::fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0));
  }
  write_entries(map("lb_flows"), flows);
  fill(pin_path);
}

// Counters and next hops stay empty: the program decides nothing by the former, and asks the kernel
// for the latter.
void Replica::fill(const std::string& pin_path) {
  for (const auto& shape : map_shapes()) {
    const std::string name(shape.name);
    if (shape.type == BPF_MAP_TYPE_ARRAY) {
      const auto live = open_live(pin_path, name);
      bpf_map* copy = bpf_object__find_map_by_name(object_.get(), name.c_str());
      fill_array(name, live, std::size_t{bpf_map__value_size(copy)} * bpf_map__max_entries(copy));
    } else if (name == "lb_vlans") {
      write_entries(map(name),
                    read_entries(open_live(pin_path, name), shape.key_size, shape.value_size));
    }
  }
  const auto limits = open_live(pin_path, "lb_limits");
  for (std::uint32_t key = 0; key < LB_LIMITS; key++) {
    limits_.emplace_back(possible_cpus() * sizeof(lb_limit));
    read_value(limits, key, limits_.back().data());
  }
  // plain xdp-loader doesn't pin it
  const Fd egress(::bpf_obj_get(pin_of(pin_path, "lb_egress").c_str()));
  if (egress) fill_egress(egress);
}

void Replica::fill_array(const std::string& name, const Fd& live, std::size_t size) {
  const Mapping from(live, size, false, name);
  Mapping to(map(name), size, true, "the copy of " + name);
  std::memcpy(to.data(), from.data(), size);
  mappings_.emplace(name, std::move(to));
}

// That there is an entry is what counts: nothing is sent.
void Replica::fill_egress(const Fd& live) {
  egress_devices_ = map_keys(live);
  for (const auto device : egress_devices_) {
    bpf_devmap_val entry{};
    entry.ifindex = device;
    write_value(map("lb_egress"), device, &entry);
  }
}

Ran Replica::run(std::span<const std::uint8_t> frame, unsigned ifindex) const {
  for (std::uint32_t key = 0; key < LB_LIMITS; key++)
    write_value(map("lb_limits"), key, limits_[key].data());
  for (std::uint32_t family = 0; family < LB_FAMILIES; family++)
    clear_per_cpu<lb_reason_counters>(map("lb_reason_cnt"), family);
  auto& hops = values<lb_arena_head>("lb_arena")[0].hops;
  if (++hops == 0) ++hops;
  return run_program(program_, frame, ifindex);
}

Ran Replica::run_egress(std::span<const std::uint8_t> frame, unsigned ifindex) const {
  return run_program(egress_, frame, ifindex);
}

std::string Replica::tag() const { return program_tag(bpf_program__fd(program_)); }

}  // namespace xdplb
