// SPDX-License-Identifier: GPL-2.0-only
// What comes back from backends of modes nat and fullnat, in the model of tests/bpf/pipeline.h.
#include <linux/bpf.h>

#include <algorithm>

#include "tests/bpf/pipeline.h"

namespace xdplb::test {

// The service of mode nat that the flow's source is a backend of. A fragment without ports is of
// one that takes such.
const PipelineService* Pipeline::replier(const Parsed& packet, const Tuple& flow) const {
  const bool later = packet.kind == Parsed::later_fragment;
  const auto is_its = [&](const auto& service) {
    return std::ranges::any_of(service.backends, [&](const auto& backend) {
      return backend.forward == Forward::nat && backend.id.address == flow.from &&
             (later || service.port_of(backend) == flow.sport);
    });
  };
  const auto found = std::ranges::find_if(services_, [&](const auto& service) {
    return static_cast<std::uint8_t>(service.id.protocol) == flow.proto &&
           (!later || service.fragments == Fragments::hash3) && is_its(service);
  });
  return found == services_.end() ? nullptr : &*found;
}

Fate Pipeline::serve_reply(const Passage& passage, const Tuple& flow, lb_reason otherwise) const {
  const auto* service = replier(passage.packet, flow);
  if (service == nullptr) return serve_hidden_reply(passage, flow, otherwise);
  if (is_group(passage.frame)) return leaves(LB_GROUP_FRAME, XDP_PASS, service);
  return go_back(passage, *service,
                 {service->id.vip, flow.to, service->id.port, flow.dport, flow.proto});
}

// To an address of a pool: whose reply it is, the flows tell.
Fate Pipeline::serve_hidden_reply(const Passage& passage, const Tuple& flow,
                                  lb_reason otherwise) const {
  const bool is_pool = std::ranges::any_of(
      services_, [&](const auto& service) { return service.pool.contains(flow.to); });
  if (!is_pool) return leaves(otherwise, XDP_PASS);
  if (is_group(passage.frame)) return leaves(LB_GROUP_FRAME, XDP_PASS);
  const auto found = flows_.find(Flows::backend, flow);
  if (found == nullptr) return leaves(otherwise, XDP_PASS);
  auto fate = go_back(passage, *found->service, found->asked.turned());
  take_part(fate, passage.frame, passage.packet, Flows::backend, found);
  return fate;
}

// Where the kernel has no route, or is itself the client, its stack gets the packet.
Fate Pipeline::go_back(const Passage& passage, const PipelineService& service,
                       const Tuple& to) const {
  const auto network = std::ranges::find_if(
      networks_, [&](const auto& candidate) { return candidate.contains(to.to); });
  if (network == networks_.end()) return leaves(LB_NOT_SERVICE, XDP_PASS);
  if (network->way.trouble == LB_NO_NEIGHBOUR) return leave_to_kernel(passage, service, to);
  if (network->way.trouble != LB_FORWARDED) return leaves(network->way.trouble, XDP_DROP, &service);
  return leave(passage, {service, nullptr, network->way, 0, to});
}

// The kernel forwards the rewritten packet itself, and so gets to know the neighbour.
Fate Pipeline::leave_to_kernel(const Passage& passage, const PipelineService& service,
                               const Tuple& to) {
  auto fate = leaves(LB_RETURNED, XDP_PASS, &service);
  fate.out = rewritten_as(passage.frame, passage, to, true);
  return fate;
}

}  // namespace xdplb::test
