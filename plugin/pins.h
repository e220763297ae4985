// SPDX-License-Identifier: GPL-2.0-only
// The folder of bpffs with the component's maps: the only state there is.
//
// Opening checks that the folder is on bpffs, that each map is there with the shape that bpf/abi.h
// gives it, and that the map ABI is ours; maps that a plain xdp-loader has just made, all zero,
// are adopted: given an ABI number and a cluster key.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/abi.h"
#include "plugin/fd.h"
#include "plugin/map.h"

namespace xdplb {

inline constexpr std::string_view default_pin_path = "/sys/fs/bpf/xdp-lb";

// What to do where maps have another ABI: nothing converts them, and without the cluster key that
// --full saves every flow would move.
inline constexpr auto other_abi_hint =
    "with the release that made them say '(umask 077; xdp-lb save --full >FILE) && xdp-lb unload "
    "--all', then with this one 'xdp-lb apply FILE'";

enum class Access { read, change };

// Held while something is read or changed: flock(2) on the pin folder, as libxdp locks its own.
// Waits for others that change something. Where there is no folder there is nothing to read, and to
// change something throws NotLoaded.
class PinLock {
 public:
  enum class Missing : bool { leave, make };  // what to do of a folder that isn't there

  PinLock(const std::string& pin_path, Access access, Missing missing = Missing::leave);

 private:
  Fd folder_;
};

// Throws where path can't be a pin folder: not on bpffs (with the command that mounts one), or the
// whole of it.
void require_bpffs(const std::string& pin_path);

// The shape of a map as bpf/abi.h has it.
struct MapShape {
  std::string_view name;
  std::uint32_t type;
  std::uint32_t value_size;   // 0: as the arena's size has it (lb_arena), max_entries too
  std::uint32_t max_entries;  // 0: any number (lb_flows, lb_exceptions)
  bool for_group;             // counters, which a group may read
  bool by_loader = false;     // plain xdp-loader doesn't pin it
  std::uint32_t key_size = 4;
};
std::span<const MapShape> map_shapes();

bool has_maps(const std::string& pin_path);  // any of them
bool has_all_maps(const std::string& pin_path);

// The arena's size where maps are pinned. Throws Error where one of them is not as it should be.
std::optional<std::uint32_t> pinned_arena_size(const std::string& pin_path);

// The number of entries of lb_flows or lb_exceptions, likewise.
std::optional<std::uint32_t> pinned_entries(const std::string& pin_path, std::string_view map);

class Pins {
 public:
  // Throws NotLoaded where there are no maps, Error where they are not ours.
  Pins(const std::string& pin_path, Access access);

  // The same in this process's memory: what is changed there reaches no packet. Counters are those
  // of the pinned maps.
  [[nodiscard]] Pins image() const;
  // Likewise, of maps just made.
  static Pins empty(std::size_t arena_size, std::size_t exception_sets);
  [[nodiscard]] bool is_image() const { return image_; }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] lb_meta& meta() const { return meta_.as<lb_meta>()[0]; }
  [[nodiscard]] std::span<lb_service> services() const { return services_.as<lb_service>(); }
  [[nodiscard]] std::span<lb_backend> backends() const { return backends_.as<lb_backend>(); }
  [[nodiscard]] const Mapping& arena() const { return arena_; }
  [[nodiscard]] std::size_t arena_size() const { return arena_.size(); }

  [[nodiscard]] const Fd& vlans() const { return vlans_; }
  // None after plain xdp-loader has loaded the component.
  [[nodiscard]] const Fd& egress() const { return egress_; }
  [[nodiscard]] const Fd& reason_counters() const { return reason_cnt_; }
  [[nodiscard]] const Fd& service_counters() const { return service_cnt_; }
  [[nodiscard]] const Fd& next_hops() const { return next_hops_; }  // with backends' counters
  // Those of all sets, one after the other.
  [[nodiscard]] std::span<std::uint64_t> exceptions() const {
    return exceptions_.as<std::uint64_t>();
  }
  [[nodiscard]] const Fd& exception_counters() const { return exception_cnt_; }
  // Identifies the set of maps: a program that uses the map with this id is ours.
  [[nodiscard]] std::uint32_t arena_id() const { return arena_id_; }

 private:
  Pins() : image_(true) {}
  void open(const MapShape& shape, Access access);
  void adopt();

  std::string path_;
  Mapping meta_, services_, backends_, arena_, exceptions_;
  Fd vlans_, egress_, reason_cnt_, service_cnt_, next_hops_, exception_cnt_;
  std::uint32_t arena_id_ = 0;
  bool image_ = false;
};

// The id of the pinned lb_arena; 0 where there is none.
std::uint32_t pinned_arena_id(const std::string& pin_path);

// The ids of those of our maps that are pinned.
std::vector<std::uint32_t> pinned_ids(const std::string& pin_path);

std::string pin_of(const std::string& pin_path, std::string_view map);

// Throws Error where something else is pinned by the name of one of our maps.
void require_own_maps(const std::string& pin_path);

// Removes the maps' pins, and nothing else. Throws as that does, and then removes none.
void unpin_maps(const std::string& pin_path);

// And the folder, if nothing else is in it.
void remove_pins(const std::string& pin_path);

}  // namespace xdplb
