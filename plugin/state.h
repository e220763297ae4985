// SPDX-License-Identifier: GPL-2.0-only
// The services and backends in the maps, and every change of them.
//
// A change is one word that says what shall be (two where a backend gets both a weight and a next
// hop, more where a service gets other options), and then settle(), which makes tables, index and
// records follow from what the records say. A process that dies in between leaves an unsettled
// change; the next command finds it and finishes it first. At each moment a packet finds each slot
// with its old backend or its new one, and a whole index, the old or the new.
//
// Callers hold PinLock with Access::change. Errors of the administrator throw Error before
// anything is changed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plugin/address.h"
#include "plugin/arena.h"
#include "plugin/counters.h"
#include "plugin/epoch.h"
#include "plugin/exceptions.h"
#include "plugin/index.h"
#include "plugin/mistake.h"
#include "plugin/mode.h"
#include "plugin/options.h"
#include "plugin/pins.h"
#include "plugin/pool.h"
#include "plugin/table.h"

namespace xdplb {

struct Service : ServiceOptions {
  std::uint32_t number = LB_SERVICES;
  ServiceId id{};
  unsigned slots = 0;
  bool settled = false;    // its table is what its backends mean
  bool caps_bind = false;  // a cap keeps some slot from the backend that it prefers
};

struct Backend {
  std::uint32_t handle;
  std::uint32_t service;
  BackendId id;
  unsigned weight;  // 1 to 65535, kept while draining
  BackendState state;
  Forward forward;
  bool own_forward;               // given for the backend, not the service's
  std::optional<Address> source;  // of outer headers
  bool local;                     // an address of this host, whose stack gets its packets
  std::optional<lb_hop> hop;      // static
};

// What a backend's record says.
bool is_live(const lb_backend_conf& conf);
Backend to_backend(const lb_backend& record, std::uint32_t handle);
// Do the flows of one of its backends stay?
bool member_keeps(const lb_service& service, const Backend& member);
BackendId id_of(const lb_backend& record);
ServiceId id_of(const lb_service& record);

struct BackendChange {
  std::optional<unsigned> weight{};  // 0: drain, and keep the weight
  std::optional<lb_hop> hop{};       // ifindex 0: ask the kernel
  // Nothing in it: the service's.
  std::optional<std::optional<Forward>> forward{};
  std::optional<Address> source{};
  bool local = false;                   // only when the backend is added
  std::optional<BackendState> state{};  // not leaving

  // For a backend that is added.
  [[nodiscard]] Forward mode(Forward of_service) const {
    return forward.value_or(std::nullopt).value_or(of_service);
  }
  [[nodiscard]] std::optional<lb_hop> static_hop() const {
    return hop && hop->ifindex != 0 ? hop : std::nullopt;
  }
};

[[noreturn]] void throw_no_service(const ServiceId& id);  // Error

// A backend that is deleted: when none of its flows is left, or at once.
enum class Removal : bool { drained, now };

// A service as it shall be.
struct WantedBackend {
  BackendId id;          // as member_id() has it
  BackendChange change;  // all but source, local and state is given
  Position at{};         // in the file that says so
};
struct WantedService {
  ServiceId id;
  ServiceOptions options;
  std::optional<unsigned> slots;  // as it is, or the default
  std::vector<WantedBackend> backends;
  Position at{};
};

// What is remembered of a service's flows.
struct ServiceEpoch {
  unsigned changed = 0;  // slots that are not clean
  unsigned phase_1 = 0;  // of these, those where flows have yet to be seen
  unsigned seconds = 0;  // until that is over
};
struct BackendFlows {
  std::uint64_t flows = 0;   // that are remembered
  bool phase_1 = false;      // there may be more, that have yet to be seen
  bool last_resort = false;  // it gets new ones, though it shouldn't: no other does
  [[nodiscard]] bool none() const { return *this == BackendFlows{}; }
  bool operator==(const BackendFlows&) const = default;
};
struct Epochs {
  std::vector<ServiceEpoch> services;  // by number
  std::vector<BackendFlows> backends;  // by handle
  std::uint64_t capacity = 0;
  std::uint64_t used = 0;
  lb_exception_counters counters{};
};

class State {
 public:
  explicit State(const Pins& pins) : pins_(pins), counters_(pins) {}

  [[nodiscard]] std::vector<Service> services() const;                       // by id
  [[nodiscard]] std::vector<Backend> backends(std::uint32_t service) const;  // by id
  // Those of all services at once, by number.
  [[nodiscard]] std::vector<std::vector<Backend>> members() const;
  [[nodiscard]] Service service(const ServiceId& id) const;  // throws Error
  [[nodiscard]] std::optional<Service> find_service(const ServiceId& id) const;
  [[nodiscard]] std::optional<Backend> find_backend(const Service& service,
                                                    const BackendId& id) const;
  // By number: what services forwarded, or one of them, to removed backends too.
  [[nodiscard]] std::vector<lb_counter> forwarded(std::optional<std::uint32_t> only) const;
  // By family: what services forwarded, removed ones too.
  [[nodiscard]] std::array<lb_counter, LB_FAMILIES> forwarded_by_family() const;
  // How many slots each handle has in the service's table, as packets see it.
  [[nodiscard]] std::vector<std::uint32_t> slots_of(const Service& service) const;
  [[nodiscard]] std::vector<lb_slot> words_of(const Service& service) const;
  // Of each of its slots, the seconds until phase 1 is over; 0: it isn't in it.
  [[nodiscard]] std::vector<std::uint32_t> phase_1_of(const Service& service,
                                                      const std::vector<lb_slot>& slots) const;
  // The handle of each of its slots' current backend.
  [[nodiscard]] std::vector<std::uint16_t> current_of(const Service& service) const;
  // That of its second choice; none where there are no second chances.
  [[nodiscard]] std::vector<std::uint16_t> seconds_of(const Service& service) const;
  [[nodiscard]] Epochs epochs() const;
  // Backends that are gone since this State was made, for good.
  [[nodiscard]] const std::vector<Backend>& gone() const { return gone_; }

  void add_service(const ServiceId& id, const ServiceChange& options);
  void set_service(const ServiceId& id, const ServiceChange& change);
  void delete_service(const ServiceId& id);
  // These throw Error where the change itself would, and change nothing.
  void check_change(const ServiceId& id, const ServiceChange& change) const;
  void check_change(const ServiceId& id, const BackendId& backend,
                    const BackendChange& change) const;
  BackendId check_new_backend(const ServiceId& id, const BackendId& backend,
                              const BackendChange& options) const;
  void add_backend(const ServiceId& id, const BackendId& backend, const BackendChange& options);
  void set_backend(const ServiceId& id, const BackendId& backend, const BackendChange& change);
  void delete_backend(const ServiceId& id, const BackendId& backend, Removal removal);
  // Makes services and backends these, and no others; what is as wanted isn't touched. Each
  // service's slots change once. Callers have done it to an image: what that throws, this would
  // throw after services are gone.
  void apply(const std::vector<WantedService>& wanted);
  // What of that can't be beside what there is, but for the arena's room. Callers have settled.
  void examine(const std::vector<WantedService>& wanted, Mistakes& mistakes) const;
  // Where the backend's outer headers come from.
  void set_source(const Backend& backend, const Address& source);
  // Is it an address of this host?
  void set_local(const Backend& backend, bool local);

  // Finishes whatever change is unfinished. Called by every change, before and after.
  void settle();
  // There is none.
  [[nodiscard]] bool is_settled() const;

 private:
  // For packets under way; an image has none.
  void wait() const {
    if (!pins_.is_image()) wait_for_packets();
  }
  [[nodiscard]] lb_service& record(const ServiceId& id) const;
  [[nodiscard]] lb_backend& record(const Service& service, const BackendId& id) const;
  [[nodiscard]] std::vector<Extent> extents_in_use() const;
  [[nodiscard]] std::vector<IndexKey> index_keys() const;
  using Finder = decltype(&find_for_table);
  // subject: what it is for, in messages.
  [[nodiscard]] std::uint32_t allocate(Finder find, std::uint64_t bytes,
                                       const std::string& subject) const;
  void require_options(const ServiceId& id, const ServiceOptions& options,
                       std::uint32_t number) const;
  void require_sole_nat(const ServiceId& id, Fragments fragments, const BackendId& backend) const;
  void require_way(const Service& service, const BackendId& backend, Forward forward) const;
  [[nodiscard]] std::vector<IndexKey> with_service(const ServiceId& id,
                                                   const ServiceOptions& options) const;
  void require_room(const ServiceId& id, const std::vector<IndexKey>& keys,
                    std::uint64_t table_bytes) const;
  [[nodiscard]] std::vector<IndexKey> with_services(const std::vector<WantedService>& wanted) const;
  void require_room(const std::vector<WantedService>& wanted) const;
  [[nodiscard]] bool has_replies() const;
  [[nodiscard]] bool has_removed_backends() const;
  [[nodiscard]] bool has_removed_services() const;
  [[nodiscard]] std::vector<std::uint32_t> stale_services() const;
  static void mark_stale(lb_service& service);
  void settle_tables(std::vector<std::uint32_t> stale);
  [[nodiscard]] Forward forward_of(const lb_backend& record) const;
  void settle_heads(const lb_service& service, const std::vector<Backend>& members) const;
  void void_next_hops() const;
  void settle_table(lb_service& service, const std::vector<Backend>& members);
  [[nodiscard]] std::vector<SlotChange> next_slots(const lb_table_ref& table,
                                                   const std::vector<std::uint16_t>& wanted,
                                                   const std::vector<bool>& stays,
                                                   std::uint32_t now) const;
  void set_deadlines(const lb_table_ref& table, const std::vector<SlotChange>& next,
                     unsigned epoch) const;
  void change_slots(lb_service& service, const lb_table_ref& table,
                    const std::vector<std::uint16_t>& wanted, const std::vector<bool>& stays) const;
  void settle_slots(lb_service& service, const lb_table_ref& table,
                    const std::vector<Backend>& members,
                    const std::vector<std::uint16_t>& wanted) const;
  void settle_index();
  [[nodiscard]] std::span<lb_slot> slots_at(const lb_table_ref& table) const;
  [[nodiscard]] std::span<std::uint32_t> seconds_at(const lb_table_ref& table) const;  // by two
  [[nodiscard]] std::span<std::uint32_t> deadlines_at(const lb_table_ref& table) const;
  void forget_flows(const std::vector<bool>& handles) const;
  void count_flows(Epochs& all, std::uint32_t now) const;
  void count_slots(Epochs& all, std::uint32_t number, std::uint32_t now) const;
  void mark_last_resorts(Epochs& all) const;
  [[nodiscard]] bool has_leaving() const;
  [[nodiscard]] bool has_epochs() const;
  void close_epochs();
  void forget_clean() const;
  void close_epoch(lb_service& service, const std::vector<bool>& needed, std::uint32_t now) const;
  [[nodiscard]] std::vector<bool> named_handles() const;
  void remove_left(const std::vector<bool>& remembered);
  [[nodiscard]] lb_service& free_service() const;
  // From this handle on. Throws Error where there is none.
  [[nodiscard]] lb_backend& free_backend(std::uint32_t from = 1) const;
  void make_service(lb_service& record, const ServiceId& id, const ServiceOptions& options,
                    unsigned slots);
  void change_service(const Service& now, const ServiceOptions& options);
  static void remove_service(lb_service& record);
  void make_backend(lb_backend& record, std::uint32_t owner, const BackendId& id,
                    const BackendChange& options);
  void change_backend(lb_backend& record, std::uint32_t owner, const BackendChange& change);
  void remove_backend(lb_backend& record, std::uint32_t owner, Removal removal);
  bool drop_services(const std::vector<WantedService>& wanted);
  [[nodiscard]] std::map<std::uint32_t, Service> staying(
      const std::vector<WantedService>& wanted) const;
  void examine_replies(const std::vector<WantedService>& wanted, Mistakes& mistakes) const;
  [[nodiscard]] Service apply_service(const WantedService& wanted);
  void apply_backends(std::uint32_t owner, const WantedService& wanted,
                      const std::vector<Backend>& members, std::uint32_t& free);
  [[nodiscard]] bool is_removed(const lb_backend_conf& conf) const;
  void free_backends();
  void free_services();

  const Pins& pins_;
  Counters counters_;
  std::vector<Backend> gone_;
};

}  // namespace xdplb
