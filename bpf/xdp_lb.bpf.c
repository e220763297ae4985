// SPDX-License-Identifier: GPL-2.0-only
/*
 * xdp-lb's data path: a component of a libxdp chain. A packet for a service
 * goes to the backend that its flow's slot names; every other packet goes on
 * along the chain, untouched.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

#include "forward_l2.h"
#include "lookup.h"
#include "maps.h"
#include "parse.h"
#include "stats.h"

/* Behind filters and counters; what we pass goes on along the chain. */
struct {
	__uint(priority, 30);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(xdp_lb);

/* A frame to a group of stations reaches every balancer among them: a service's
 * packet in it would be multiplied (RFC 1122 3.3.6). */
static __always_inline bool is_group_frame(void *data)
{
	return *(__u8 *)data & 1;
}

static __always_inline int balance(struct xdp_md *ctx, const struct lookup *lookup,
				   const struct packet *pkt)
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
	return forward_l2(ctx, pkt, number, handle);
}

/* Options, extension headers, fragments, other protocols, and what is broken. */
static __noinline int balance_unusual(struct xdp_md *ctx)
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
		return balance(ctx, &lookup, &pkt);
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

SEC("xdp")
int xdp_lb(struct xdp_md *ctx)
{
	struct lookup lookup;
	struct packet pkt;

	if (unlikely(!parse_usual((void *)(long)ctx->data, (void *)(long)ctx->data_end, &pkt) ||
		     !lookup_start(&lookup)))
		return balance_unusual(ctx);
	return balance(ctx, &lookup, &pkt);
}

char _license[] SEC("license") = "GPL";
