// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/trace.h"

#include <linux/bpf.h>

#include <algorithm>
#include <cstring>

#include "plugin/error.h"
#include "plugin/privileges.h"

namespace xdplb {

namespace {

Place find_place(const TraceOptions& options) {
  const auto named = options.ifname ? std::vector{*options.ifname} : std::vector<std::string>{};
  auto all = places(named, options.pin_path);
  if (options.ifname) require_readable(all[0]);
  all = with_component(std::move(all));
  if (all.empty())
    throw NotLoaded("xdp-lb is not loaded on " + options.ifname.value_or("any interface"),
                    "'xdp-lb status' shows where it is");
  if (all.size() > 1) {
    std::string names;
    for (const auto& place : all) names += (names.empty() ? "" : ", ") + place.interface.name;
    throw Error("xdp-lb is loaded on " + names, "say with -i where the packet comes in");
  }
  if (!all[0].chain.ours()->running)
    throw NotLoaded("xdp-lb is in the chain on " + all[0].interface.name +
                        ", but linked to nothing: it gets no packet",
                    "unload it and load it again");
  return std::move(all[0]);
}

// The driver of a bond's port runs the program.
unsigned ingress_of(const Place& place) {
  if (place.interface.kind == "bond" && place.chain.mode == Mode::native)
    for (const auto& port : interfaces())
      if (port.master == place.interface.index && port.up) return port.index;
  return place.interface.index;
}

Notes notes_of(const Place& place, const std::string& tag) {
  Notes notes;
  const auto& ours = *place.chain.ours();
  std::string before;
  for (const auto& component : place.chain.components) {
    if (component.id == ours.id) break;
    before += (before.empty() ? "" : ", ") + component.name;
  }
  if (!before.empty())
    notes.push_back("packets pass " + before + " first, which a trace doesn't run");
  if (ours.tag != tag)
    notes.push_back("the program on " + place.interface.name +
                    " is another than the object's: it may do something else; load it again, or "
                    "give its object with -o");
  return notes;
}

Mac source_of(std::span<const std::uint8_t> frame) {
  Mac mac{};
  std::ranges::copy(frame.subspan(mac.size(), mac.size()), mac.begin());
  return mac;
}

// To find a second chance for what is this host's, the program asks for next hops; what stays has
// none.
void find_chance(Traced& traced, bool is_here) {
  if (traced.reason == LB_FROM_PEER) {
    traced.backend.reset();
    traced.next_hop.reset();
  }
  traced.second_chance =
      traced.service->second_chance && is_here && traced.backend && !traced.backend->local;
}

}  // namespace

bool Traced::is_lost() const { return verdict == XDP_DROP || verdict == XDP_ABORTED; }

std::string_view verdict_name(std::uint32_t verdict) {
  constexpr std::array names{"XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"};
  return verdict < names.size() ? names.at(verdict) : "unknown";
}

Tracer::Tracer(const TraceOptions& options) {
  const auto file = find_object(options.object);
  require_bpffs(options.pin_path);
  require_privileges();
  const PinLock lock(options.pin_path, Access::read);
  const Pins pins(options.pin_path, Access::read);
  place_ = find_place(options);
  ingress_ = ingress_of(place_);
  read_state(pins);
  replica_ = std::make_unique<Replica>(file, options.pin_path,
                                       static_cast<std::uint32_t>(pins.arena_size()), program());
  notes_ = notes_of(place_, replica_->tag());
}

void Tracer::read_state(const Pins& pins) {
  const State state(pins);
  services_ = state.services();
  members_ = state.members();
  peers_ = peers_of(pins);
}

std::optional<Backend> Tracer::backend(std::uint32_t handle) const {
  for (const auto& members : members_) {
    const auto found = std::ranges::find(members, handle, &Backend::handle);
    if (found != members.end()) return *found;
  }
  return std::nullopt;
}

// As the index has it: with the packet's port, or any; and one of each VIP gets fragments.
const Service* Tracer::service_of(const Dissected& flow) const {
  if (flow.is_flow == 0) return nullptr;
  const auto wanted = end_of(flow.key.dst, flow.key.ports >> 16);
  const auto protocol = static_cast<Protocol>(flow.key.proto);
  const Service* any = nullptr;
  for (const auto& service : services_) {
    if (service.id.vip != wanted.address || service.id.protocol != protocol) continue;
    if (flow.key.ports == 0 && service.fragments == Fragments::hash3) return &service;
    if (service.id.port == wanted.port) return &service;
    if (service.id.port == 0) any = &service;
  }
  return any;
}

std::optional<TracedSlot> Tracer::slot_of(const Service& service, const Dissected& flow) const {
  const auto& record = replica_->values<lb_service>("lb_services")[service.number];
  const auto table = record.table;
  if (table.line == 0) return std::nullopt;
  const auto slots = 1U << (table.k & 31);
  TracedSlot found{lb_hash_flow(record.key, &flow, table.source_prefix), 0, slots, {}};
  found.number = static_cast<std::uint32_t>(found.hash & (slots - 1));
  const auto words =
      replica_->values<std::uint32_t>("lb_arena").subspan(std::size_t{table.line} * (LB_LINE / 4));
  found.slot = std::bit_cast<lb_slot>(words[found.number]);
  found.phase_1 = phase_1_left(found.slot, words[slots + found.number], epoch_seconds());
  if (table.source_prefix != 0) {  // what is remembered goes by the flow all the same
    const auto bits = service.fragments == Fragments::hash3 ? all_bits(service.id) : 0;
    found.hash = (lb_hash_flow(record.key, &flow, bits) & ~std::uint64_t{slots - 1}) | found.number;
  }
  return found;
}

std::optional<Remembered> Tracer::remembered(const TracedSlot& slot) const {
  const auto sets = replica_->values<lb_exception_set>("lb_exceptions");
  for (const auto& entry : sets[slot.hash >> 32 & (sets.size() - 1)].entry)
    if (entry != 0 && static_cast<std::uint32_t>(entry) == static_cast<std::uint32_t>(slot.hash))
      return Remembered{lb_exception_handle(entry), lb_exception_age(entry, epoch_seconds()),
                        (entry & LB_EXCEPTION_CONFIRMED) != 0, true};
  return std::nullopt;
}

std::optional<lb_reason> Tracer::counted_reason() const {
  for (std::uint32_t family = 0; family < LB_FAMILIES; family++)
    for (const auto& cpu : per_cpu<lb_reason_counters>(replica_->map("lb_reason_cnt"), family))
      for (unsigned reason = 0; reason < LB_REASON_COUNT; reason++)
        if (cpu.reason[reason].packets != 0) return static_cast<lb_reason>(reason);
  return std::nullopt;
}

const Service* Tracer::counted_service(const Service* likely) const {
  const auto& map = replica_->map("lb_service_cnt");
  const auto take = [&](const Service& service) {
    const auto all = per_cpu<lb_reason_counters>(map, service.number);
    const bool counted = std::ranges::any_of(all, [](const auto& cpu) {
      return std::ranges::any_of(cpu.reason, [](const auto& one) { return one.packets != 0; });
    });
    if (counted) clear_per_cpu<lb_reason_counters>(map, service.number);
    return counted;
  };
  if (likely != nullptr && take(*likely)) return likely;
  const auto found = std::ranges::find_if(services_, take);
  return found == services_.end() ? nullptr : &*found;
}

// A next hop, if the program asked for it: all had been void.
std::optional<lb_next_hop> Tracer::asked_hop(const std::string& map, std::uint32_t key) {
  const auto hops = replica_->values<lb_arena_head>("lb_arena")[0].hops;
  const auto all = per_cpu<lb_next_hop>(replica_->map(map), key);
  const auto found = std::ranges::find_if(all, [&](const auto& next) {
    return next.hops == hops || (next.hops == 0 && next.reason == LB_FORWARDING_OFF);
  });
  if (found == all.end()) return std::nullopt;
  asked_.emplace_back(map, key);
  return *found;
}

// Mode fullnat may ask for two: the slot's, and that of the flow.
void Tracer::find_backend(const Service& service, Traced& traced) {
  for (const auto& member : members_.at(service.number)) {
    const auto next = asked_hop("lb_next_hops", member.handle);
    if (!next || (traced.backend && next->forwarded.packets == 0)) continue;
    traced.backend = member;
    traced.next_hop = next;
  }
}

// That of the packet, or of one in an outer header, which a peer has sent.
const Service* Tracer::forwarding_service(const Service* likely) {
  if (likely != nullptr) return likely;
  const auto found = std::ranges::find_if(services_, [&](const auto& service) {
    Traced traced;
    find_backend(service, traced);
    return traced.next_hop && traced.next_hop->forwarded.packets != 0;
  });
  return found == services_.end() ? nullptr : &*found;
}

bool Tracer::find_return_hop(Traced& traced) {
  bool found = false;
  for (std::uint32_t key = 0; key < LB_RETURN_HOPS; key++)
    if (const auto next = asked_hop("lb_return_hops", key)) {
      traced.next_hop = next;
      found = true;
    }
  return found;
}

void Tracer::find_way(const Service& service, const Peer& sender, Traced& traced) {
  traced.service = service;
  find_backend(service, traced);
  const bool returned = traced.reason != LB_FORWARDED && find_return_hop(traced);
  traced.from_peer = !returned && std::ranges::count(peers_, sender) != 0;
}

// By the table, or by what is remembered of the flow once the packet has passed.
bool Tracer::belongs_here(const Service& service, const TracedSlot& slot,
                          const std::optional<Remembered>& flow) const {
  const bool known = flow && flow->age <= service.epoch;
  const auto its = backend(known ? flow->backend : base_of(slot.slot, slot.phase_1 != 0));
  return its && its->local;
}

// What is redirected to a device with a program on egress carries an order for it.
void Tracer::pass_egress(Traced& traced) const {
  const bool answered = traced.reason == LB_REJECTED || traced.reason == LB_TOLD_TOO_BIG;
  const auto device = answered || !traced.next_hop ? ingress_ : traced.next_hop->hop.ifindex;
  if (traced.verdict != XDP_REDIRECT || program() != "xdp_lb" || !replica_->has_egress(device))
    return;
  auto ran = replica_->run_egress(traced.out, ingress_);
  traced.out = std::move(ran.frame);
  if (ran.verdict == XDP_PASS) return;
  traced.verdict = ran.verdict;
  traced.reason = LB_INTERNAL;
}

namespace {

// With what was remembered of the flow before the packet, or is since.
std::optional<TracedSlot> with_flow(std::optional<TracedSlot> slot,
                                    const std::optional<Remembered>& before,
                                    const std::optional<Remembered>& after) {
  if (!slot) return slot;
  slot->remembered = before ? before : after;
  if (slot->remembered) slot->remembered->before = before.has_value();
  return slot;
}

}  // namespace

Traced Tracer::trace(std::span<const std::uint8_t> frame) {
  Traced traced;
  Dissected packet{};
  Dissected flow{};
  const auto size = static_cast<std::uint32_t>(frame.size());
  lb_dissect(frame.data(), size, size, &packet, &flow);
  static_cast<Ends&>(traced) = ends_of(packet);
  const auto* likely = service_of(flow);
  auto slot = likely != nullptr ? slot_of(*likely, flow) : std::nullopt;
  const auto before = slot ? remembered(*slot) : std::nullopt;

  auto ran = replica_->run(frame, ingress_);
  traced.verdict = ran.verdict;
  traced.out = std::move(ran.frame);
  const auto reason = counted_reason();
  traced.reason = reason.value_or(LB_FORWARDED);
  const auto after = slot ? remembered(*slot) : std::nullopt;
  const auto* service = reason ? counted_service(likely) : forwarding_service(likely);
  if (service != nullptr) {
    const auto outer = end_of(packet.key.src, 0).address;
    find_way(*service, likely != nullptr ? Peer(source_of(frame)) : outer, traced);
    find_chance(traced, traced.from_peer || (slot && belongs_here(*service, *slot, after)));
  }
  if (service == likely) traced.slot = with_flow(slot, before, after);
  pass_egress(traced);
  for (const auto& [map, key] : asked_) clear_per_cpu<lb_next_hop>(replica_->map(map), key);
  asked_.clear();
  return traced;
}

}  // namespace xdplb
