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
#include "parse.h"
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

static __always_inline int balance(struct xdp_md *ctx, const struct lookup *lookup,
				   struct packet *pkt, enum growth growth)
{
	void *data = (void *)(long)ctx->data;
	struct lb_service *service;
	__u32 number, handle;

	service = service_find(lookup, pkt, &number);
	if (!service)
		return leave(pkt, LB_NOT_SERVICE, XDP_PASS);
	if (unlikely(data + 1 > (void *)(long)ctx->data_end || is_group_frame(data)))
		return leave_service(pkt, number, LB_GROUP_FRAME, XDP_PASS);
	handle = backend_pick(lookup, service, pkt);
	if (unlikely(!handle))
		return leave_service(pkt, number, LB_NO_BACKEND, XDP_DROP);
	return forward(ctx, pkt, number, handle, growth);
}

/* Options, extension headers, fragments, other protocols, and what is broken. */
static __always_inline int balance_unusual(struct xdp_md *ctx, enum growth growth)
{
	struct lookup lookup;
	struct packet pkt;
	__u32 number;

	enum parsed parsed = parse_unusual((void *)(long)ctx->data, (void *)(long)ctx->data_end,
					   bpf_xdp_get_buff_len(ctx), &pkt);

	if (!lookup_start(&lookup))
		return leave(&pkt, LB_INTERNAL, XDP_PASS);
	switch (parsed) {
	case PARSED:
		return balance(ctx, &lookup, &pkt, growth);
	case PARSED_FRAGMENT:
		if (!service_find(&lookup, &pkt, &number))
			return leave(&pkt, LB_NOT_SERVICE, XDP_PASS);
		return leave_service(&pkt, number, LB_FRAGMENT, XDP_DROP);
	case PARSED_LATER_FRAGMENT:
		return leave(&pkt, LB_LATER_FRAGMENT, XDP_PASS);
	case PARSED_OTHER:
		return leave(&pkt, LB_NOT_TRANSPORT, XDP_PASS);
	case PARSED_MALFORMED:
		if (pkt.family != LB_NO_FAMILY && is_vip(&lookup, &pkt))
			return leave(&pkt, LB_MALFORMED, XDP_DROP);
		return leave(&pkt, LB_RUNT, XDP_PASS);
	case PARSED_NOT_IP:
	default:
		return leave(&pkt, LB_NOT_IP, XDP_PASS);
	}
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

/* Carries out the order that xdp_lb wrote. What has none is another program's. */
SEC("xdp.frags/devmap")
int xdp_lb_egress(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct lb_next_hop *next;
	struct lb_order order;
	struct packet pkt = {};
	__u32 handle;

	if (data + sizeof(order) > end)
		return XDP_PASS;
	__builtin_memcpy(&order, data, sizeof(order));
	if (order.local != LB_ORDER_LOCAL || order.magic != LB_ORDER_MAGIC)
		return leave(&pkt, LB_FOREIGN, XDP_PASS);
	if (!parse_usual(data, end, &pkt) &&
	    parse_unusual(data, end, bpf_xdp_get_buff_len(ctx), &pkt) != PARSED)
		return leave(&pkt, LB_INTERNAL, XDP_DROP);
	handle = order.backend;
	pkt.entropy = order.entropy;
	next = bpf_map_lookup_elem(&lb_next_hops, &handle);
	if (!next || next->reason || !encapsulate(ctx, next, &pkt))
		return leave(&pkt, LB_INTERNAL, XDP_DROP);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
