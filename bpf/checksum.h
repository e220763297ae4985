/* SPDX-License-Identifier: GPL-2.0-only */
/* The Internet checksum (RFC 1071), updated in place (RFC 1624). */
#ifndef XDP_LB_CHECKSUM_H
#define XDP_LB_CHECKSUM_H

#include <linux/types.h>

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

#endif
