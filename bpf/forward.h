/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A packet and its backend -> a way out, by the backend's forwarding mode; and a
 * backend's reply -> its client, where the mode has it come back.
 *
 * Newer kernels refuse programs that resize packets in the dispatchers of older
 * libxdp releases, also where the call is dead code. So what grows packets is in
 * a program of its own, xdp_lb_inline; where a chain doesn't take that, xdp_lb
 * redirects with an order in the frame's link header, and xdp_lb_egress carries
 * it out on the way to the device.
 */
#ifndef XDP_LB_FORWARD_H
#define XDP_LB_FORWARD_H

#include "forward_encap.h"
#include "forward_l2.h"
#include "fullnat.h"
#include "limit.h"
#include "nat.h"
#include "order.h"
#include "peer.h"
#include "reject.h"
#include "too_big.h"
#include "way.h"

/* The frame as it is goes to the next hop; the verdict. */
static __always_inline int send_frame(struct xdp_md *ctx, const struct lb_hop *hop,
				      enum growth growth)
{
	void *data = (void *)(long)ctx->data;

	if (likely(hop->ifindex == ctx->ingress_ifindex)) {
		if (data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
			return XDP_DROP;
		write_macs(data, hop);
		return XDP_TX;
	}
	if (growth == BY_EGRESS && order_send(ctx, hop))
		return XDP_REDIRECT;
	data = (void *)(long)ctx->data;
	if (data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	write_macs(data, hop);
	return bpf_redirect(hop->ifindex, 0);
}

static __always_inline int too_big(struct xdp_md *ctx, const struct packet *pkt, __u32 service,
				   __u32 mtu, enum growth growth)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *l3 = data + (pkt->l3 & 31);

	if (l3 + sizeof(struct iphdr) > end || !may_tell(pkt, l3))
		return leave_service(pkt, service, LB_TOO_BIG, XDP_DROP);
	if (!may_answer_now())
		return leave_service(pkt, service, LB_LIMITED, XDP_DROP);
	if (growth == BY_EGRESS) {
		if (order_too_big(ctx, pkt, mtu))
			return leave_service(pkt, service, LB_TOLD_TOO_BIG, XDP_REDIRECT);
	} else if (tell_too_big(ctx, pkt, mtu, false)) {
		return leave_service(pkt, service, LB_TOLD_TOO_BIG, XDP_TX);
	}
	return leave_service(pkt, service, LB_TOO_BIG, XDP_DROP);
}

/* A frame that is longer than its own interface allows was put together from
 * several on its arrival, and will be taken apart again where it leaves. */
static __always_inline bool is_aggregate(struct xdp_md *ctx, __u32 len)
{
	return bpf_check_mtu(ctx, 0, &len, 0, 0) > 0;
}

/* Is the frame for a peer? The way out has this host's own link address, which all nodes may have
 * among their peers; but of a VLAN's device or a static hop it may be another than the frame's. */
static __noinline int is_peers_frame(struct xdp_md *ctx, const struct lb_next_hop *next)
{
	void *data = (void *)(long)ctx->data;

	return data + ETH_ALEN <= (void *)(long)ctx->data_end && next->vlan == LB_VLAN_NONE &&
	       lb_peer(data) != lb_peer(next->hop.src) && is_peer(lb_peer(data));
}

/* A frame for another station, which this host sees since a switch didn't know where that is, and
 * sent it to all: for the next hop itself, or for another balancer. Each would multiply it, and
 * those with other tables send it where it doesn't belong. */
static __always_inline bool is_others_frame(struct xdp_md *ctx, const struct way *way,
					    const struct lb_next_hop *next)
{
	void *data = (void *)(long)ctx->data;

	if (next->hop.ifindex != ctx->ingress_ifindex ||
	    data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
		return false;
	return unlikely((*(__u64 *)data ^ *(const __u64 *)next->hop.dst) << 16 == 0) ||
	       (unlikely(peers_of(way->lookup) & LB_PEERS_LINKS) && is_peers_frame(ctx, next));
}

/* Is the packet fit for the next hop? It has a hop less to live then. */
static __always_inline int ready(struct xdp_md *ctx, const struct way *way,
				 const struct lb_next_hop *next, enum growth growth)
{
	const struct packet *pkt = way->pkt;
	__u32 len = pkt->bytes - pkt->l3, outer = outer_size(next);
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *l3 = data + (pkt->l3 & 31); /* the verifier forgot that it is at most 22 */

	if (unlikely(next->mtu && len + outer > next->mtu) && (outer || !is_aggregate(ctx, len)))
		return too_big(ctx, pkt, way->service, next->mtu - outer, growth);
	if (unlikely(data + sizeof(struct ethhdr) > end || l3 + sizeof(struct iphdr) > end))
		return leave_service(pkt, way->service, LB_INTERNAL, XDP_PASS);
	if (unlikely(!hop_down(l3, pkt->family)))
		return leave_service(pkt, way->service, LB_TTL_EXPIRED, XDP_DROP);
	if (unlikely(!fit_vlan(data, end, pkt, next->vlan)))
		return leave_service(pkt, way->service, LB_VLAN_MISMATCH, XDP_DROP);
	return GOES_ON;
}

static __always_inline int forward_encap(struct xdp_md *ctx, const struct way *way,
					 struct lb_next_hop *next, enum growth growth)
{
	const struct packet *pkt = way->pkt;

	if (growth == BY_EGRESS) {
		if (order_encap(ctx, pkt, next, way->backend))
			return leave_forwarded(pkt, next, XDP_REDIRECT);
		return leave_service(pkt, way->service, LB_NO_EGRESS, XDP_DROP);
	}
	if (unlikely(!encapsulate(ctx, next, pkt)))
		return leave_service(pkt, way->service, LB_INTERNAL, XDP_DROP);
	if (likely(next->hop.ifindex == ctx->ingress_ifindex))
		return leave_forwarded(pkt, next, XDP_TX);
	return leave_forwarded(pkt, next, bpf_redirect(next->hop.ifindex, 0));
}

static __always_inline int forward_rewritten(struct xdp_md *ctx, const struct way *way,
					     struct lb_next_hop *next, const struct lb_flow_key *to,
					     enum growth growth)
{
	if (unlikely(!nat_rewrite(ctx, way->pkt, way->flow, to)))
		return leave_service(way->pkt, way->service, LB_INTERNAL, XDP_DROP);
	return leave_forwarded(way->pkt, next, send_frame(ctx, &next->hop, growth));
}

static __always_inline int forward_nat(struct xdp_md *ctx, const struct way *way,
				       struct lb_next_hop *next, enum growth growth)
{
	struct lb_flow_key to;

	to.src[0] = way->flow->src[0];
	to.src[1] = way->flow->src[1];
	__builtin_memcpy(to.dst, next->dst, sizeof(to.dst));
	to.ports = (way->flow->ports & 0xffff) | (__u32)next->wire_port << 16;
	return forward_rewritten(ctx, way, next, &to, growth);
}

static __always_inline int forward(struct xdp_md *ctx, const struct way *way, enum growth growth)
{
	struct lb_next_hop *next = next_hop(ctx, way->lookup, way->backend);
	struct lb_flow *entry = NULL;
	int verdict;

	if (unlikely(next && next->forward == LB_FORWARD_FULLNAT && !next->reason)) {
		if (!way->aside)
			return GOES_ON;
		entry = flow_of_client(ctx, way);
		if (!entry)
			return leave_service(way->pkt, way->service,
					     is_icmp(way->pkt) ? LB_NO_FLOW : LB_NO_PORT, XDP_DROP);
		next = next_hop(ctx, way->lookup, entry->backend);
	}
	if (unlikely(!next))
		return leave_service(way->pkt, way->service, LB_INTERNAL, XDP_PASS);
	if (unlikely(next->reason == LB_HOP_LOCAL))
		return leave_forwarded(way->pkt, next, XDP_PASS);
	if (unlikely(next->reason))
		return leave_service(way->pkt, way->service, next->reason, XDP_DROP);
	if (unlikely(is_others_frame(ctx, way, next)))
		return leave_service(way->pkt, way->service, LB_OTHERS_FRAME, XDP_PASS);
	verdict = ready(ctx, way, next, growth);
	if (unlikely(verdict != GOES_ON))
		return verdict;
	if (next->forward == LB_FORWARD_L2)
		return leave_forwarded(way->pkt, next, send_frame(ctx, &next->hop, growth));
	if (entry)
		return forward_rewritten(ctx, way, next, &entry->becomes, growth);
	if (next->forward == LB_FORWARD_NAT)
		return forward_nat(ctx, way, next, growth);
	return forward_encap(ctx, way, next, growth);
}

/* A backend's packet, with the addresses and ports that the client knows, to the
 * client. What is for this host itself isn't ours. Where the kernel doesn't know the
 * link address, it forwards the packet, and finds the address by that: nobody else
 * would have it looked for. */
static __always_inline int send_reply(struct xdp_md *ctx, const struct way *way,
				      const struct lb_flow_key *to, enum growth growth)
{
	struct lb_next_hop *next = return_hop(ctx, way->lookup, to, way->pkt->family);
	int verdict = GOES_ON;

	if (unlikely(!next))
		return leave_service(way->pkt, way->service, LB_INTERNAL, XDP_PASS);
	if (unlikely(next->reason == LB_HOP_LOCAL))
		return leave(way->pkt, LB_NOT_SERVICE, XDP_PASS);
	if (unlikely(next->reason && next->reason != LB_NO_NEIGHBOUR))
		return leave_service(way->pkt, way->service, next->reason, XDP_DROP);
	if (likely(!next->reason))
		verdict = ready(ctx, way, next, growth);
	if (unlikely(verdict != GOES_ON))
		return verdict;
	if (unlikely(!nat_rewrite(ctx, way->pkt, way->flow, to)))
		return leave_service(way->pkt, way->service, LB_INTERNAL, XDP_DROP);
	verdict = next->reason ? XDP_PASS : send_frame(ctx, &next->hop, growth);
	leave_service(way->pkt, way->service, LB_RETURNED, verdict);
	return verdict;
}

static __noinline int send_reply_by_egress(struct xdp_md *ctx, const struct way *way,
					   const struct lb_flow_key *to)
{
	return send_reply(ctx, way, to, BY_EGRESS);
}

static __noinline int send_reply_inline(struct xdp_md *ctx, const struct way *way,
					const struct lb_flow_key *to)
{
	return send_reply(ctx, way, to, INLINE);
}

static __always_inline int forward_reply(struct xdp_md *ctx, const struct way *way,
					 const struct lb_flow_key *to, enum growth growth)
{
	return growth == INLINE ? send_reply_inline(ctx, way, to)
				: send_reply_by_egress(ctx, way, to);
}

/* A reply of mode nat: the service that it is of tells what it becomes. */
static __always_inline int reply_nat(struct xdp_md *ctx, const struct way *way, enum growth growth)
{
	struct lb_flow_key to;

	__builtin_memcpy(to.src, way->record->addr, sizeof(to.src));
	to.dst[0] = way->flow->dst[0];
	to.dst[1] = way->flow->dst[1];
	to.ports = (way->flow->ports & 0xffff0000) | way->record->conf.wire_port;
	return forward_reply(ctx, way, &to, growth);
}

/* A reply of mode fullnat, if it is one: its flow's entry tells. */
static __always_inline int reply_fullnat(struct xdp_md *ctx, struct way *way, enum growth growth)
{
	struct lb_flow *entry = flow_of_backend(ctx, way);

	if (!entry)
		return leave(way->pkt, is_icmp(way->pkt) ? LB_NOT_TRANSPORT : LB_NOT_SERVICE,
			     XDP_PASS);
	way->service = entry->service;
	return forward_reply(ctx, way, &entry->becomes, growth);
}

#endif
