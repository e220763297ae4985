/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Other nodes, by their addresses: a part of abi.h. */
#ifndef XDP_LB_PEER_PLACE_H
#define XDP_LB_PEER_PLACE_H

#include <linux/types.h>

/*
 * A link address of another node is a word with the bytes of a frame's source, six of them, at one
 * of LB_PEER_TRIES places of lb_meta.peer; 0: none is. An address of one is two words, wire bytes,
 * IPv4 as ::ffff:a.b.c.d, likewise in lb_meta.peer_addr; its place is that of its words' sum.
 */
#define LB_PEERS 64u /* link addresses; and as many addresses of each family */
#define LB_PEERS_LINKS 1u
#define LB_PEERS_ADDRESSES 2u
#define LB_PEER_PLACES 512u
#define LB_PEER_TRIES 8u

static inline __u64 lb_peer(const __u8 *mac)
{
	return (__u64)mac[0] | (__u64)mac[1] << 8 | (__u64)mac[2] << 16 | (__u64)mac[3] << 24 |
	       (__u64)mac[4] << 32 | (__u64)mac[5] << 40;
}

static inline __u32 lb_peer_place(__u64 peer, __u32 attempt)
{
	return ((peer * 0x9e3779b97f4a7c15ull >> 55) + attempt) & (LB_PEER_PLACES - 1);
}

#endif
