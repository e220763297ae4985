// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/pipeline_flows.h"

namespace xdplb::test {

namespace {

constexpr unsigned fin = 1;
constexpr unsigned syn = 2;
constexpr unsigned rst = 4;
constexpr unsigned first_port = 1024;

// Seconds without a packet, by the manual.
unsigned limit(Flows::State state) {
  switch (state) {
    case Flows::opening:
      return 60;
    case Flows::open:
      return 6 * 60 * 60;
    case Flows::closing:
      return 10;
    default:
      return 120;
  }
}

}  // namespace

bool Flows::is_over(const Flow& flow) const {
  for (const auto side : {client, backend}) {
    if (flow.replaced && side == client) continue;
    if (now_ - flow.seen.at(side) <= limit(flow.states.at(side))) return false;
  }
  return true;
}

Flows::Known Flows::find(Side side, const Tuple& tuple) const {
  const auto& flows = side == client ? of_clients_ : of_backends_;
  const auto found = flows.find(tuple);
  return found == flows.end() || is_over(*found->second) ? nullptr : found->second;
}

// RFC 9293 3.6.1
bool Flows::reopens(const Flow& flow, unsigned flags) {
  return (flags & syn) != 0 && (flags & rst) == 0 &&
         (flow.states[client] == closing || flow.states[backend] == closing);
}

bool Flows::may_have(const Flow& flow) const {
  if (!flow.service->pool.contains(flow.sent.from) || flow.sent.sport < first_port) return false;
  const auto other = find(backend, flow.sent.turned());
  return other == nullptr || other->asked == flow.asked;
}

void Flows::add(const Known& flow, unsigned flags) {
  const auto state = flow->asked.proto != proto_tcp ? datagrams
                     : (flags & (fin | rst)) != 0   ? closing
                     : (flags & syn) != 0           ? opening
                                                    : open;
  flow->states = {state, state};
  flow->seen = {now_, now_};
  auto& place = of_clients_[flow->asked];
  if (place != nullptr) place->replaced = true;
  place = flow;
  of_backends_[flow->sent.turned()] = flow;
}

// Each side closes its own direction; a reset closes both.
void Flows::use(Flow& flow, Side side, unsigned flags) const {
  auto& state = flow.states.at(side);
  flow.seen.at(side) = now_;
  if (state == datagrams) return;
  if ((flags & (fin | rst)) != 0)
    state = closing;
  else if (state == opening && (flags & syn) == 0)
    state = open;
  if ((flags & rst) != 0) flow.states = {closing, closing};
}

void Flows::forget_all() {
  of_clients_.clear();
  of_backends_.clear();
}

}  // namespace xdplb::test
