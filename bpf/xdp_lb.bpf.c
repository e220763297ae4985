// SPDX-License-Identifier: GPL-2.0-only
/*
 * xdp-lb's data path: a component of a libxdp chain. A packet for a service
 * goes to the backend that its flow's slot names; every other packet goes on
 * along the chain, untouched.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

#include "forward.h"
#include "icmp.h"
#include "limit.h"
#include "lookup.h"
#include "maps.h"
#include "parse_unusual.h"
#include "stats.h"

/* Behind filters and counters; what we pass goes on along the chain. */
struct {
	__uint(priority, 30);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(xdp_lb);
struct {
	__uint(priority, 30);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(xdp_lb_inline);

/* A frame to a group of stations reaches every balancer among them: a service's
 * packet in it would be multiplied (RFC 1122 3.3.6). */
static __always_inline bool is_group_frame(void *data)
{
	return *(__u8 *)data & 1;
}

/* To the backend of a flow, which is the packet's own but for ICMP errors. */
static __always_inline int balance_flow(struct xdp_md *ctx, const struct lookup *lookup,
					struct packet *pkt, struct packet *flow,
					struct lb_service *service, __u32 number,
					enum growth growth)
{
	void *data = (void *)(long)ctx->data;
	__u32 handle;

	if (unlikely(data + 1 > (void *)(long)ctx->data_end || is_group_frame(data)))
		return leave_service(pkt, number, LB_GROUP_FRAME, XDP_PASS);
	handle = backend_pick(lookup, service, flow);
	if (unlikely(!handle))
		return leave_service(pkt, number, LB_NO_BACKEND, XDP_DROP);
	pkt->entropy = flow->entropy;
	return forward(ctx, pkt, number, handle, growth);
}

static __always_inline int balance(struct xdp_md *ctx, const struct lookup *lookup,
				   struct packet *pkt, enum growth growth)
{
	struct lb_service *service;
	__u32 number;

	service = service_find(lookup, pkt, &number);
	if (!service)
		return leave(pkt, LB_NOT_SERVICE, XDP_PASS);
	return balance_flow(ctx, lookup, pkt, pkt, service, number, growth);
}

/* An echo request for a VIP that answers; anything else is none of ours. */
static __always_inline int answer_echo(struct xdp_md *ctx, const struct lookup *lookup,
				       const struct packet *pkt)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct icmp_header *icmp = data + (pkt->l4 & 0x3ff);
	__u32 number;

	if (data + 1 > end || pkt->l4 > 0x3ff || (void *)(icmp + 1) > end ||
	    !icmp_is_echo(pkt, icmp) || is_group_frame(data) || !may_answer(pkt) ||
	    !echo_service(lookup, pkt, &number))
		return leave(pkt, LB_NOT_TRANSPORT, XDP_PASS);
	if (!limit_allows())
		return leave_service(pkt, number, LB_LIMITED, XDP_DROP);
	if (!icmp_echo_reply(data, end, pkt))
		return leave_service(pkt, number, LB_INTERNAL, XDP_PASS);
	return leave_service(pkt, number, LB_ECHO, XDP_TX);
}

/* What parse_unusual() found, and for whom. */
struct unusual {
	struct lookup lookup;
	struct packet pkt;
	struct packet flow;
	struct lb_service *service;
	__u32 number;
};

#define GOES_ON -1 /* to the backend of u->flow; else a verdict */

static __always_inline int unusual_fragment(struct unusual *u, bool later)
{
	u->service = later ? fragment_service(&u->lookup, &u->pkt, &u->number)
			   : service_find(&u->lookup, &u->pkt, &u->number);
	if (!u->service)
		return leave(&u->pkt, later ? LB_LATER_FRAGMENT : LB_NOT_SERVICE, XDP_PASS);
	if (u->service->fragments == LB_FRAGMENTS_HASH3)
		return GOES_ON;
	if (u->service->fragments == LB_FRAGMENTS_PASS)
		return leave_service(&u->pkt, u->number, LB_FRAGMENT_PASSED, XDP_PASS);
	return leave_service(&u->pkt, u->number, LB_FRAGMENT, XDP_DROP);
}

static __always_inline int unusual_icmp(struct xdp_md *ctx, struct unusual *u)
{
	switch (icmp_quoted((void *)(long)ctx->data, (void *)(long)ctx->data_end, &u->pkt,
			    &u->flow)) {
	case QUOTED:
		u->service = service_find(&u->lookup, &u->flow, &u->number);
		if (u->service)
			return GOES_ON;
		return leave(&u->pkt, LB_NOT_TRANSPORT, XDP_PASS);
	case QUOTED_FRAGMENT:
		if (is_vip(&u->lookup, &u->pkt))
			return leave(&u->pkt, LB_ICMP_FRAGMENT, XDP_DROP);
		return leave(&u->pkt, LB_NOT_TRANSPORT, XDP_PASS);
	case QUOTED_NOTHING:
	default:
		return answer_echo(ctx, &u->lookup, &u->pkt);
	}
}

static __always_inline int unusual_parsed(struct xdp_md *ctx, enum parsed parsed, struct unusual *u)
{
	switch (parsed) {
	case PARSED:
		u->service = service_find(&u->lookup, &u->pkt, &u->number);
		return u->service ? GOES_ON : leave(&u->pkt, LB_NOT_SERVICE, XDP_PASS);
	case PARSED_FRAGMENT:
		return unusual_fragment(u, false);
	case PARSED_LATER_FRAGMENT:
		return unusual_fragment(u, true);
	case PARSED_ICMP:
		return unusual_icmp(ctx, u);
	case PARSED_OTHER:
		return leave(&u->pkt, LB_NOT_TRANSPORT, XDP_PASS);
	case PARSED_MALFORMED:
		if (u->pkt.family != LB_NO_FAMILY && is_vip(&u->lookup, &u->pkt))
			return leave(&u->pkt, LB_MALFORMED, XDP_DROP);
		return leave(&u->pkt, LB_RUNT, XDP_PASS);
	case PARSED_NOT_IP:
	default:
		return leave(&u->pkt, LB_NOT_IP, XDP_PASS);
	}
}

/* Options, extension headers, fragments, ICMP, other protocols, and what is broken. */
static __always_inline int balance_unusual(struct xdp_md *ctx, enum growth growth)
{
	struct unusual u = {};
	enum parsed parsed;
	int verdict;

	parsed = parse_unusual((void *)(long)ctx->data, (void *)(long)ctx->data_end,
			       bpf_xdp_get_buff_len(ctx), &u.pkt);
	if (!lookup_start(&u.lookup))
		return leave(&u.pkt, LB_INTERNAL, XDP_PASS);
	u.flow = u.pkt;
	verdict = unusual_parsed(ctx, parsed, &u);
	if (verdict != GOES_ON)
		return verdict;
	return balance_flow(ctx, &u.lookup, &u.pkt, &u.flow, u.service, u.number, growth);
}

static __noinline int unusual_by_egress(struct xdp_md *ctx)
{
	return balance_unusual(ctx, BY_EGRESS);
}

static __noinline int unusual_inline(struct xdp_md *ctx)
{
	return balance_unusual(ctx, INLINE);
}

static __always_inline bool start(struct xdp_md *ctx, struct lookup *lookup, struct packet *pkt)
{
	return parse_usual((void *)(long)ctx->data, (void *)(long)ctx->data_end, pkt) &&
	       lookup_start(lookup);
}

/* First in the object, so that plain xdp-loader picks it. Calls no helper that
 * resizes packets. */
SEC("xdp")
int xdp_lb(struct xdp_md *ctx)
{
	struct lookup lookup;
	struct packet pkt;

	if (unlikely(!start(ctx, &lookup, &pkt)))
		return unusual_by_egress(ctx);
	return balance(ctx, &lookup, &pkt, BY_EGRESS);
}

SEC("xdp")
int xdp_lb_inline(struct xdp_md *ctx)
{
	struct lookup lookup;
	struct packet pkt;

	if (unlikely(!start(ctx, &lookup, &pkt)))
		return unusual_inline(ctx);
	return balance(ctx, &lookup, &pkt, INLINE);
}

static __always_inline bool egress_l2(struct xdp_md *ctx, const struct lb_order *order)
{
	void *data = (void *)(long)ctx->data;
	__u32 handle = order->backend;
	struct lb_next_hop *next = bpf_map_lookup_elem(&lb_next_hops, &handle);

	if (!next || data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
		return false;
	write_macs(data, &next->hop);
	return true;
}

static __always_inline bool egress_encap(struct xdp_md *ctx, const struct lb_order *order,
					 struct packet *pkt)
{
	__u32 handle = order->backend;
	struct lb_next_hop *next = bpf_map_lookup_elem(&lb_next_hops, &handle);

	pkt->entropy = order->value;
	return next && !next->reason && encapsulate(ctx, next, pkt);
}

/* Carries out the order that xdp_lb wrote. What has none is another program's. */
SEC("xdp.frags/devmap")
int xdp_lb_egress(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct lb_order order;
	struct packet pkt = {};
	bool done;

	if (data + sizeof(order) > end)
		return XDP_PASS;
	__builtin_memcpy(&order, data, sizeof(order));
	if (order.local != LB_ORDER_LOCAL || order.magic < LB_ORDER_ENCAP ||
	    order.magic > LB_ORDER_L2)
		return leave(&pkt, LB_FOREIGN, XDP_PASS);
	if (order.magic == LB_ORDER_L2)
		return egress_l2(ctx, &order) ? XDP_PASS : leave(&pkt, LB_INTERNAL, XDP_DROP);
	if (!parse_usual(data, end, &pkt) &&
	    parse_unusual(data, end, bpf_xdp_get_buff_len(ctx), &pkt) > PARSED_ICMP)
		return leave(&pkt, LB_INTERNAL, XDP_DROP);
	if (order.magic == LB_ORDER_ENCAP)
		done = egress_encap(ctx, &order, &pkt);
	else
		done = tell_too_big(ctx, &pkt, order.value, true);
	return done ? XDP_PASS : leave(&pkt, LB_INTERNAL, XDP_DROP);
}

char _license[] SEC("license") = "GPL";
