// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// What the model of the data path (pipeline.h) remembers of mode fullnat: its flows, and when they
// are over. Which source a new flow gets, the model doesn't foretell: it is told by what leaves.

#include <array>
#include <map>
#include <memory>

#include "tests/bpf/pipeline_config.h"

namespace xdplb::test {

// The ends of a packet.
struct Tuple {
  Address from{};
  Address to{};
  std::uint16_t sport = 0;
  std::uint16_t dport = 0;
  std::uint8_t proto = 0;
  auto operator<=>(const Tuple&) const = default;
  [[nodiscard]] Tuple turned() const { return {to, from, dport, sport, proto}; }
};

class Flows {
 public:
  enum Side : std::uint8_t { client, backend };
  enum State : std::uint8_t { opening, open, closing, datagrams };

  struct Flow {
    Tuple asked;  // packets of its client, to the VIP
    Tuple sent;   // and at its backend
    const PipelineService* service = nullptr;
    const PipelineBackend* to = nullptr;
    // What each side has sent, and when.
    std::array<State, 2> states{};
    std::array<unsigned, 2> seen{};
    bool replaced = false;  // its client has another one: only what was sent before comes back
  };
  using Known = std::shared_ptr<Flow>;

  // The flow of a packet from this side; nullptr: there is none that isn't over.
  [[nodiscard]] Known find(Side side, const Tuple& tuple) const;
  // Does a client's packet with these flags open the flow anew?
  static bool reopens(const Flow& flow, unsigned flags);
  // Is what the flow has as its source one of the pool, and no other flow's?
  [[nodiscard]] bool may_have(const Flow& flow) const;

  void add(const Known& flow, unsigned flags);
  void use(Flow& flow, Side side, unsigned flags) const;
  void forget(const Tuple& asked, const Tuple& sent) {
    of_clients_.erase(asked);
    of_backends_.erase(sent.turned());
  }
  void forget_all();
  void age(unsigned seconds) { now_ += seconds; }
  [[nodiscard]] std::size_t size() const { return of_backends_.size(); }

 private:
  [[nodiscard]] bool is_over(const Flow& flow) const;

  std::map<Tuple, Known> of_clients_;
  std::map<Tuple, Known> of_backends_;
  unsigned now_ = 0;
};

}  // namespace xdplb::test
