/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow hash KM3: keyed by the service, the same on every node that has the
 * cluster key. For IPv4 it is a bijection of (source address, ports): two flows
 * never share all 64 bits. For IPv6 the source address is taken in by NH (Black
 * et al., UMAC, CRYPTO 1999), which is 2^-32 universal; a chain of multiplies
 * would not do, since differences in both halves can cancel for every key.
 *
 * Words are loaded from the packet as little-endian, the order of every machine
 * that the component is built for.
 */
#ifndef XDP_LB_FLOW_H
#define XDP_LB_FLOW_H

#include "parse.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the flow hash is defined on little-endian loads"
#endif

static __always_inline __u64 nh_word(__u64 word, __u64 key)
{
	return (__u64)((__u32)word + (__u32)key) *
	       (__u64)((__u32)(word >> 32) + (__u32)(key >> 32));
}

static __always_inline __u64 flow_hash(const __u64 key[7], const struct packet *pkt)
{
	__u64 h;

	if (pkt->family == LB_IPV4)
		h = (pkt->src[1] >> 32 | (__u64)pkt->ports << 32) ^ key[0];
	else
		h = key[0] + key[6] * pkt->ports + nh_word(pkt->src[0], key[4]) +
		    nh_word(pkt->src[1], key[5]);
	h *= key[1];
	h ^= h >> 32;
	h *= key[2];
	h ^= h >> 29;
	h *= key[3];
	return h ^ h >> 32;
}

#endif
