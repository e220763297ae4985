// SPDX-License-Identifier: GPL-2.0-only
// What can be set of a service, and what it can't be set to.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "plugin/address.h"
#include "plugin/mode.h"
#include "plugin/pool.h"

namespace xdplb {

inline constexpr unsigned default_slots = 16384;
inline constexpr unsigned min_slots = 1U << min_table_bits;
inline constexpr unsigned max_slots = 1U << max_table_bits;
inline constexpr std::uint16_t default_gue_port = 6080;  // IANA's, as Linux has it
inline constexpr unsigned max_epoch = LB_EPOCH_MAX;      // seconds
unsigned default_epoch(Protocol protocol);

struct ServiceOptions {
  Forward forward = Forward::l2;
  Balance balance = Balance::slack;
  std::uint16_t gue_port = default_gue_port;
  Fragments fragments = Fragments::drop;
  unsigned source_prefix = 0;  // bits of the source that are hashed; 0: all of the flow is
  bool ping = false;           // echo requests to the VIP are answered
  Pool pool{};                 // source addresses of mode fullnat
  Remember remember = Remember::changed;
  unsigned epoch = LB_EPOCH_TCP;  // seconds
  OnDown on_down = OnDown::rehash;
  LastResort last_resort = LastResort::drop;
  bool second_chance = false;  // what has no socket here goes to the slot's other backend

  bool operator==(const ServiceOptions&) const = default;
};

struct ServiceChange {
  std::optional<Forward> forward{};
  std::optional<Balance> balance{};
  std::optional<unsigned> slots{};  // only when the service is made
  std::optional<std::uint16_t> gue_port{};
  std::optional<Fragments> fragments{};
  std::optional<unsigned> source_prefix{};
  std::optional<bool> ping{};
  std::optional<Pool> pool{};
  std::optional<Remember> remember{};
  std::optional<unsigned> epoch{};  // seconds: max_epoch at the most
  std::optional<OnDown> on_down{};
  std::optional<LastResort> last_resort{};
  std::optional<bool> second_chance{};
};

// By default, and where only these are changed.
ServiceOptions default_options(const ServiceId& id);
ServiceOptions changed(ServiceOptions options, const ServiceChange& change);

// The length of the service's addresses, in bits.
unsigned all_bits(const ServiceId& id);

// The backend as the service has it: its port is 0 where it is the service's own. Throws Error for
// the VIP itself.
BackendId member_id(const ServiceId& service, BackendId backend);

// What a reply of a backend of mode nat is known by.
struct Reply {
  Address from;
  std::uint16_t port;
  Protocol protocol;
  bool fragment;  // one without a port
  auto operator<=>(const Reply&) const = default;
};
std::vector<Reply> replies_of(const ServiceId& service, Fragments fragments,
                              const BackendId& backend);

// These throw Error: where the service alone can't have the options, and where no packet of it
// could reach the backend in this mode.
void require_slots(unsigned slots);
void require_service(const ServiceId& id, const ServiceOptions& options);
void require_backend(const ServiceId& id, const ServiceOptions& options, const BackendId& backend,
                     Forward forward);
// Each of them looks for all of these; about: keys of xdp-lb.toml(5) that it depends on.
using About = std::array<std::string_view, 2>;
struct ServiceRule {
  About about;
  void (*require)(const ServiceId& id, const ServiceOptions& options);
};
struct BackendRule {
  About about;
  void (*require)(const ServiceId& id, const ServiceOptions& options, const BackendId& backend,
                  Forward forward);
};
std::span<const ServiceRule> service_rules();
std::span<const BackendRule> backend_rules();
// Where two services can't be beside each other.
void require_apart(const ServiceId& id, const ServiceOptions& options, const ServiceId& other,
                   const ServiceOptions& its);
// Where the arena has no room for a service's table and the indexes.
[[noreturn]] void throw_no_room(const ServiceId& id, std::uint64_t needed, std::uint64_t arena);
[[noreturn]] void throw_shared_nat(const BackendId& backend, const Reply& reply,
                                   const ServiceId& other);

}  // namespace xdplb
