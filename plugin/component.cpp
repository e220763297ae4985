// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/component.h"

#include <algorithm>
#include <set>

#include "plugin/error.h"
#include "plugin/privileges.h"
#include "plugin/programs.h"
#include "plugin/rest.h"
#include "plugin/upgrade.h"

namespace xdplb {

namespace {

std::vector<Interface> find_interfaces(const std::vector<std::string>& ifnames) {
  std::vector<Interface> found;
  std::set<std::string> seen;
  for (const auto& name : ifnames) {
    if (!seen.insert(name).second) throw Error("interface " + name + " is given twice");
    found.push_back(find_interface(name));
  }
  return found;
}

std::uint32_t choose_arena(const LoadOptions& options) {
  const auto pinned = pinned_arena_size(options.pin_path);
  if (pinned && options.arena_size && *pinned != *options.arena_size)
    throw Error("the arena in " + options.pin_path + " has " + std::to_string(*pinned) + " bytes",
                "leave --arena out, or unload from all interfaces first");
  return pinned.value_or(options.arena_size.value_or(LB_ARENA_SIZE));
}

// Keys, of which each flow has two.
std::uint32_t choose_flow_keys(const LoadOptions& options) {
  const auto pinned = pinned_entries(options.pin_path, "lb_flows");
  if (pinned && options.flows && *pinned / 2 != *options.flows)
    throw Error("the maps in " + options.pin_path + " have room for " +
                    std::to_string(*pinned / 2) + " flows of mode fullnat",
                "leave --flows out, or unload from all interfaces first");
  return pinned.value_or(options.flows ? 2 * *options.flows : LB_FLOWS);
}

std::uint32_t choose_exception_sets(const LoadOptions& options) {
  const auto pinned = pinned_entries(options.pin_path, "lb_exceptions");
  if (pinned && options.exceptions && *pinned * LB_EXCEPTION_WAYS != *options.exceptions)
    throw Error("the maps in " + options.pin_path + " have room for " +
                    std::to_string(*pinned * LB_EXCEPTION_WAYS) + " flows of changed slots",
                "leave --exceptions out, or unload from all interfaces first");
  return pinned.value_or(options.exceptions ? *options.exceptions / LB_EXCEPTION_WAYS
                                            : LB_EXCEPTION_SETS);
}

void require_absent(const std::vector<Interface>& interfaces, std::uint32_t arena_id) {
  for (const auto& interface : interfaces)
    if (read_chain(interface, arena_id).ours() != nullptr)
      throw Error("xdp-lb is loaded on " + interface.name + " already",
                  "'xdp-lb status " + interface.name + "' shows it");
}

void drop_partial_maps(const std::string& pin_path) {
  if (has_maps(pin_path) && !has_whole_maps(pin_path)) unpin_maps(pin_path);
}

// Takes back what a failed load has done so far.
class Rollback {
 public:
  Rollback(std::string pin_path, bool fresh) : pin_path_(std::move(pin_path)), fresh_(fresh) {}
  ~Rollback() {
    if (done_) return;
    Rest rest;  // the first failure is the one to be told
    std::uint32_t arena_id = 0;
    rest.attempt([&] { arena_id = pinned_arena_id(pin_path_); });
    for (const auto& interface : attached_)
      rest.attempt([&] {
        const auto chain = read_chain(interface, arena_id);
        if (const auto* ours = chain.ours()) detach(interface, *ours);
      });
    if (fresh_) rest.attempt([&] { remove_pins(pin_path_); });
  }
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;

  void attaching(const Interface& interface) { attached_.push_back(interface); }
  void done() { done_ = true; }

 private:
  std::string pin_path_;
  bool fresh_;
  bool done_ = false;
  std::vector<Interface> attached_;
};

// One sysctl for both families; a dot in an interface's name is a slash there.
Notes forwarding_notes(const std::vector<Interface>& interfaces) {
  Notes notes;
  for (const auto& interface : interfaces) {
    const bool v4 = forwards(interface, true);
    const bool v6 = forwards(interface, false);
    if (v4 && v6) continue;
    notes.push_back("forwarding is off on " + interface.name + " for " +
                    (v4   ? "IPv6"
                     : v6 ? "IPv4"
                          : "IPv4 and IPv6") +
                    ": such backends get nothing (forwarding-off) without a static next hop; "
                    "'xdp-lb check " +
                    interface.name + "' has the remedy");
  }
  return notes;
}

}  // namespace

void take_cluster_key(const Pins& pins, const ClusterKey& key) {
  if (std::ranges::equal(pins.meta().cluster_key, key)) return;
  if (!State(pins).services().empty())
    throw Error("the maps in " + pins.path() + " have services under another cluster key",
                "unload from all interfaces first: a new key moves every flow");
  std::ranges::copy(key, pins.meta().cluster_key);
}

bool has_whole_maps(const std::string& pin_path) {
  if (has_all_maps(pin_path)) return true;
  pinned_arena_size(pin_path);  // throws where one of them isn't ours
  const auto ids = pinned_ids(pin_path);
  if (std::ranges::any_of(ids, [](auto id) { return runs_anywhere(id, {}); }))
    throw Error("some of the component's maps in " + pin_path + " are gone while it runs",
                "'xdp-lb unload --all' ends it; then load again");
  return false;
}

namespace {

void require_chain(const ChainOptions& options) {
  if (const auto missing = options.single_ok ? std::nullopt : why_no_chain())
    throw Unsupported("a chain can't be made here: " + *missing,
                      "--single-ok attaches the component alone, with no other XDP program beside "
                      "it");
}

}  // namespace

Notes load_component(const std::vector<std::string>& ifnames, const LoadOptions& options) {
  const auto interfaces = find_interfaces(ifnames);
  for (const auto& interface : interfaces) require_attachable(interface);
  const auto file = find_object(options.object);
  require_bpffs(options.pin_path);
  require_privileges();
  require_chain(options.chain);

  const ChangeLock lock(options.pin_path, PinLock::Missing::make);
  drop_partial_maps(options.pin_path);
  Rollback rollback(options.pin_path, !has_maps(options.pin_path));
  const auto arena_size = choose_arena(options);
  require_absent(interfaces, pinned_arena_id(options.pin_path));
  make_maps(file, options.pin_path, arena_size, choose_flow_keys(options),
            choose_exception_sets(options));
  const Pins pins(options.pin_path, Access::change);
  State state(pins);
  const auto key = std::to_array(pins.meta().cluster_key);
  // Before the component runs: a load that is killed then has the key, and the ways to backends
  // that kept maps know, or isn't done.
  if (options.cluster_key) take_cluster_key(pins, *options.cluster_key);
  state.settle();
  open_ways(pins, state);

  Programs programs(file, pins);
  try {
    for (const auto& interface : interfaces) {
      rollback.attaching(interface);
      programs.attach(interface, options.chain);
    }
  } catch (...) {
    std::ranges::copy(key, pins.meta().cluster_key);
    throw;
  }
  rollback.done();

  auto notes = forwarding_notes(interfaces);
  append(notes, attend_backends(pins, state, {}, {}));
  return notes;
}

std::vector<Place> places(const std::vector<std::string>& ifnames, const std::string& pin_path) {
  const auto arena_id = pinned_arena_id(pin_path);
  std::vector<Place> found;
  for (auto& interface : ifnames.empty() ? interfaces() : find_interfaces(ifnames)) {
    // Of a thousand few have any: libxdp asks for all of them to look at one.
    if (ifnames.empty() && !interface.xdp) continue;
    Place place{.interface = interface};
    try {
      place.chain = read_chain(interface, arena_id);
    } catch (const Failure& failure) {
      place.problem = failure.what();
      place.failure = std::current_exception();
    }
    if (!ifnames.empty() || !place.problem.empty() || place.chain.kind != Chain::Kind::empty)
      found.push_back(std::move(place));
  }
  return found;
}

void require_readable(const Place& place) {
  if (place.failure) std::rethrow_exception(place.failure);
}

std::vector<Place> with_component(std::vector<Place> from) {
  std::erase_if(from, [](const auto& place) { return place.chain.ours() == nullptr; });
  return from;
}

void require_present(const std::vector<Place>& named, const std::string& hint) {
  for (const auto& place : named) {
    require_readable(place);
    if (place.chain.ours() == nullptr)
      throw NotLoaded("xdp-lb is not loaded on " + place.interface.name, hint);
  }
}

namespace {

bool loaded_here(const std::string& pin_path) {
  return !with_component(places({}, pin_path)).empty();
}

// Of components that aren't on an interface of this network namespace.
constexpr auto elsewhere =
    "in another network namespace, or left by an interface that is gone or a command that was "
    "killed ('xdp-loader clean' takes such away)";

// A load that was killed may have left two of ours.
void detach_ours(const Place& place, std::uint32_t arena_id, std::set<std::uint32_t>& detached) {
  try {
    for (auto chain = place.chain; const auto* ours = chain.ours();
         chain = read_chain(place.interface, arena_id)) {
      detach(place.interface, *ours);
      detached.insert(ours->id);
    }
  } catch (const Failure&) {  // an interface that vanished took it along
    if (is_there(place.interface.index)) throw;
  }
}

// From all, whatever fails. Returns the ids of what it detached.
std::set<std::uint32_t> detach_ours(const std::vector<Place>& from, std::uint32_t arena_id) {
  std::set<std::uint32_t> detached;
  Rest rest;
  for (const auto& place : from) rest.attempt([&] { detach_ours(place, arena_id, detached); });
  rest.require();
  return detached;
}

void remove_maps(const std::string& pin_path) {
  try {
    const Pins pins(pin_path, Access::read);
    release_backends({}, backends_of(State(pins), {}));
  } catch (const Failure&) {  // maps of another ABI are removed all the same
  }
  remove_pins(pin_path);
}

}  // namespace

Notes unload_component(const std::vector<std::string>& ifnames, const UnloadOptions& options) {
  require_bpffs(options.pin_path);
  require_privileges();
  const auto require_maps = [&] {
    if (!has_maps(options.pin_path))
      throw NotLoaded("no maps of xdp-lb are pinned in " + options.pin_path,
                      "give the --pin-path that it was loaded with");
  };
  require_maps();
  const PinLock lock(options.pin_path, Access::change);
  require_maps();  // whoever had the lock may have unloaded it
  require_own_maps(options.pin_path);
  const auto arena_id = pinned_arena_id(options.pin_path);
  const auto from = places(options.all ? std::vector<std::string>{} : ifnames, options.pin_path);
  // Maps that nothing uses are what an unload that was killed left: this one completes it.
  const bool here = loaded_here(options.pin_path);
  const bool in_use = here || runs_anywhere(arena_id, {});
  if (!options.all && (in_use || options.keep_maps))
    require_present(from, here || !in_use ? "'xdp-lb status' shows where it is"
                                          : std::string("a component still runs ") + elsewhere);
  const auto detached = detach_ours(from, arena_id);

  const bool runs = runs_anywhere(arena_id, detached);
  if (runs) std::ranges::for_each(from, require_readable);  // it may be there
  if (options.keep_maps || loaded_here(options.pin_path)) return {};
  if (runs)
    return {"the maps in " + options.pin_path + " are kept: a component still uses them, " +
            elsewhere};
  remove_maps(options.pin_path);
  if (in_use) return {};
  return {"the component was loaded nowhere; its maps in " + options.pin_path + " are removed"};
}

}  // namespace xdplb
