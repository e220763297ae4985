// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// A model of what happens to flows when backends change: which backend each packet of a service
// must reach, from the rules of bpf/exception.h and the manual, with an unbounded memory of flows
// in place of the data path's sets. Time is the test's.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "tests/bpf/model.h"

namespace xdplb::test {

enum class Kind : std::uint8_t { syn, data, reset, error };

class EpochModel {
 public:
  enum State : std::uint8_t { up, drain, down, leaving };
  struct Flow {
    Address from;
    std::uint16_t sport;
    auto operator<=>(const Flow&) const = default;
  };

  EpochModel(const ServiceId& id, unsigned slots, std::uint32_t epoch)
      : service_{id, slots, Balance::off}, epoch_(epoch), slots_(slots) {}

  // keep_down, always: the service's options.
  bool keep_down = false;
  bool always = false;

  void set(std::uint16_t number, State state, unsigned weight);
  void remove(std::uint16_t number);  // and whatever it has, at once
  [[nodiscard]] bool has(std::uint16_t number) const;
  [[nodiscard]] State state(std::uint16_t number) const { return backends_.at(number).state; }
  // What commands do by the way: closes what is over.
  void settle();
  void age(std::uint32_t seconds) { now_ += seconds; }

  // Where the packet goes: a backend's number, or 0.
  std::uint16_t send(const Flow& flow, Kind kind);

  // Of the flow's slot.
  [[nodiscard]] std::uint16_t current(const Flow& flow) { return slot_of(flow).current; }
  // Backends that a flow stays with.
  [[nodiscard]] bool keeps(std::uint16_t number) const;
  [[nodiscard]] std::size_t changed_slots() const;
  [[nodiscard]] std::size_t live() const;
  [[nodiscard]] std::size_t live(std::uint16_t number) const;

 private:
  struct Backend {
    State state;
    unsigned weight;
  };
  struct Slot {
    std::uint16_t current = 0;
    std::optional<std::uint16_t> previous{};  // of phase 1
    std::int64_t deadline = 0;
    bool open = false;
  };
  struct Known {
    std::uint16_t backend;
    bool confirmed;
    std::int64_t used;
  };

  void change();
  void forget(std::uint16_t number);
  [[nodiscard]] std::vector<std::uint16_t> wanted() const;
  [[nodiscard]] Slot& slot_of(const Flow& flow);
  [[nodiscard]] bool in_phase_1(const Slot& slot) const {
    return slot.previous && now_ < slot.deadline;
  }
  [[nodiscard]] bool lives(const Known& known) const {
    return now_ - known.used <= epoch_ && keeps(known.backend);
  }

  ModelService service_;
  std::int64_t epoch_;
  std::int64_t now_ = 0;
  std::vector<Slot> slots_;
  std::map<std::uint16_t, Backend> backends_;
  std::map<Flow, Known> known_;
  bool used_ = false;
};

}  // namespace xdplb::test
