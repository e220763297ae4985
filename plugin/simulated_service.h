// SPDX-License-Identifier: GPL-2.0-only
// One service under the events of simulate() (plugin/simulate.h): its table, and which backends may
// have flows in each slot. Each stage, from an event to the next, gives a slot's new flows to the
// backend that the table says; those there are stay, by the rules of epochs (plugin/epoch.h).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "plugin/simulate.h"
#include "plugin/table.h"

namespace xdplb {

inline double ratio(std::size_t part, std::size_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

class SimulatedService {
 public:
  SimulatedService(const ServiceConfig& config, const ClusterKey& key);

  // How many backends the event is about.
  std::size_t happens(const Event& event);

  // elsewhere, of each stage up to the one after the event: of the flows that began in it or later,
  // at most such a part is at another node now than it began at.
  ServiceOutcome outcome(const Event& event, const std::vector<double>& elsewhere);

 private:
  struct Member {
    BackendId id;
    unsigned weight;
    BackendState state;
    bool gone = false;  // leaving, and down since
  };
  using Owners = std::vector<std::uint16_t>;  // of slots: indexes of members, or no_backend
  struct Former {                             // had the slot before, and may have flows in it
    std::uint32_t slot;
    std::uint16_t member;
    auto operator<=>(const Former&) const = default;
  };

  void add(const Event& event);
  static bool change(Member& member, const Event& event);
  [[nodiscard]] Owners owners() const;
  [[nodiscard]] bool keeps(std::uint16_t number) const;
  [[nodiscard]] bool touches(const Event& event, std::uint16_t owner) const;
  void move_slots(ServiceOutcome& out, const Event& event, const Owners& before);
  void follow_flows(ServiceOutcome& out, const Owners& before,
                    const std::vector<double>& elsewhere);
  void follow_slot(ServiceOutcome& out, std::span<const Former> formers, std::uint16_t before,
                   const std::vector<double>& elsewhere);
  [[nodiscard]] std::vector<unsigned> counts(const Owners& owners) const;
  void weigh(ServiceOutcome& out, const std::vector<unsigned>& before,
             const std::vector<unsigned>& after) const;

  ServiceId id_;
  ServiceOptions options_;
  TableSpec spec_;
  std::vector<Member> members_{};
  Owners owners_{};
  bool settled_ = true;                         // owners_ are those of the members
  std::vector<Former> formers_{};               // in order, each once
  std::vector<std::uint32_t> changed_since_{};  // of slots: a stage, or 0
};

}  // namespace xdplb
