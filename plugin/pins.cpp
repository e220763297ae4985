// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/pins.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <filesystem>

#include "plugin/arena.h"
#include "plugin/error.h"

namespace xdplb {

namespace {

constexpr std::array shapes{
    MapShape{"lb_arena", BPF_MAP_TYPE_ARRAY, 0, 0, false},
    MapShape{"lb_meta", BPF_MAP_TYPE_ARRAY, sizeof(lb_meta), 1, false},
    MapShape{"lb_services", BPF_MAP_TYPE_ARRAY, sizeof(lb_service), LB_SERVICES, false},
    MapShape{"lb_backends", BPF_MAP_TYPE_ARRAY, sizeof(lb_backend), LB_BACKENDS, false},
    MapShape{"lb_vlans", BPF_MAP_TYPE_HASH, sizeof(lb_vlan), LB_VLANS, false},
    MapShape{"lb_egress", BPF_MAP_TYPE_DEVMAP_HASH, sizeof(bpf_devmap_val), LB_EGRESS_DEVICES,
             false, true},
    MapShape{"lb_next_hops", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(lb_next_hop), LB_BACKENDS, true},
    MapShape{"lb_return_hops", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(lb_next_hop), LB_RETURN_HOPS,
             false},
    MapShape{"lb_flows", BPF_MAP_TYPE_LRU_HASH, sizeof(lb_flow), 0, false, false,
             sizeof(lb_flow_key)},
    MapShape{"lb_exceptions", BPF_MAP_TYPE_ARRAY, sizeof(lb_exception_set), 0, false},
    MapShape{"lb_exception_cnt", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(lb_exception_counters), 1, true},
    MapShape{"lb_limits", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(lb_limit), LB_LIMITS, false},
    MapShape{"lb_reason_cnt", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(lb_reason_counters), LB_FAMILIES,
             true},
    MapShape{"lb_service_cnt", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(lb_reason_counters), LB_SERVICES,
             true},
    MapShape{"lb_samples", BPF_MAP_TYPE_RINGBUF, 0, LB_SAMPLES_SIZE, false, false, 0},
};

bool exists(const std::string& path) {
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  if (error) throw SystemError(error.value(), "looking at " + path);
  return there;
}

// The nearest folder above path, or path itself, that exists.
std::string existing_part(std::filesystem::path path) {
  while (!path.empty() && path != path.root_path() && !exists(path.string()))
    path = path.parent_path();
  return path.empty() ? "." : path.string();
}

bpf_map_info info_of(const Fd& map, const std::string& pin) {
  bpf_map_info info{};
  if (!read_info(map, info))
    throw SystemError(errno, pin + " is not a BPF map",
                      "remove what else uses the folder, or give another with --pin-path");
  return info;
}

void require_shape(const bpf_map_info& info, const MapShape& shape, const std::string& pin) {
  const auto refuse = [&](const std::string& what, std::uint64_t is, std::uint64_t should) {
    throw Error(pin + ": " + what + " is " + std::to_string(is) + ", not " + std::to_string(should),
                std::string("give another folder with --pin-path where the maps are another "
                            "program's; where they are another release's, ") +
                    other_abi_hint);
  };
  if (info.type != shape.type) refuse("the map's type", info.type, shape.type);
  if (info.key_size != shape.key_size) refuse("the key's size", info.key_size, shape.key_size);
  auto entries = shape.max_entries;
  auto size = shape.value_size;
  if (shape.name == "lb_arena") {
    size = std::has_single_bit(info.value_size) ? info.value_size : LB_ARENA_SIZE;
    size = std::min(size, LB_ARENA_ELEMENT);
    entries = size == LB_ARENA_ELEMENT && info.max_entries != 1 ? 2 : 1;
  }
  if (entries != 0 && info.max_entries != entries)
    refuse("the number of entries", info.max_entries, entries);
  if (info.value_size != size) refuse("the value's size", info.value_size, size);
}

Fd open_map(const std::string& folder, const MapShape& shape, Access access, bpf_map_info& info) {
  const auto pin = pin_of(folder, shape.name);
  struct bpf_obj_get_opts opts {};
  opts.sz = sizeof(opts);
  // The kernel maps no value memory, not even to be read, through a read-only descriptor.
  opts.file_flags = access == Access::read && shape.for_group ? BPF_F_RDONLY : 0;
  Fd map(::bpf_obj_get_opts(pin.c_str(), &opts));
  if (!map) {
    if (errno == ENOENT) {
      require_own_maps(folder);
      throw Error(pin + " is missing while others of the component's maps are there",
                  "a command was killed: 'xdp-lb load' and 'xdp-lb apply' start afresh");
    }
    throw SystemError(errno, "opening " + pin);
  }
  info = info_of(map, pin);
  require_shape(info, shape, pin);
  return map;
}

// The root of a bpffs belongs to all of its users.
void require_own_folder(const std::string& pin_path) {
  struct stat folder {};
  struct stat above {};
  if (::stat(pin_path.c_str(), &folder) != 0) return;  // not made yet
  if (::stat((pin_path + "/..").c_str(), &above) == 0 && folder.st_dev != above.st_dev)
    throw Error(pin_path + " is a whole BPF file system",
                "give a folder in it with --pin-path, as " + std::string(default_pin_path));
}

}  // namespace

std::span<const MapShape> map_shapes() { return shapes; }

std::string pin_of(const std::string& pin_path, std::string_view map) {
  return pin_path + "/" + std::string(map);
}

void require_bpffs(const std::string& pin_path) {
  struct statfs fs {};
  const auto place = existing_part(pin_path);
  if (::statfs(place.c_str(), &fs) != 0) throw SystemError(errno, "looking at " + place);
  const bool is_bpffs = fs.f_type == BPF_FS_MAGIC;
  if (is_bpffs && (fs.f_flags & ST_RDONLY) != 0)  // then no map can be mapped, to read it neither
    throw SystemError(EROFS, "using the maps in " + pin_path);
  if (is_bpffs) return require_own_folder(pin_path);
  const auto message = pin_path + " is not on a BPF file system";
  if (pin_path.starts_with("/sys/fs/bpf"))
    throw Unsupported(message,
                      "mount one with 'mount -t bpf bpf /sys/fs/bpf'; under 'ip netns exec', which "
                      "hides it, use 'nsenter --net=/run/netns/NAME' instead");
  throw Error(message, "give a folder on a mounted bpffs with --pin-path");
}

namespace {

[[noreturn]] void throw_not_loaded(const std::string& pin_path) {
  throw NotLoaded("no maps of xdp-lb are pinned in " + pin_path,
                  "load the component first: xdp-lb load IFNAME");
}

// No descriptor where there is no folder and none is to be made.
Fd open_folder(const std::string& pin_path, PinLock::Missing missing) {
  const bool make = missing == PinLock::Missing::make;
  while (true) {
    if (make && ::mkdir(pin_path.c_str(), 0750) != 0 && errno != EEXIST)
      throw SystemError(errno, "making the pin folder " + pin_path,
                        errno == ENOENT ? "make the folder above it: only the last is made" : "");
    Fd folder(::open(pin_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder || (errno == ENOENT && !make)) return folder;
    if (errno != ENOENT) throw SystemError(errno, "opening the pin folder " + pin_path);
  }
}

bool is_pinned(const std::string& pin_path, const MapShape& shape) {
  return exists(pin_of(pin_path, shape.name));
}

bool is_still_at(const std::string& path, const Fd& folder) {
  struct stat opened {};
  struct stat now {};
  if (::fstat(folder.get(), &opened) != 0) throw SystemError(errno, "looking at " + path);
  return ::stat(path.c_str(), &now) == 0 && now.st_ino == opened.st_ino;
}

}  // namespace

PinLock::PinLock(const std::string& pin_path, Access access, Missing missing) {
  require_bpffs(pin_path);
  // Whoever had the lock may have removed the folder with the last interface.
  do {
    folder_ = open_folder(pin_path, missing);
    if (!folder_ && access == Access::change) throw_not_loaded(pin_path);
    if (!folder_) return;
    if (::flock(folder_.get(), access == Access::change ? LOCK_EX : LOCK_SH) != 0)
      throw SystemError(errno, "locking the pin folder " + pin_path);
  } while (!is_still_at(pin_path, folder_));
}

bool has_maps(const std::string& pin_path) {
  return std::ranges::any_of(shapes, [&](const auto& shape) { return is_pinned(pin_path, shape); });
}

bool has_all_maps(const std::string& pin_path) {
  return std::ranges::all_of(
      shapes, [&](const auto& shape) { return shape.by_loader || is_pinned(pin_path, shape); });
}

std::optional<std::uint32_t> pinned_arena_size(const std::string& pin_path) {
  std::optional<std::uint32_t> size;
  for (const auto& shape : shapes) {
    if (!is_pinned(pin_path, shape)) continue;
    bpf_map_info info{};
    open_map(pin_path, shape, Access::read, info);
    if (shape.name == "lb_arena") size = info.value_size * info.max_entries;
  }
  return size;
}

std::optional<std::uint32_t> pinned_entries(const std::string& pin_path, std::string_view map) {
  const auto* shape = std::ranges::find(shapes, map, &MapShape::name);
  if (!is_pinned(pin_path, *shape)) return std::nullopt;
  bpf_map_info info{};
  open_map(pin_path, *shape, Access::read, info);
  return info.max_entries;
}

Pins::Pins(const std::string& pin_path, Access access) : path_(pin_path) {
  require_bpffs(pin_path);
  if (!has_maps(pin_path)) throw_not_loaded(pin_path);

  for (const auto& shape : shapes)
    if (!shape.by_loader || is_pinned(pin_path, shape)) open(shape, access);
  const auto abi = load(meta().abi);
  if (abi == 0 && access == Access::change)
    adopt();
  else if (abi != 0 && abi != XDP_LB_ABI)
    throw Error("the maps in " + pin_path + " have map ABI " + std::to_string(abi) +
                    ", and this release has " + std::to_string(XDP_LB_ABI),
                other_abi_hint);
}

void Pins::open(const MapShape& shape, Access access) {
  struct Mapped {
    std::string_view name;
    Mapping& into;
  };
  struct Kept {
    std::string_view name;
    Fd& in;
  };
  const std::array mapped{Mapped{"lb_meta", meta_}, Mapped{"lb_services", services_},
                          Mapped{"lb_backends", backends_}, Mapped{"lb_arena", arena_},
                          Mapped{"lb_exceptions", exceptions_}};
  const std::array kept{
      Kept{"lb_vlans", vlans_},           Kept{"lb_egress", egress_},
      Kept{"lb_reason_cnt", reason_cnt_}, Kept{"lb_service_cnt", service_cnt_},
      Kept{"lb_next_hops", next_hops_},   Kept{"lb_exception_cnt", exception_cnt_}};
  bpf_map_info info{};
  Fd map = open_map(path_, shape, access, info);
  if (shape.name == "lb_arena") arena_id_ = info.id;
  const auto size = std::size_t{info.value_size} * info.max_entries;
  const auto* view = std::ranges::find(mapped, shape.name, &Mapped::name);
  if (view != mapped.end())
    view->into = Mapping(map, size, access == Access::change, pin_of(path_, shape.name));
  const auto* keep = std::ranges::find(kept, shape.name, &Kept::name);
  if (keep != kept.end()) keep->in = std::move(map);
}

void Pins::adopt() {
  if (::getrandom(meta().cluster_key, sizeof(meta().cluster_key), 0) !=
      static_cast<ssize_t>(sizeof(meta().cluster_key)))
    throw SystemError(errno, "making a random cluster key");
  for (const auto& shape : shapes) {
    const auto pin = pin_of(path_, shape.name);
    if (shape.by_loader && !is_pinned(path_, shape)) continue;
    if (::chmod(pin.c_str(), shape.for_group ? 0640 : 0600) != 0)
      throw SystemError(errno, "setting the mode of " + pin);
  }
  if (::chmod(path_.c_str(), 0750) != 0) throw SystemError(errno, "setting the mode of " + path_);
  store(meta().abi, std::uint32_t{XDP_LB_ABI});
}

namespace {

// 0: there is none.
std::uint32_t pinned_id(const std::string& pin) {
  const Fd map(::bpf_obj_get(pin.c_str()));
  if (!map && errno == ENOENT) return 0;
  if (!map) throw SystemError(errno, "opening " + pin);
  return info_of(map, pin).id;
}

}  // namespace

std::vector<std::uint32_t> pinned_ids(const std::string& pin_path) {
  std::vector<std::uint32_t> ids;
  for (const auto& shape : shapes)
    if (const auto id = pinned_id(pin_of(pin_path, shape.name)); id != 0) ids.push_back(id);
  return ids;
}

std::uint32_t pinned_arena_id(const std::string& pin_path) {
  return pinned_id(pin_of(pin_path, "lb_arena"));
}

}  // namespace xdplb
