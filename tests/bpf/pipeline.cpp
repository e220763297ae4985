// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/pipeline.h"

#include <linux/bpf.h>

#include <algorithm>

namespace xdplb::test {

namespace {

lb_family family_of_vip(const PipelineService& service) {
  return service.id.vip.is_v4() ? LB_IPV4 : LB_IPV6;
}

bool is_group(const Bytes& frame) { return frame[0] % 2 != 0; }

Fate leaves(lb_reason reason, std::uint32_t verdict, const PipelineService* service = nullptr) {
  Fate fate;
  fate.reason = reason;
  fate.verdict = verdict;
  fate.service = service;
  return fate;
}

// Why packets can't go to the backend; LB_FORWARDED: they can.
lb_reason trouble(const PipelineBackend& backend) {
  const auto& way = backend.way;
  if (backend.forward == Forward::l2 && way.gateway) return LB_OFF_LINK;
  if (way.trouble != LB_FORWARDED) return way.trouble;
  if (backend.forward != Forward::l2 && !backend.source) return LB_NO_SOURCE;
  return LB_FORWARDED;
}

bool tags_fit(const Way& way, const Parsed& packet) {
  const auto tags = (packet.l3 - 14) / 4;
  if (way.tags == Way::none) return tags == 0;
  return way.tags == Way::as_they_came || tags == 1;
}

}  // namespace

Totals counters_of(const Fate& fate) {
  const lb_counter one{1, fate.bytes};
  if (fate.backend != nullptr)
    return {{{CounterId::backend, fate.backend->handle, LB_FORWARDED}, one}};
  Totals moved{{{CounterId::family, fate.family, fate.reason}, one}};
  if (fate.service != nullptr) moved[{CounterId::service, fate.service->number, fate.reason}] = one;
  return moved;
}

Fate Pipeline::judge(const Bytes& frame, std::uint32_t ingress, Program program) const {
  const Passage passage{frame, parse(frame), ingress, program};
  auto fate = serve(passage);
  fate.family = passage.packet.family;
  fate.bytes = passage.packet.end;
  if (fate.verdict == XDP_PASS) fate.out = frame;
  return fate;
}

template <typename Wanted>
const PipelineService* Pipeline::find_if(const Parsed& packet, Wanted wanted) const {
  const auto found = std::ranges::find_if(services_, [&](const auto& service) {
    return family_of_vip(service) == packet.family && service.id.vip == packet.to &&
           wanted(service);
  });
  return found == services_.end() ? nullptr : &*found;
}

bool Pipeline::is_vip(const Parsed& packet) const {
  return find_if(packet, [](const auto&) { return true; }) != nullptr;
}

const PipelineService* Pipeline::find(const Parsed& packet, std::uint8_t proto,
                                      std::uint16_t port) const {
  for (const auto wanted : {port, std::uint16_t{0}}) {
    const auto* service = find_if(packet, [&](const auto& candidate) {
      return static_cast<std::uint8_t>(candidate.id.protocol) == proto &&
             candidate.id.port == wanted;
    });
    if (service != nullptr) return service;
  }
  return nullptr;
}

Fate Pipeline::serve(const Passage& passage) const {
  const auto& packet = passage.packet;
  switch (packet.kind) {
    case Parsed::whole: {
      const auto* service = find(packet, packet.proto, packet.dport);
      if (service == nullptr) return leaves(LB_NOT_SERVICE, XDP_PASS);
      return balance(passage, *service, {packet.from, packet.sport, packet.dport});
    }
    case Parsed::first_fragment:
    case Parsed::later_fragment:
      return serve_fragment(passage);
    case Parsed::icmp:
      return serve_icmp(passage);
    case Parsed::other:
      return leaves(LB_NOT_TRANSPORT, XDP_PASS);
    case Parsed::malformed:
      return is_vip(packet) ? leaves(LB_MALFORMED, XDP_DROP) : leaves(LB_RUNT, XDP_PASS);
    default:
      return leaves(LB_NOT_IP, XDP_PASS);
  }
}

// Without ports it is for the VIP's one service with hash3, if there is one.
Fate Pipeline::serve_fragment(const Passage& passage) const {
  const auto& packet = passage.packet;
  const bool later = packet.kind == Parsed::later_fragment;
  const auto* service =
      later ? find_if(packet,
                      [&](const auto& candidate) {
                        return candidate.fragments == Fragments::hash3 &&
                               static_cast<std::uint8_t>(candidate.id.protocol) == packet.proto;
                      })
            : find(packet, packet.proto, packet.dport);
  if (service == nullptr) return leaves(later ? LB_LATER_FRAGMENT : LB_NOT_SERVICE, XDP_PASS);
  if (service->fragments == Fragments::drop) return leaves(LB_FRAGMENT, XDP_DROP, service);
  if (service->fragments == Fragments::pass) return leaves(LB_FRAGMENT_PASSED, XDP_PASS, service);
  return balance(passage, *service, {packet.from, 0, 0});
}

// An error belongs to the flow that it quotes (RFC 7690): to its backend, as it is.
Fate Pipeline::serve_icmp(const Passage& passage) const {
  const auto quote = quoted(passage.frame, passage.packet);
  if (quote.kind == Quote::nothing) return serve_echo(passage);
  if (quote.kind == Quote::of_fragment)
    return is_vip(passage.packet) ? leaves(LB_ICMP_FRAGMENT, XDP_DROP)
                                  : leaves(LB_NOT_TRANSPORT, XDP_PASS);
  const auto* service = find(passage.packet, quote.proto, quote.dport);
  if (service == nullptr) return leaves(LB_NOT_TRANSPORT, XDP_PASS);
  return balance(passage, *service, {quote.client, quote.sport, quote.dport});
}

Fate Pipeline::serve_echo(const Passage& passage) const {
  const auto& packet = passage.packet;
  const auto* service = find_if(packet, [](const auto& candidate) { return candidate.ping; });
  if (!is_echo_request(passage.frame, packet) || is_group(passage.frame) ||
      !may_be_answered(packet) || service == nullptr)
    return leaves(LB_NOT_TRANSPORT, XDP_PASS);
  auto fate = leaves(LB_ECHO, XDP_TX, service);
  fate.out = echo_reply(passage.frame, packet);
  return fate;
}

Fate Pipeline::balance(const Passage& passage, const PipelineService& service,
                       const Flow& flow) const {
  if (is_group(passage.frame)) return leaves(LB_GROUP_FRAME, XDP_PASS, &service);
  const auto [backend, entropy] = service.pick(flow.client, flow.sport, flow.dport);
  if (backend == nullptr) return leaves(LB_NO_BACKEND, XDP_DROP, &service);
  return send(passage, service, *backend, entropy);
}

Fate Pipeline::send(const Passage& passage, const PipelineService& service,
                    const PipelineBackend& backend, std::uint16_t entropy) const {
  const auto& packet = passage.packet;
  const auto& way = backend.way;
  auto fate = leaves(LB_FORWARDED, XDP_PASS, &service);
  fate.backend = &backend;
  if (backend.local) return fate;
  const auto reason = trouble(backend);
  if (reason != LB_FORWARDED) return leaves(reason, XDP_DROP, &service);
  const auto size = packet.end - packet.l3;
  const auto outer = overhead(backend);
  // What is longer than its own interface allows, the host put together, and will take apart.
  const bool whole = size <= mtus_.at(passage.ingress);
  if ((outer != 0 || whole) && way.mtu != 0 && size + outer > way.mtu)
    return too_big(passage, service, way.mtu - outer);
  if (hops_left(passage.frame, packet) <= 1) return leaves(LB_TTL_EXPIRED, XDP_DROP, &service);
  if (!tags_fit(way, packet)) return leaves(LB_VLAN_MISMATCH, XDP_DROP, &service);

  const bool same = way.ifindex == passage.ingress;
  const bool by_egress = passage.program == Program::by_egress && (outer != 0 || !same);
  fate.egress = by_egress && egress_.contains(way.ifindex);
  if (by_egress && !fate.egress && outer != 0) return leaves(LB_NO_EGRESS, XDP_DROP, &service);
  fate.verdict = same && !fate.egress ? XDP_TX : XDP_REDIRECT;
  fate.out = bytes_for(passage.frame, packet, backend, service.gue_port, entropy);
  return fate;
}

Fate Pipeline::too_big(const Passage& passage, const PipelineService& service, unsigned mtu) const {
  const bool by_egress = passage.program == Program::by_egress;
  if (!may_be_told(passage.frame, passage.packet) ||
      (by_egress && !egress_.contains(passage.ingress)))
    return leaves(LB_TOO_BIG, XDP_DROP, &service);
  auto fate = leaves(LB_TOLD_TOO_BIG, by_egress ? XDP_REDIRECT : XDP_TX, &service);
  fate.egress = by_egress;
  fate.out = packet_too_big(passage.frame, passage.packet, mtu);
  return fate;
}

}  // namespace xdplb::test
