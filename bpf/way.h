/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of a packet between finding whose it is and sending it. */
#ifndef XDP_LB_WAY_H
#define XDP_LB_WAY_H

#include "lookup.h"
#include "parse.h"

/* A frame to a group of stations reaches every balancer among them: a service's
 * packet in it would be multiplied (RFC 1122 3.3.6). */
static __always_inline bool is_group_frame(void *data)
{
	return *(__u8 *)data & 1;
}

struct way {
	const struct lookup *lookup;
	const struct packet *pkt;
	/* The packet's own but for ICMP errors: of the packets that go the same way. */
	const struct packet *flow;
	struct lb_service *record; /* NULL for replies of mode fullnat */
	__u32 service;		   /* its number */
	__u16 backend;		   /* handle of the one that the flow's slot names */
	__u8 aside; /* 1: the packet was set aside, where its flow may be looked up */
};

/* How this program has packets resized. Always a constant: what the other way needs is
 * no part of the program then. */
enum growth { BY_EGRESS, INLINE };

#define GOES_ON -1 /* not a verdict yet */

#endif
