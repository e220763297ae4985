/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Orders (abi.h) for xdp_lb_egress, in the link header of a frame that is
 * redirected to a device by lb_egress. All return false where the device has no
 * egress program: the frame stays as it is.
 */
#ifndef XDP_LB_ORDER_H
#define XDP_LB_ORDER_H

#include "forward_l2.h"
#include "too_big.h"

static __always_inline bool redirect_by_egress(__u32 ifindex)
{
	return bpf_redirect_map(&lb_egress, ifindex, XDP_DROP) == XDP_REDIRECT;
}

static __always_inline bool order_encap(struct xdp_md *ctx, const struct packet *pkt,
					const struct lb_next_hop *next, __u32 handle)
{
	struct lb_order order = { LB_ORDER_LOCAL, LB_ORDER_ENCAP, handle, pkt->entropy };
	void *data = (void *)(long)ctx->data;

	if (data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end ||
	    !redirect_by_egress(next->hop.ifindex))
		return false;
	__builtin_memcpy(data, &order, sizeof(order));
	__builtin_memcpy(data + sizeof(order), next->hop.src, sizeof(next->hop.src));
	return true;
}

/* Keeps the link addresses for the answer, and sends the frame back where it came from. */
static __always_inline bool order_too_big(struct xdp_md *ctx, const struct packet *pkt, __u32 mtu)
{
	struct lb_order order = { LB_ORDER_LOCAL, LB_ORDER_TOO_BIG, 0, mtu };
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u16 *macs = order_macs(data, end, pkt);

	if (!macs || data + sizeof(struct ethhdr) > end ||
	    !redirect_by_egress(ctx->ingress_ifindex))
		return false;
	__builtin_memcpy(macs, data, 2 * ETH_ALEN);
	__builtin_memcpy(data, &order, sizeof(order));
	__builtin_memcpy(data + ETH_ALEN, macs, ETH_ALEN);
	return true;
}

static __always_inline enum lb_order_type order_of_type(__be16 type)
{
	switch (type) {
	case bpf_htons(ETH_P_IP):
		return LB_ORDER_IPV4;
	case bpf_htons(ETH_P_IPV6):
		return LB_ORDER_IPV6;
	case bpf_htons(ETH_P_8021Q):
		return LB_ORDER_8021Q;
	default:
		return LB_ORDER_8021AD;
	}
}

static __always_inline __be16 type_of_order(__u8 magic)
{
	switch (magic & LB_ORDER_TYPE) {
	case LB_ORDER_IPV4:
		return bpf_htons(ETH_P_IP);
	case LB_ORDER_IPV6:
		return bpf_htons(ETH_P_IPV6);
	case LB_ORDER_8021Q:
		return bpf_htons(ETH_P_8021Q);
	default:
		return bpf_htons(ETH_P_8021AD);
	}
}

/* With the link addresses that the frame is to have. */
static __always_inline bool order_to(struct xdp_md *ctx, const struct lb_hop *hop,
				     enum lb_order_to what)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u8 magic;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end || !redirect_by_egress(hop->ifindex))
		return false;
	magic = what | order_of_type(eth->h_proto);
	__builtin_memcpy((void *)eth + 2, hop->dst, sizeof(hop->dst) + sizeof(hop->src));
	eth->h_dest[0] = LB_ORDER_LOCAL;
	eth->h_dest[1] = magic;
	return true;
}

/* All that is redirected to a device must pass its egress program, also what needs
 * none: the kernel takes the program for a bulk of frames from the first of them. */
static __always_inline bool order_send(struct xdp_md *ctx, const struct lb_hop *hop)
{
	return order_to(ctx, hop, LB_ORDER_TO_SEND);
}

/* Gives the frame its link header, and returns what else is to be done; 0 where it has
 * no such order. */
static __always_inline __u8 take_order(void *data, void *end)
{
	struct ethhdr *eth = data;
	__u16 macs[6];
	__u8 magic;

	if ((void *)(eth + 1) > end)
		return 0;
	magic = eth->h_dest[1];
	if (eth->h_dest[0] != LB_ORDER_LOCAL || magic < LB_ORDER_TO_SEND ||
	    magic >= LB_ORDER_TO_END)
		return 0;
	__builtin_memcpy(macs, data + 2, sizeof(macs));
	__builtin_memcpy(data, macs, sizeof(macs));
	eth->h_proto = type_of_order(magic);
	return magic & ~LB_ORDER_TYPE;
}

#endif
