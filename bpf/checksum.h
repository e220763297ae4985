/* SPDX-License-Identifier: GPL-2.0-only */
/* The Internet checksum (RFC 1071), updated in place (RFC 1624). */
#ifndef XDP_LB_CHECKSUM_H
#define XDP_LB_CHECKSUM_H

#include <linux/types.h>

#include <bpf/bpf_endian.h>

/*
 * The checksum after one 16-bit word of what it covers changed from old to new.
 * RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). All three as loaded from the
 * packet: one's complement addition doesn't mind the byte order.
 */
static __always_inline __u16 checksum_replace(__u16 check, __u16 old, __u16 new)
{
	__u32 sum = (__u16)~check + (__u16)~old + new;

	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return ~sum;
}

/* The same where the word of TTL and protocol got less by one hop: the sum's
 * complement grows by as much (RFC 1141). A header's sum is never zero, so its
 * checksum never becomes 0xffff. */
static __always_inline __u16 checksum_hop(__u16 check)
{
	__u32 sum = check + bpf_htons(0x0100);

	return sum + (sum >= 0xffff);
}

/* Adds size bytes, a constant multiple of four, to a sum. RFC 1071 2 (B, C):
 * wider words and later folding make no difference. */
static __always_inline __u64 checksum_words(const void *words, __u32 size, __u64 sum)
{
	const __u32 *word = words;
	__u32 i;

#pragma unroll
	for (i = 0; i < size / sizeof(*word); i++)
		sum += word[i];
	return sum;
}

/* The checksum of what a sum is of. */
static __always_inline __u16 checksum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

#endif
