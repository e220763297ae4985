// SPDX-License-Identifier: GPL-2.0-only
// What changes would do to the flows of a configuration on several nodes, by arithmetic alone: no
// kernel and no privileges.
//
// Tables are those that nodes would have (plugin/table.h). All events lie within one epoch, in
// which a slot may have flows of each backend that has had it; how many of whose isn't known. ECMP
// sends a flow to one of the nodes by a hash that has nothing to do with theirs; nodes have equal
// parts of its range, in their order (RFC 2992, hash-threshold, as routers and Linux have it).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/config.h"

namespace xdplb {

inline constexpr unsigned max_nodes = 64;

enum class Happening : std::uint8_t { add, remove, drain, down, up, weight, node_down, node_up };

// add=BACKEND[,WEIGHT], weight=BACKENDS,WEIGHT, remove=, drain=, down= and up=BACKENDS,
// node-down=NUMBER, node-up. BACKENDS are one backend, or all in ADDRESS/PREFIX: a failure domain.
// down= is also of those that were removed: these are gone then, whatever on_down says.
struct Event {
  std::string text;
  Happening what = Happening::add;
  BackendId backend{};
  std::optional<unsigned> prefix{};  // bits of the address
  unsigned weight = 1;
  unsigned node = 0;  // from 1

  static Event parse(std::string_view text);  // throws Error
};

// What a service is after an event. Slots stand for the flows in them.
struct ServiceOutcome {
  ServiceId id;
  unsigned slots = 0;
  unsigned moved = 0;     // whose new flows go to another backend than before the event
  unsigned needless = 0;  // of these, between two backends that the event isn't about
  unsigned broken = 0;    // at most so many lose flows, of a backend that doesn't serve them now
  unsigned changed = 0;   // in which flows of other backends than its own are remembered
  double unseen = 0;  // at most so many of the flows are at a node that doesn't know of them: they
                      // began at another, since their slot changed
  double overload = 0;  // of the busiest backend: its share by that of its weight, less 1
  double growth = 0;    // the largest of a backend's slots after by before, less 1
  bool served = true;   // by any backend
};

struct Outcome {
  Event event;
  unsigned nodes = 1;
  double rerouted = 0;     // of all flows, those that come to another node than before the event
  double node_growth = 0;  // of the largest part of a node, less 1
  std::vector<ServiceOutcome> services{};
};

// Throws Error for an event that is about nothing there is, or about what there is already.
std::vector<Outcome> simulate(const Config& config, unsigned nodes,
                              const std::vector<Event>& events);

}  // namespace xdplb
