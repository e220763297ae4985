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
#include "lookup.h"
#include "maps.h"
#include "pass_on.h"
#include "peer.h"
#include "recall.h"
#include "relay.h"
#include "sample.h"
#include "second.h"
#include "stats.h"
#include "unusual.h"

/* Behind filters and counters; what we pass goes on along the chain. */
struct {
	__uint(priority, 30);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(xdp_lb);
struct {
	__uint(priority, 30);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(xdp_lb_inline);

/* To the backend of a flow. */
static __always_inline int balance_flow(struct xdp_md *ctx, const struct way *way,
					enum growth growth)
{
	void *data = (void *)(long)ctx->data;

	if (unlikely(data + 1 > (void *)(long)ctx->data_end || is_group_frame(data)))
		return leave_service(way->pkt, way->service, LB_GROUP_FRAME, XDP_PASS);
	if (unlikely(!way->backend))
		return no_backend(ctx, way, growth);
	way->pkt->entropy = way->flow->entropy;
	return forward(ctx, way, growth);
}

/* Leaves the packet for unusual_go(). */
static __always_inline int set_aside(const struct packet *pkt, __u32 service, __u32 backend,
				     enum aside_kind kind)
{
	struct lb_scratch *s = scratch();

	if (!s)
		return XDP_PASS;
	s->pkt = *pkt;
	s->service = service;
	s->backend = backend;
	s->kind = kind;
	s->quoted = 0;
	return GOES_ON;
}

/* The verdict; GOES_ON where the packet was set aside; IS_UNUSUAL where its flow isn't its own. */
static __always_inline int balance(struct xdp_md *ctx, const struct lookup *lookup,
				   struct packet *pkt, enum growth growth)
{
	struct way way = { lookup, pkt, pkt, NULL, 0, 0, 0 };
	int verdict;

	way.record = service_find(lookup, pkt, &way.service);
	if (likely(way.record != NULL)) {
		if (is_balanced(ctx, lookup))
			return way.record->table.second
				       ? set_aside(pkt, way.service, 0, FROM_PEER)
				       : leave_service(pkt, way.service, LB_FROM_PEER, XDP_PASS);
		way.backend = pick(&way);
		verdict = GOES_ON;
		if (likely(way.backend != NOT_PICKED))
			verdict = balance_flow(ctx, &way, growth);
		return likely(verdict != GOES_ON)
			       ? verdict
			       : set_aside(pkt, way.service, way.backend, FOR_SERVICE);
	}
	if (reply_service(lookup, pkt, false, &way.service))
		return set_aside(pkt, way.service, 0, REPLY_OF_NAT);
	if (is_pool(lookup, pkt))
		return set_aside(pkt, 0, 0, REPLY_TO_POOL);
	if (pkt->proto == IPPROTO_UDP && unlikely(peers_of(lookup) & LB_PEERS_ADDRESSES) &&
	    is_of_peer(pkt))
		return IS_UNUSUAL; /* GUE, perhaps */
	return leave(pkt, LB_NOT_SERVICE, XDP_PASS);
}

/* What may come back from a backend, to its client. */
static __always_inline int return_flow(struct xdp_md *ctx, struct way *way, bool hidden,
				       enum growth growth)
{
	void *data = (void *)(long)ctx->data;

	if (unlikely(data + 1 > (void *)(long)ctx->data_end || is_group_frame(data)))
		return hidden ? leave(way->pkt, LB_GROUP_FRAME, XDP_PASS)
			      : leave_service(way->pkt, way->service, LB_GROUP_FRAME, XDP_PASS);
	return hidden ? reply_fullnat(ctx, way, growth) : reply_nat(ctx, way, growth);
}

static __always_inline int unusual_go(struct xdp_md *ctx, enum growth growth)
{
	struct lb_scratch *s = scratch();
	struct lookup lookup;
	struct way way;

	if (!s)
		return XDP_PASS;
	way = way_aside(s, &lookup);
	if (!lookup_start(&lookup) || !way.record)
		return leave(&s->pkt, LB_INTERNAL, XDP_PASS);
	if (s->kind == REPLY_OF_NAT || s->kind == REPLY_TO_POOL)
		return return_flow(ctx, &way, s->kind == REPLY_TO_POOL, growth);
	if (s->kind == ABOUT_OUTER)
		return growth == INLINE ? relay_inline(ctx, &way) : relay_by_egress(ctx, &way);
	if (s->kind == IN_OUTER && way.backend)
		return growth == INLINE ? pass_on_inline(ctx, &way) : pass_on_by_egress(ctx, &way);
	if (s->kind == FROM_PEER || s->kind == IN_OUTER)
		return leave_service(way.pkt, way.service, LB_FROM_PEER, XDP_PASS);
	if (unlikely(way.backend == NOT_NOW))
		return leave_service(way.pkt, way.service, LB_LIMITED, XDP_DROP);
	return balance_flow(ctx, &way, growth);
}

static __noinline int go_by_egress(struct xdp_md *ctx)
{
	return unusual_go(ctx, BY_EGRESS);
}

static __noinline int go_inline(struct xdp_md *ctx)
{
	return unusual_go(ctx, INLINE);
}

static __always_inline bool start(struct xdp_md *ctx, struct lookup *lookup, struct packet *pkt)
{
	return parse_usual((void *)(long)ctx->data, (void *)(long)ctx->data_end, pkt) &&
	       lookup_start(lookup);
}

static __always_inline int run(struct xdp_md *ctx, enum growth growth)
{
	int verdict = IS_UNUSUAL;
	struct lookup lookup;
	struct packet pkt;

	if (likely(start(ctx, &lookup, &pkt)))
		verdict = balance(ctx, &lookup, &pkt, growth);
	if (unlikely(verdict == IS_UNUSUAL))
		verdict = unusual_find(ctx);
	if (likely(verdict != GOES_ON))
		return end(ctx, verdict);
	pick_aside(ctx);
	second_aside(ctx);
	return end(ctx, growth == INLINE ? go_inline(ctx) : go_by_egress(ctx));
}

/* First in the object, so that plain xdp-loader picks it. Calls no helper that
 * resizes packets. */
SEC("xdp")
int xdp_lb(struct xdp_md *ctx)
{
	return run(ctx, BY_EGRESS);
}

SEC("xdp")
int xdp_lb_inline(struct xdp_md *ctx)
{
	return run(ctx, INLINE);
}

static __always_inline bool egress_encap(struct xdp_md *ctx, const struct lb_order *order,
					 struct packet *pkt)
{
	__u32 handle = order->backend;
	struct lb_next_hop *next = bpf_map_lookup_elem(&lb_next_hops, &handle);

	pkt->entropy = order->value;
	return next && !next->reason && encapsulate(ctx, next, pkt);
}

static __always_inline int carry_out(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct lb_order order;
	struct packet pkt = {};
	bool done;
	__u8 what;

	if (data + sizeof(order) > end)
		return XDP_PASS;
	__builtin_memcpy(&order, data, sizeof(order));
	what = take_order(data, end);
	if (what == LB_ORDER_TO_SEND)
		return XDP_PASS;
	if (!what && (order.local != LB_ORDER_LOCAL ||
		      (order.magic != LB_ORDER_ENCAP && order.magic != LB_ORDER_TOO_BIG)))
		return leave(&pkt, LB_FOREIGN, XDP_PASS);
	if (!parse_usual(data, end, &pkt) &&
	    parse_unusual(data, end, bpf_xdp_get_buff_len(ctx), &pkt) > PARSED_OTHER)
		return leave(&pkt, LB_INTERNAL, XDP_DROP);
	if (what == LB_ORDER_TO_REJECT)
		done = answer_reject(ctx, &pkt);
	else if (what == LB_ORDER_TO_RELAY)
		done = relay_ordered(ctx, &pkt);
	else if (order.magic == LB_ORDER_ENCAP)
		done = egress_encap(ctx, &order, &pkt);
	else
		done = tell_too_big(ctx, &pkt, order.value, true);
	return done ? XDP_PASS : leave(&pkt, LB_INTERNAL, XDP_DROP);
}

/* Carries out the order that xdp_lb wrote. What has none is another program's. */
SEC("xdp.frags/devmap")
int xdp_lb_egress(struct xdp_md *ctx)
{
	return end(ctx, carry_out(ctx));
}

char _license[] SEC("license") = "GPL";
