/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packet-too-big about an outer header of ours: the client is told in its place, from
 * the VIP, what MTU is left inside. Its way is another than that of the error.
 */
#ifndef XDP_LB_RELAY_H
#define XDP_LB_RELAY_H

#include "limit.h"
#include "next_hop.h"
#include "order.h"
#include "outer.h"
#include "stats.h"
#include "too_big.h"
#include "way.h"

/* Is that outer header the one that the packet in it gets? */
static __always_inline bool is_outer_of(const struct lb_next_hop *next, const struct packet *pkt,
					const struct quoted_outer *outer)
{
	const __u64 *src = (const void *)next->src, *dst = (const void *)next->dst;

	return src[0] == pkt->dst[0] && src[1] == pkt->dst[1] && dst[0] == outer->dst[0] &&
	       dst[1] == outer->dst[1] && is_outer_like(next, outer);
}

/* What is left of the MTU. Routers that don't say it (RFC 1191 4) say 0. */
static __always_inline __u32 inner_mtu(const struct quoted_outer *outer, __u8 family)
{
	__u32 mtu = outer->mtu;

	if (!mtu)
		return 0;
	mtu = mtu < outer->size + LEAST_MTU4 ? LEAST_MTU4 : mtu - outer->size;
	return family == LB_IPV4 && mtu > 0xffff ? 0xffff : mtu;
}

/* Makes the error, which find_inner() took, the client's; its link addresses are those
 * to send to already. */
static __always_inline bool tell_inner(struct xdp_md *ctx, struct lb_scratch *s, __u8 l3)
{
	struct packet *inner = &s->flow;

	if (!tell_link(ctx, &s->tell, l3))
		return false;
	say_too_big(&s->tell, inner->family, inner_mtu(&s->outer, inner->family));
	s->tell.at = inner->l3;
	s->tell.size = quote_of(inner, inner->bytes - inner->l3);
	return tell(ctx, inner);
}

static __noinline int relay_ordered(struct xdp_md *ctx, const struct packet *pkt)
{
	struct lb_scratch *s = scratch();

	return s && find_inner(ctx, pkt) && tell_inner(ctx, s, pkt->l3);
}

/* The backend that the packet in the outer header goes to, if it is that header's. */
static __always_inline bool is_from_way(struct xdp_md *ctx, const struct way *way,
					struct lb_scratch *s)
{
	struct lb_next_hop *next = way->backend ? next_hop(ctx, way->lookup, way->backend) : NULL;

	return next && is_outer_of(next, way->pkt, &s->outer);
}

static __always_inline int relay_to(struct xdp_md *ctx, const struct way *way, struct lb_scratch *s,
				    const struct lb_hop *hop, enum growth growth)
{
	void *data = (void *)(long)ctx->data;

	if (growth == BY_EGRESS) {
		if (order_to(ctx, hop, LB_ORDER_TO_RELAY))
			return leave_service(way->pkt, way->service, LB_RELAYED_TOO_BIG,
					     XDP_REDIRECT);
		return leave_service(way->pkt, way->service, LB_NO_EGRESS, XDP_DROP);
	}
	if (data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
		return leave_service(way->pkt, way->service, LB_INTERNAL, XDP_DROP);
	write_macs(data, hop);
	if (!tell_inner(ctx, s, way->pkt->l3))
		return leave_service(way->pkt, way->service, LB_INTERNAL, XDP_DROP);
	leave_service(way->pkt, way->service, LB_RELAYED_TOO_BIG, XDP_TX);
	return hop->ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(hop->ifindex, 0);
}

/* An error about an outer header, by lb_scratch's outer and flow; it is this host's if
 * the flow has another now. */
static __always_inline int relay(struct xdp_md *ctx, const struct way *way, enum growth growth)
{
	struct lb_scratch *s = scratch();
	void *data = (void *)(long)ctx->data;
	struct lb_next_hop *back;

	if (!s || data + 1 > (void *)(long)ctx->data_end || is_group_frame(data) ||
	    !is_from_way(ctx, way, s))
		return leave(way->pkt, LB_NOT_TRANSPORT, XDP_PASS);
	__builtin_memcpy(s->key.dst, s->flow.src, sizeof(s->key.dst));
	back = return_hop(ctx, way->lookup, &s->key, s->flow.family);
	if (!back || back->reason == LB_HOP_LOCAL)
		return leave(way->pkt, LB_NOT_TRANSPORT, XDP_PASS);
	if (back->reason)
		return leave_service(way->pkt, way->service, back->reason, XDP_DROP);
	if (!may_answer_now())
		return leave_service(way->pkt, way->service, LB_LIMITED, XDP_DROP);
	data = (void *)(long)ctx->data;
	if (!fit_vlan(data, (void *)(long)ctx->data_end, way->pkt, back->vlan))
		return leave_service(way->pkt, way->service, LB_VLAN_MISMATCH, XDP_DROP);
	return relay_to(ctx, way, s, &back->hop, growth);
}

static __noinline int relay_by_egress(struct xdp_md *ctx, const struct way *way)
{
	return relay(ctx, way, BY_EGRESS);
}

static __noinline int relay_inline(struct xdp_md *ctx, const struct way *way)
{
	return relay(ctx, way, INLINE);
}

#endif
