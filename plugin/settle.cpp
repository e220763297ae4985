// SPDX-License-Identifier: GPL-2.0-only
// State::settle(): makes tables, index and records follow from what the records say.
#include <algorithm>
#include <array>
#include <cstring>
#include <ranges>

#include "plugin/error.h"
#include "plugin/members.h"
#include "plugin/state.h"

namespace xdplb {

namespace {

std::uint64_t index_bytes(const lb_index_ref& ref) {
  const std::uint64_t displacements = std::uint64_t{2} << ref.bucket_bits;
  return lines_of(displacements) * std::uint64_t{LB_LINE} +
         (std::uint64_t{sizeof(lb_index_entry)} << ref.entry_bits);
}

std::uint64_t table_bytes(const lb_table_ref& ref) { return std::uint64_t{LB_TABLE_BYTES(ref.k)}; }

// The handles that the members mean for the slots; seconds: empty without second_chance.
struct Wanted {
  std::vector<std::uint16_t> firsts, seconds;
};
Wanted wanted_slots(lb_service& service, const std::vector<Backend>& members) {
  const auto conf = load(service.conf);
  const auto k = load(service.table).k;
  const bool second = service.second_chance != 0;
  const auto slots = std::size_t{1} << k;
  Wanted wanted{std::vector<std::uint16_t>(slots), std::vector<std::uint16_t>(second ? slots : 0)};
  const auto spec = with_members(
      {service.table_seed, k, static_cast<Balance>(conf.balance), default_slack, second}, members,
      static_cast<LastResort>(service.last_resort));
  if (!spec) return wanted;
  const auto table = build_table(*spec);
  const auto handle_of = [&](std::uint16_t member) {
    return member == no_backend ? std::uint16_t{0}
                                : static_cast<std::uint16_t>(members[member].handle);
  };
  std::ranges::transform(table.first, wanted.firsts.begin(), handle_of);
  std::ranges::transform(table.second, wanted.seconds.begin(), handle_of);
  store(service.caps_bind, std::uint32_t{table.caps_binding});
  return wanted;
}

// Two a word.
void write_seconds(std::span<std::uint32_t> words, const std::vector<std::uint16_t>& seconds) {
  for (std::size_t i = 0; i < seconds.size() / 2; i++) {
    const std::uint32_t pair = seconds[2 * i] | std::uint32_t{seconds[2 * i + 1]} << 16;
    if (load(words[i]) != pair) store(words[i], pair);
  }
}

}  // namespace

std::vector<Extent> State::extents_in_use() const {
  std::vector<Extent> extents{{0, lines_of(sizeof(lb_arena_head))}};
  const auto index = load(pins_.arena().as<lb_arena_head>()[0].index);
  if (index.line != 0) extents.push_back({index.line, lines_of(index_bytes(index))});
  for (const auto& service : pins_.services()) {
    const auto table = load(service.table);
    if (table.line != 0) extents.push_back({table.line, lines_of(table_bytes(table))});
  }
  return extents;
}

std::uint32_t State::allocate(Finder find, std::uint64_t bytes, const std::string& subject) const {
  const auto line = find(extents_in_use(), lines_of(pins_.arena_size()), lines_of(bytes));
  if (!line)
    throw Error(subject + " needs " + std::to_string(bytes) + " bytes, and the arena of " +
                    std::to_string(pins_.arena_size()) + " bytes has no room for them",
                "unload and load again with a larger --arena");
  return *line;
}

// A full arena must be seen before anything is changed.
void State::require_room(const ServiceId& id, const std::vector<IndexKey>& keys,
                         std::uint64_t table_bytes) const {
  const std::uint64_t index = build_index(keys).bytes.size();
  const std::array tables{lines_of(table_bytes)};
  if (first_without_room(extents_in_use(), lines_of(pins_.arena_size()), tables, lines_of(index)))
    throw_no_room(id, table_bytes + 2 * index, pins_.arena_size());
}

// Those that there will be when the service is added or changed like this.
std::vector<IndexKey> State::with_service(const ServiceId& id,
                                          const ServiceOptions& options) const {
  auto keys = index_keys();
  auto key = std::ranges::find(keys, id, &IndexKey::id);
  if (key == keys.end()) key = keys.insert(key, {id, LB_SERVICES});  // no backends yet
  take_options(*key, options);
  if (options.forward == Forward::nat && key->replies.empty())
    for (const auto& backend : backends(key->service)) key->replies.push_back(backend.id);
  return keys;
}

std::vector<IndexKey> State::index_keys() const {
  std::vector<IndexKey> keys;
  std::vector<std::size_t> place(LB_SERVICES, LB_SERVICES);
  for (const auto& service : services()) {
    place[service.number] = keys.size();
    take_options(keys.emplace_back(IndexKey{service.id, service.number}), service);
  }
  const auto records = pins_.backends();
  for (std::uint32_t handle = 1; handle < records.size(); handle++) {
    const auto& record = records[handle];
    const auto conf = load(record.conf);
    if (!is_live(conf) || place[conf.service] == LB_SERVICES) continue;
    if (forward_of(record) == Forward::nat)
      keys[place[conf.service]].replies.push_back(id_of(record));
  }
  return keys;
}

// Is anything known by who sent it, or was?
bool State::has_replies() const {
  if ((load(pins_.arena().as<lb_arena_head>()[0].index).flags & LB_INDEX_HAS_NAT) != 0) return true;
  return std::ranges::any_of(pins_.backends(), [this](const auto& record) {
    return is_live(load(record.conf)) && forward_of(record) == Forward::nat;
  });
}

// The way packets go to it, as it was given for the backend or else for its service.
Forward State::forward_of(const lb_backend& record) const {
  if (record.own_forward != 0) return static_cast<Forward>(record.own_forward);
  return static_cast<Forward>(load(pins_.services()[load(record.conf).service].conf).forward);
}

// What packets know of backends is asked for anew.
void State::void_next_hops() const {
  auto& hops = pins_.arena().as<lb_arena_head>()[0].hops;
  const auto next = load(hops) + 1;
  store(hops, next == 0 ? 1U : next);
}

// What packets read of the members follows from what was given for them and for the service.
void State::settle_heads(const lb_service& service, const std::vector<Backend>& members) const {
  const auto conf = load(service.conf);
  for (const auto& member : members) {
    auto& record = pins_.backends()[member.handle];
    auto head = load(record.head);
    const auto forward = forward_of(record);
    const auto own_port = load(record.conf).wire_port;
    head.forward = static_cast<std::uint8_t>(forward);
    head.accepts = member.state == BackendState::up ? 1 : 0;
    head.keeps = member_keeps(service, member) ? 1 : 0;
    head.wire_port = forward == Forward::gue ? service.wire_gue_port
                     : own_port != 0         ? own_port
                                             : conf.wire_port;
    store(record.head, head);
  }
  void_next_hops();
}

void State::settle_table(lb_service& service, const std::vector<Backend>& members) {
  settle_heads(service, members);
  auto conf = load(service.conf);
  auto ref = load(service.table);
  if (ref.line == 0) {
    ref.line = allocate(find_for_table, table_bytes(ref), "service " + id_of(service).to_string());
    std::ranges::fill(slots_at(ref), lb_slot{});
  }
  const auto wanted = wanted_slots(service, members);
  write_seconds(seconds_at(ref), wanted.seconds);
  settle_slots(service, ref, members, wanted.firsts);
  ref.source_prefix = service.source_prefix;
  if (service.source_prefix == 0 && service.fragments == LB_FRAGMENTS_HASH3)
    ref.source_prefix = conf.family == LB_IPV4 ? 32 : 128;  // fragments have no ports
  const std::uint8_t remembers = service.remember == LB_REMEMBER_ALWAYS ? 1 : 0;
  if (ref.remembers > remembers) service.epoch_open = 1;  // its flows are to be forgotten
  ref.remembers = remembers;
  ref.second = service.second_chance;
  store(service.table, ref);
  std::vector<bool> forgotten(LB_BACKENDS);
  bool any_forgotten = false;
  for (const auto& member : members) {
    const bool forget = service.remember == LB_REMEMBER_NONE || !member_keeps(service, member);
    forgotten[member.handle] = forget;
    any_forgotten |= forget;
  }
  if (any_forgotten) forget_flows(forgotten);
  conf.table_stale = 0;
  store(service.conf, conf);
}

void State::settle_index() {
  auto index = build_index(index_keys());
  if (!index.bytes.empty()) {
    index.ref.line = allocate(find_for_index, index.bytes.size(), "the index of services");
    std::memcpy(pins_.arena().data() + std::size_t{index.ref.line} * LB_LINE, index.bytes.data(),
                index.bytes.size());
  }
  store(pins_.arena().as<lb_arena_head>()[0].index, index.ref);
}

bool State::has_removed_backends() const {
  return std::ranges::any_of(pins_.backends(), [](const auto& record) {
    const auto state = load(record.conf).state;
    return state == LB_BACKEND_REMOVED || state == LB_BACKEND_COUNTED;
  });
}

std::vector<std::uint32_t> State::stale_services() const {
  std::vector<std::uint32_t> stale;
  const auto records = pins_.services();
  for (std::uint32_t number = 0; number < records.size(); number++) {
    const auto conf = load(records[number].conf);
    if (conf.state == LB_SERVICE_LIVE && conf.table_stale != 0) stale.push_back(number);
  }
  return stale;
}

bool State::has_removed_services() const {
  return std::ranges::any_of(pins_.services(), [](const auto& record) {
    const auto state = load(record.conf).state;
    return state == LB_SERVICE_REMOVED || state == LB_SERVICE_COUNTED;
  });
}

void State::settle_tables(std::vector<std::uint32_t> stale) {
  for (; !stale.empty(); stale = stale_services()) {
    const auto all = members();
    for (const auto number : stale) settle_table(pins_.services()[number], all[number]);
    if (!has_epochs()) return;
    wait();          // that may remember a flow yet
    close_epochs();  // a backend may have had none: then it is no second choice either
  }
}

bool State::is_settled() const {
  return stale_services().empty() && load(pins_.meta().index_stale) == 0 &&
         !has_removed_services() && !has_removed_backends();
}

void State::settle() {
  close_epochs();
  const auto stale = stale_services();
  const bool services_go = has_removed_services();
  bool index = services_go || load(pins_.meta().index_stale) != 0;
  if (!stale.empty() && !index && has_replies()) {
    settle_index();  // whose replies they are is known before a backend gets packets
    index = true;
  }
  settle_tables(stale);
  if (services_go || load(pins_.meta().index_stale) != 0) settle_index();
  const bool removals = services_go || has_removed_backends();
  if (stale.empty() && !index && !removals) return;
  // What the old index and slots named may be reused once no packet can hold it.
  if (index || removals) wait();
  store(pins_.meta().index_stale, 0U);
  if (removals) {
    free_backends();
    free_services();
  }
  store(pins_.meta().generation, load(pins_.meta().generation) + 1);
}

}  // namespace xdplb
