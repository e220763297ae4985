/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A packet and its backend -> a way out, by the backend's forwarding mode.
 *
 * Newer kernels refuse programs that resize packets in the dispatchers of older
 * libxdp releases, also where the call is dead code. So what grows packets is in
 * a program of its own, xdp_lb_inline; where a chain doesn't take that, xdp_lb
 * redirects with an order in the frame's destination, and xdp_lb_egress carries
 * it out on the way to the device.
 */
#ifndef XDP_LB_FORWARD_H
#define XDP_LB_FORWARD_H

#include "forward_encap.h"
#include "forward_l2.h"
#include "limit.h"
#include "too_big.h"

enum growth { BY_EGRESS, INLINE };

/* False where the device has no egress program: the frame stays as it is. */
static __always_inline bool order_egress(struct xdp_md *ctx, const struct packet *pkt,
					 const struct lb_next_hop *next, __u32 handle, __u8 magic)
{
	struct lb_order order = { LB_ORDER_LOCAL, magic, handle, pkt->entropy };
	void *data = (void *)(long)ctx->data;

	if (data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end ||
	    bpf_redirect_map(&lb_egress, next->hop.ifindex, XDP_DROP) != XDP_REDIRECT)
		return false;
	__builtin_memcpy(data, &order, sizeof(order));
	__builtin_memcpy(data + sizeof(order), next->hop.src, sizeof(next->hop.src));
	return true;
}

/* All that is redirected to a device must pass its egress program: the kernel
 * takes the program for a bulk of frames from the first of them. */
static __always_inline int forward_l2(struct xdp_md *ctx, const struct packet *pkt,
				      const struct lb_next_hop *next, __u32 service, __u32 handle,
				      enum growth growth)
{
	void *data = (void *)(long)ctx->data;

	if (growth == BY_EGRESS && unlikely(next->hop.ifindex != ctx->ingress_ifindex) &&
	    order_egress(ctx, pkt, next, handle, LB_ORDER_L2))
		return leave_forwarded(pkt, handle, XDP_REDIRECT);
	if (data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
		return leave_service(pkt, service, LB_INTERNAL, XDP_DROP);
	write_macs(data, &next->hop);
	return send(ctx, pkt, next, handle);
}

/* Keeps the link addresses for the answer, and sends the frame back where it came from. */
static __always_inline bool order_too_big(struct xdp_md *ctx, const struct packet *pkt, __u32 mtu)
{
	struct lb_order order = { LB_ORDER_LOCAL, LB_ORDER_TOO_BIG, 0, mtu };
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u16 *macs = order_macs(data, end, pkt);

	if (!macs || data + sizeof(struct ethhdr) > end ||
	    bpf_redirect_map(&lb_egress, ctx->ingress_ifindex, XDP_DROP) != XDP_REDIRECT)
		return false;
	__builtin_memcpy(macs, data, 2 * ETH_ALEN);
	__builtin_memcpy(data, &order, sizeof(order));
	__builtin_memcpy(data + ETH_ALEN, macs, ETH_ALEN);
	return true;
}

static __always_inline int too_big(struct xdp_md *ctx, const struct packet *pkt, __u32 service,
				   __u32 mtu, enum growth growth)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *l3 = data + (pkt->l3 & 31);

	if (l3 + sizeof(struct iphdr) > end || !may_tell(pkt, l3))
		return leave_service(pkt, service, LB_TOO_BIG, XDP_DROP);
	if (!limit_allows())
		return leave_service(pkt, service, LB_LIMITED, XDP_DROP);
	if (growth == BY_EGRESS) {
		if (order_too_big(ctx, pkt, mtu))
			return leave_service(pkt, service, LB_TOLD_TOO_BIG, XDP_REDIRECT);
	} else if (tell_too_big(ctx, pkt, mtu, false)) {
		return leave_service(pkt, service, LB_TOLD_TOO_BIG, XDP_TX);
	}
	return leave_service(pkt, service, LB_TOO_BIG, XDP_DROP);
}

static __always_inline int forward(struct xdp_md *ctx, const struct packet *pkt, __u32 service,
				   __u32 handle, enum growth growth)
{
	struct lb_next_hop *next = next_hop(ctx, handle);
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *l3 = data + (pkt->l3 & 31); /* the verifier forgot that it is at most 22 */

	if (unlikely(!next || data + sizeof(struct ethhdr) > end ||
		     l3 + sizeof(struct iphdr) > end))
		return leave_service(pkt, service, LB_INTERNAL, XDP_PASS);
	if (unlikely(next->reason == LB_HOP_LOCAL))
		return leave_forwarded(pkt, handle, XDP_PASS);
	if (unlikely(next->reason))
		return leave_service(pkt, service, next->reason, XDP_DROP);
	if (next->forward != LB_FORWARD_L2 && next->mtu &&
	    unlikely(pkt->bytes - pkt->l3 + outer_size(next) > next->mtu))
		return too_big(ctx, pkt, service, next->mtu - outer_size(next), growth);
	if (unlikely(!hop_down(l3, pkt->family)))
		return leave_service(pkt, service, LB_TTL_EXPIRED, XDP_DROP);
	if (unlikely(!fit_vlan(data, end, pkt, next->vlan)))
		return leave_service(pkt, service, LB_VLAN_MISMATCH, XDP_DROP);
	if (next->forward == LB_FORWARD_L2)
		return forward_l2(ctx, pkt, next, service, handle, growth);
	if (growth == BY_EGRESS) {
		if (order_egress(ctx, pkt, next, handle, LB_ORDER_ENCAP))
			return leave_forwarded(pkt, handle, XDP_REDIRECT);
		return leave_service(pkt, service, LB_NO_EGRESS, XDP_DROP);
	}
	if (unlikely(!encapsulate(ctx, next, pkt)))
		return leave_service(pkt, service, LB_INTERNAL, XDP_DROP);
	return send(ctx, pkt, next, handle);
}

#endif
