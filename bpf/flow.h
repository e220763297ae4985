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

static __always_inline __u64 hash_of(const __u64 key[7], __u8 family, __u64 src0, __u64 src1,
				     __u32 ports)
{
	__u64 h;

	if (family == LB_IPV4)
		h = (src1 >> 32 | (__u64)ports << 32) ^ key[0];
	else
		h = key[0] + key[6] * ports + nh_word(src0, key[4]) + nh_word(src1, key[5]);
	h *= key[1];
	h ^= h >> 32;
	h *= key[2];
	h ^= h >> 29;
	h *= key[3];
	return h ^ h >> 32;
}

static __always_inline __u64 flow_hash(const __u64 key[7], const struct packet *pkt)
{
	return hash_of(key, pkt->family, pkt->src[0], pkt->src[1], pkt->ports);
}

/* The first bits, as on the wire, of eight bytes of an address. */
static __always_inline __u64 prefix_mask(__u32 bits)
{
	return bits == 0 ? 0 : bpf_cpu_to_be64(~0ull << ((64 - bits) & 63));
}

/* The same for all packets from a prefix: ports count as 0, as in fragments. */
static __always_inline __u64 source_hash(const __u64 key[7], const struct packet *pkt, __u32 bits)
{
	__u32 high = bits < 64 ? bits : 64;

	if (pkt->family == LB_IPV4)
		return hash_of(key, LB_IPV4, 0, pkt->src[1] & prefix_mask((bits & 63) + 32), 0);
	return hash_of(key, LB_IPV6, pkt->src[0] & prefix_mask(high),
		       pkt->src[1] & prefix_mask(bits - high), 0);
}

#endif
