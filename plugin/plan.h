// SPDX-License-Identifier: GPL-2.0-only
// What a configuration file changes, found by doing it to an image of the maps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugin/chain.h"
#include "plugin/config.h"
#include "plugin/reach.h"
#include "plugin/state.h"

namespace xdplb {

enum class Planned : std::uint8_t { same, added, changed, removed };

struct BackendPlan {
  BackendId id;
  Planned what = Planned::same;
  std::vector<std::string> changes{};  // "weight 1 -> 3"
  unsigned before = 0;                 // slots
  unsigned after = 0;
};

// Slots, and flows that are remembered, which go from one backend to another; nothing: to or from
// none.
struct Move {
  std::optional<BackendId> from, to;
  unsigned slots = 0;
  std::uint64_t flows = 0;
};

struct ServicePlan {
  ServiceId id;
  Planned what = Planned::same;
  std::vector<std::string> changes{};
  unsigned slots = 0;
  std::vector<BackendPlan> backends{};
  // Any flow may move, at once: no slot has the flows that it had. As many move as dealing them
  // anew moves on average, and moves are none.
  bool new_hash = false;
  std::uint64_t dealt_flows = 0;  // of remembered ones
  std::vector<Move> moves{};

  [[nodiscard]] unsigned moved_slots() const;  // from a backend that there was
  [[nodiscard]] std::uint64_t moved_flows() const;
};

struct Plan {
  std::vector<ServicePlan> services{};  // those that change
  std::vector<std::string> load{};      // interfaces
  std::vector<Peer> new_peers{};
  std::vector<Peer> old_peers{};  // that go
  std::vector<std::string> unload{};
  bool new_key = false;     // of the cluster
  bool unfinished = false;  // a change that was killed is completed
  Notes notes{};

  [[nodiscard]] bool is_empty() const {
    return services.empty() && load.empty() && unload.empty() && new_peers.empty() &&
           old_peers.empty() && !new_key && !unfinished;
  }
  void take_maps(Plan other);  // all but interfaces and notes
};

// From one state of the same maps to another.
std::vector<ServicePlan> compare(const Pins& before, const Pins& after);

// The services of a file. Throws ConfigError where interfaces of next hops aren't there; without
// resolve their names aren't looked for.
std::vector<WantedService> wanted_services(const Config& config, bool resolve);

// What runs, as a file would say it. In full: with the cluster key, which is a secret, the states
// of backends that are up, and peers where there are none. Without next hops whose interface is
// gone, which lost_next_hops() tells.
enum class Detail : bool { usual, full };
Config running_config(const Pins& pins, Detail detail);
Notes lost_next_hops(const Pins& pins);

// What applying the configuration changes. Throws ConfigError, for all reasons at once, where it
// can't be applied. Callers hold PinLock where there are maps.
Plan plan_config(const Config& config, const std::string& pin_path);
// Likewise, but for interfaces: of maps, or of an image of them.
void plan_maps(const Config& config, const Pins& before, Plan& plan);

// Has tables made by the configuration's cluster key, if it is another one: services that are not
// wanted go first where none is. Throws Error where there are others.
void take_key(const Config& config, const Pins& pins, State& state,
              const std::vector<WantedService>& wanted);

Mode mode_of(const InterfaceConfig& interface);

// What an interface that has the component has otherwise than the file, which counts when it is
// loaded there; nothing: it is as the file says.
std::optional<std::string> settings_note(const InterfaceConfig& wanted, const Chain& there);

// Throws Error where a service's change moves more than that share of its slots.
void require_moves(const Plan& plan, double most);  // percent

// Makes what runs what the file says. Takes PinLock. Notes are of backends.
struct ApplyOptions {
  std::string pin_path{default_pin_path};
  std::optional<std::string> object{};
  std::optional<double> max_move{};  // percent of a service's slots
  bool single_ok = false;
};
struct Applied {
  Plan plan;
  Notes notes;
};

// Throws Halfway; what plan_config() throws, and what the system refuses, where nothing was
// changed.
Applied apply_config(const Config& config, const ApplyOptions& options);

}  // namespace xdplb
