/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other nodes that serve the same VIPs: a frame from one of them has been balanced,
 * and is for this host. It isn't balanced again, also where this node would decide
 * otherwise: tables differ during a change, and a node alone knows what it remembers of
 * a flow. Known by its source, which no router forwards, a peer can't be feigned from
 * outside of the link.
 */
#ifndef XDP_LB_PEER_H
#define XDP_LB_PEER_H

#include "lookup.h"
#include "maps.h"

static __noinline int is_from_peer(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct lb_meta *meta;
	__u32 zero = 0, i;
	__u64 from;

	if (data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
		return 0;
	meta = bpf_map_lookup_elem(&lb_meta, &zero);
	if (!meta)
		return 0;
	from = lb_peer(data + ETH_ALEN);
	for (i = 0; from && i < LB_PEER_TRIES; i++)
		if (*(volatile __u64 *)&meta->peer[lb_peer_place(from, i)] == from)
			return 1;
	return 0;
}

/* Costs a look at a word where there are no peers. */
static __always_inline bool is_balanced(struct xdp_md *ctx, const struct lookup *lookup)
{
	const struct lb_arena_head *head = lookup->arena;

	return unlikely(*(volatile __u32 *)&head->peers) && is_from_peer(ctx);
}

#endif
