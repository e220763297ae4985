// SPDX-License-Identifier: GPL-2.0-only
// What the component would do with a packet, and why: the object that runs on an interface, over
// copies of the maps (plugin/replica.h). What it decided is read from what it counted and wrote
// there; hash and slot are computed beside it, by the same code.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plugin/component.h"
#include "plugin/ends.h"
#include "plugin/peers.h"
#include "plugin/replica.h"

namespace xdplb {

struct TraceOptions {
  std::string pin_path{default_pin_path};
  std::optional<std::string> object;
  std::optional<std::string> ifname;  // where packets come in; the only one that has the component
};

// What is remembered of a flow.
struct Remembered {
  std::uint32_t backend;  // handle
  std::uint32_t age;      // seconds
  bool confirmed;
  bool before;  // this packet; else by it
};

// A flow's place in its service's table.
struct TracedSlot {
  std::uint64_t hash;
  std::uint32_t number;
  std::uint32_t slots;
  lb_slot slot;
  std::uint32_t phase_1 = 0;  // seconds until it is over
  std::optional<Remembered> remembered{};
};

struct Traced : Ends {
  std::optional<Service> service{};
  std::optional<TracedSlot> slot{};
  std::optional<Backend> backend{};       // whose next hop was looked up; none of what stays
  std::optional<lb_next_hop> next_hop{};  // of the backend, or of the client that gets a reply
  bool from_peer = false;                 // for the service; by its frame, or in an outer header
  bool second_chance = false;             // for this host, which has no socket for it
  lb_reason reason = LB_FORWARDED;
  std::uint32_t verdict = 0;
  std::vector<std::uint8_t> out{};

  [[nodiscard]] bool is_lost() const;  // neither sent nor passed on
};

std::string_view verdict_name(std::uint32_t verdict);

class Tracer {
 public:
  // Throws NotLoaded where the component doesn't run on the interface.
  explicit Tracer(const TraceOptions& options);

  // One packet; what earlier ones left behind counts.
  [[nodiscard]] Traced trace(std::span<const std::uint8_t> frame);

  [[nodiscard]] const Interface& interface() const { return place_.interface; }
  [[nodiscard]] const std::string& program() const { return place_.chain.ours()->name; }
  [[nodiscard]] const Notes& notes() const { return notes_; }
  [[nodiscard]] std::optional<Backend> backend(std::uint32_t handle) const;

 private:
  void read_state(const Pins& pins);
  [[nodiscard]] const Service* service_of(const Dissected& flow) const;
  [[nodiscard]] std::optional<TracedSlot> slot_of(const Service& service,
                                                  const Dissected& flow) const;
  [[nodiscard]] std::optional<Remembered> remembered(const TracedSlot& slot) const;
  [[nodiscard]] std::optional<lb_reason> counted_reason() const;
  [[nodiscard]] const Service* counted_service(const Service* likely) const;
  [[nodiscard]] std::optional<lb_next_hop> asked_hop(const std::string& map, std::uint32_t key);
  void find_backend(const Service& service, Traced& traced);
  [[nodiscard]] const Service* forwarding_service(const Service* likely);
  bool find_return_hop(Traced& traced);  // false: there is none
  void find_way(const Service& service, const Peer& sender, Traced& traced);
  [[nodiscard]] bool belongs_here(const Service& service, const TracedSlot& slot,
                                  const std::optional<Remembered>& flow) const;
  void pass_egress(Traced& traced) const;

  Place place_;
  unsigned ingress_;  // ifindex
  Notes notes_;
  std::vector<Service> services_;
  std::vector<std::vector<Backend>> members_;  // by service's number
  std::vector<Peer> peers_;
  std::unique_ptr<Replica> replica_;
  std::vector<std::pair<std::string, std::uint32_t>> asked_;  // map and key of this packet's hops
};

}  // namespace xdplb
