// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/pipeline.h"

#include <linux/bpf.h>

#include <algorithm>

#include "tests/bpf/pipeline_nat.h"

namespace xdplb::test {

namespace {

lb_family family_of_vip(const PipelineService& service) {
  return service.id.vip.is_v4() ? LB_IPV4 : LB_IPV6;
}

// Why packets can't go to the backend; LB_FORWARDED: they can.
lb_reason trouble(const PipelineBackend& backend) {
  const auto& way = backend.way;
  if (backend.forward == Forward::l2 && way.gateway) return LB_OFF_LINK;
  if (way.trouble != LB_FORWARDED) return way.trouble;
  if (is_tunnel(backend.forward) && !backend.source) return LB_NO_SOURCE;
  return LB_FORWARDED;
}

bool tags_fit(const Way& way, const Parsed& packet) {
  const auto tags = (packet.l3 - 14) / 4;
  if (way.tags == Way::none) return tags == 0;
  return way.tags == Way::as_they_came || tags == 1;
}

// A TCP header behind this is not looked at for its flags.
constexpr std::size_t far_into_the_frame = 0x3ff;

}  // namespace

bool is_group(const Bytes& frame) { return frame[0] % 2 != 0; }

Fate leaves(lb_reason reason, std::uint32_t verdict, const PipelineService* service) {
  Fate fate;
  fate.reason = reason;
  fate.verdict = verdict;
  fate.service = service;
  return fate;
}

bool is_sent(const Fate& fate) {
  return (fate.reason == LB_FORWARDED || fate.reason == LB_RETURNED) && fate.verdict != XDP_PASS;
}

Tuple tuple_of(const Parsed& packet) {
  return {packet.from, packet.to, packet.sport, packet.dport, packet.proto};
}

void take_part(Fate& fate, const Bytes& frame, const Parsed& packet, Flows::Side side,
               Flows::Known flow) {
  fate.flow = std::move(flow);
  fate.side = side;
  fate.uses = packet.kind != Parsed::icmp;
  if (packet.proto == proto_tcp && packet.l4 <= far_into_the_frame)
    fate.flags = frame[packet.l4 + 13];
}

Totals counters_of(const Fate& fate) {
  const lb_counter one{1, fate.bytes};
  if (fate.backend != nullptr)
    return {{{CounterId::backend, fate.backend->handle, LB_FORWARDED}, one}};
  Totals moved{{{CounterId::family, fate.family, fate.reason}, one}};
  if (fate.service != nullptr) moved[{CounterId::service, fate.service->number, fate.reason}] = one;
  return moved;
}

Fate Pipeline::judge(const Bytes& frame, std::uint32_t ingress, Program program,
                     const Tuple* sent) const {
  Passage passage{frame, parse(frame), ingress, program, sent};
  if (passage.packet.kind == Parsed::icmp) passage.quote = quoted(frame, passage.packet);
  auto fate = serve(passage);
  fate.family = passage.packet.family;
  fate.bytes = passage.packet.end;
  if (fate.verdict == XDP_PASS && fate.out.empty()) fate.out = frame;
  return fate;
}

void Pipeline::happened(const Fate& fate) {
  if (fate.opens)
    flows_.add(fate.flow, fate.flags);
  else if (fate.uses)
    flows_.use(*fate.flow, fate.side, fate.flags);
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
      if (service == nullptr) return serve_reply(passage, tuple_of(packet), LB_NOT_SERVICE);
      return balance(passage, *service, tuple_of(packet));
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
  const auto flow = tuple_of(packet);
  const bool reply = service == nullptr;
  if (reply) service = replier(packet, flow);
  if (service == nullptr) return leaves(later ? LB_LATER_FRAGMENT : LB_NOT_SERVICE, XDP_PASS);
  if (service->fragments == Fragments::drop) return leaves(LB_FRAGMENT, XDP_DROP, service);
  if (service->fragments == Fragments::pass) return leaves(LB_FRAGMENT_PASSED, XDP_PASS, service);
  return reply ? serve_reply(passage, flow, LB_INTERNAL) : balance(passage, *service, flow);
}

// An error belongs to the flow that it quotes (RFC 7690).
Fate Pipeline::serve_icmp(const Passage& passage) const {
  const auto& quote = passage.quote;
  if (quote.kind == Quote::nothing) return serve_echo(passage);
  if (quote.kind == Quote::of_fragment)
    return is_vip(passage.packet) ? leaves(LB_ICMP_FRAGMENT, XDP_DROP)
                                  : leaves(LB_NOT_TRANSPORT, XDP_PASS);
  const Tuple flow{quote.client, passage.packet.to, quote.sport, quote.dport, quote.proto};
  const auto* service = find(passage.packet, quote.proto, quote.dport);
  if (service == nullptr) return serve_reply(passage, flow, LB_NOT_TRANSPORT);
  return balance(passage, *service, flow);
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
                       const Tuple& flow) const {
  if (is_group(passage.frame)) return leaves(LB_GROUP_FRAME, XDP_PASS, &service);
  const auto [backend, entropy] = service.pick(flow.from, flow.sport, flow.dport);
  if (backend == nullptr) return leaves(LB_NO_BACKEND, XDP_DROP, &service);
  return send(passage, service, *backend, entropy, flow);
}

Fate Pipeline::send(const Passage& passage, const PipelineService& service,
                    const PipelineBackend& backend, std::uint16_t entropy,
                    const Tuple& flow) const {
  if (backend.local) {
    auto fate = leaves(LB_FORWARDED, XDP_PASS, &service);
    fate.backend = &backend;
    return fate;
  }
  const auto reason = trouble(backend);
  if (reason != LB_FORWARDED) return leaves(reason, XDP_DROP, &service);
  if (backend.forward == Forward::fullnat) return send_hidden(passage, service, backend, flow);
  Aim aim{service, &backend, backend.way, entropy};
  if (backend.forward == Forward::nat)
    aim.to = {flow.from, backend.id.address, flow.sport, service.port_of(backend), flow.proto};
  return leave(passage, aim);
}

// The flow's source is another one; an error opens no flow.
Fate Pipeline::send_hidden(const Passage& passage, const PipelineService& service,
                           const PipelineBackend& backend, const Tuple& flow) const {
  Fate part;
  take_part(part, passage.frame, passage.packet, Flows::client, flows_.find(Flows::client, flow));
  part.opens = part.flow == nullptr || (part.uses && Flows::reopens(*part.flow, part.flags));
  if (part.opens && !part.uses) return leaves(LB_NO_FLOW, XDP_DROP, &service);
  if (part.opens) {
    const auto& from = passage.sent != nullptr ? *passage.sent : flow;
    const Tuple sent{from.from, backend.id.address, from.sport, service.port_of(backend),
                     flow.proto};
    part.flow = std::make_shared<Flows::Flow>(Flows::Flow{flow, sent, &service, &backend});
  }
  const auto& to = *part.flow->to;
  auto fate = leave(passage, {service, &to, to.way, 0, part.flow->sent, true});
  fate.flow = part.flow;
  fate.opens = part.opens;
  fate.uses = part.uses;
  fate.flags = part.flags;
  return fate;
}

Fate Pipeline::leave(const Passage& passage, const Aim& aim) const {
  const auto& packet = passage.packet;
  const auto& way = aim.way;
  const auto size = packet.end - packet.l3;
  const auto outer = aim.backend != nullptr ? overhead(*aim.backend) : 0;
  // What is longer than its own interface allows, the host put together, and will take apart.
  const bool whole = size <= mtus_.at(passage.ingress);
  if ((outer != 0 || whole) && way.mtu != 0 && size + outer > way.mtu)
    return too_big(passage, aim.service, way.mtu - outer);
  if (hops_left(passage.frame, packet) <= 1) return leaves(LB_TTL_EXPIRED, XDP_DROP, &aim.service);
  if (!tags_fit(way, packet)) return leaves(LB_VLAN_MISMATCH, XDP_DROP, &aim.service);

  const bool same = way.ifindex == passage.ingress;
  const bool by_egress = passage.program == Program::by_egress && (outer != 0 || !same);
  const bool egress = by_egress && egress_.contains(way.ifindex);
  if (by_egress && !egress && outer != 0) return leaves(LB_NO_EGRESS, XDP_DROP, &aim.service);
  auto fate = leaves(aim.backend != nullptr ? LB_FORWARDED : LB_RETURNED,
                     same && !egress ? XDP_TX : XDP_REDIRECT, &aim.service);
  fate.backend = aim.backend;
  fate.egress = egress;
  fate.out = bytes_of(passage, aim);
  return fate;
}

Bytes Pipeline::bytes_of(const Passage& passage, const Aim& aim) {
  const auto& packet = passage.packet;
  if (!aim.to)
    return bytes_for(passage.frame, packet, *aim.backend, aim.service.gue_port, aim.entropy);
  return rewritten_as(as_l2(passage.frame, packet, aim.way), passage, *aim.to,
                      aim.backend == nullptr || aim.hides_source);
}

Bytes Pipeline::rewritten_as(Bytes frame, const Passage& passage, const Tuple& to,
                             bool source_too) {
  const auto& packet = passage.packet;
  if (packet.kind != Parsed::icmp) return rewritten(std::move(frame), packet, to);
  return rewritten_error(std::move(frame), packet, passage.quote, to, source_too);
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
