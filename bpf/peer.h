/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other nodes that serve the same VIPs: a frame from one of them has been balanced,
 * and is for this host. It isn't balanced again, also where this node would decide
 * otherwise: tables differ during a change, and a node alone knows what it remembers of
 * a flow. Known by its source, which no router forwards, a peer can't be feigned from
 * outside of the link. What comes in an outer header has been balanced as well, and is
 * for the kernel to take out; its source tells whether it may have a second chance.
 */
#ifndef XDP_LB_PEER_H
#define XDP_LB_PEER_H

#include "lookup.h"
#include "maps.h"

static __noinline int is_peer(__u64 link)
{
	struct lb_meta *meta;
	__u32 zero = 0, i;

	meta = bpf_map_lookup_elem(&lb_meta, &zero);
	if (!meta)
		return 0;
	for (i = 0; link && i < LB_PEER_TRIES; i++)
		if (*(volatile __u64 *)&meta->peer[lb_peer_place(link, i)] == link)
			return 1;
	return 0;
}

/* The kinds of peers that there are: LB_PEERS_... */
static __always_inline __u32 peers_of(const struct lookup *lookup)
{
	const struct lb_arena_head *head = lookup->arena;

	return *(volatile __u32 *)&head->peers;
}

/* Costs a look at a word where there are no peers. */
static __always_inline bool is_balanced(struct xdp_md *ctx, const struct lookup *lookup)
{
	void *data = (void *)(long)ctx->data;

	return unlikely(peers_of(lookup) & LB_PEERS_LINKS) &&
	       data + sizeof(struct ethhdr) <= (void *)(long)ctx->data_end &&
	       is_peer(lb_peer(data + ETH_ALEN));
}

/* Is the packet's source the address of a peer? No node's is in ::/64, where IPv4 addresses
 * and empty places are. */
static __noinline int is_of_peer(const struct packet *pkt)
{
	struct lb_meta *meta;
	__u32 zero = 0, i;

	if (pkt->family == LB_IPV6 && !pkt->src[0])
		return 0;
	meta = bpf_map_lookup_elem(&lb_meta, &zero);
	if (!meta)
		return 0;
	for (i = 0; i < LB_PEER_TRIES; i++) {
		__u64 *addr = meta->peer_addr[lb_peer_place(pkt->src[0] + pkt->src[1], i)];

		if (*(volatile __u64 *)addr == pkt->src[0] &&
		    *(volatile __u64 *)(addr + 1) == pkt->src[1])
			return 1;
	}
	return 0;
}

#endif
