/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From (address, port, protocol) to a service, in lb_arena: a part of abi.h. */
#ifndef XDP_LB_SERVICE_INDEX_H
#define XDP_LB_SERVICE_INDEX_H

#include <linux/types.h>

#include "family.h"

/* One word, so that a new index replaces the old one between two packets. */
struct lb_index_ref {
	__u32 line;	  /* where the index starts, in lines of 64 bytes; 0: none */
	__u8 bucket_bits; /* log2 of the number of displacements */
	__u8 entry_bits;  /* log2 of the number of entries */
	__u8 flags;	  /* LB_INDEX_HAS_... */
	__u8 seed;
} __attribute__((aligned(8)));
LB_ASSERT_SIZE(struct lb_index_ref, 8);

/*
 * The index is a perfect hash from (address, port, protocol) to a service, by
 * hash and displace (Belazzougui, Botelho, Dietzfelbinger, ESA 2009): first
 * 2^bucket_bits displacements of 16 bits, then, at the next line, 2^entry_bits
 * entries. A key's entry is number
 *	((h >> 32) + displacement[h mod 2^bucket_bits]) mod 2^entry_bits
 * with h = lb_index_hash(key). Every VIP has one more entry, with port and
 * protocol 0 and LB_VIP_ENTRY as its service; one with port 0 and ICMP's number
 * if a service of it answers echo requests; and for each protocol one with port
 * 0 and LB_INDEX_FRAGMENT set in its family if a service takes fragments.
 *
 * A backend of mode nat has an entry with LB_INDEX_BACKEND set in its family, by
 * which its replies are known; with port 0 and LB_INDEX_FRAGMENT too where the
 * service takes fragments. An address of a pool has one with LB_INDEX_POOL.
 */
struct lb_index_entry {
	__u64 addr[2]; /* wire bytes; IPv4 as ::ffff:a.b.c.d */
	__u32 tag;     /* lb_index_tag(); 0: empty */
	__u32 service;
	__u64 reserved;
};
LB_ASSERT_SIZE(struct lb_index_entry, 32);
#define LB_VIP_ENTRY 0xffffffffu

/* In the family of a tag. */
#define LB_INDEX_FRAGMENT 0x80u
#define LB_INDEX_BACKEND 0x40u
#define LB_INDEX_POOL 0x20u

/* Some service ... */
#define LB_INDEX_HAS_ANY_PORT 1u /* has port 0 */
#define LB_INDEX_HAS_NAT 2u	 /* has a backend of mode nat */
#define LB_INDEX_HAS_POOL 4u	 /* has a pool, for mode fullnat */

/* The low half of ::ffff:a.b.c.d; wire_addr as loaded from a packet. */
static inline __u64 lb_mapped_low(__u32 wire_addr)
{
	return (__u64)wire_addr << 32 | 0xffff0000u;
}

static inline __u32 lb_index_tag(__u16 wire_port, __u8 proto, __u8 family)
{
	return wire_port | (__u32)proto << 16 | (__u32)family << 24;
}

/* Multipliers: the golden ratio's fraction (Knuth), SplitMix64's finalizer, and
 * xxHash's. The first three products don't wait for each other: the packet does. */
static inline __u64 lb_index_hash(__u64 addr0, __u64 addr1, __u32 tag, __u8 seed)
{
	__u64 h = addr0 * 0x9e3779b97f4a7c15ull + addr1 * 0xbf58476d1ce4e5b9ull +
		  ((__u64)seed << 32 | tag) * 0xc2b2ae3d27d4eb4full;

	h = (h ^ h >> 32) * 0x94d049bb133111ebull;
	return h ^ h >> 29;
}

#endif
