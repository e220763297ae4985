/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flows of mode fullnat: a part of abi.h. */
#ifndef XDP_LB_FLOW_ENTRY_H
#define XDP_LB_FLOW_ENTRY_H

#include <linux/types.h>

#include "family.h"

/*
 * lb_flows: LRU_HASH of the flows of mode fullnat, each under two keys: a packet
 * from the client to the VIP, and one from the backend to the source that the
 * first got. Addresses and ports are those of the packet, in wire bytes.
 */
#define LB_FLOWS 131072u /* keys, by default */
struct lb_flow_key {
	__u64 src[2]; /* IPv4 as ::ffff:a.b.c.d */
	__u64 dst[2];
	__u32 ports; /* source port, then destination port */
	__u8 proto;
	__u8 reserved[3];
};
LB_ASSERT_SIZE(struct lb_flow_key, 40);

enum lb_flow_state {
	LB_FLOW_OPENING = 0, /* TCP: only SYNs were seen */
	LB_FLOW_OPEN = 1,
	LB_FLOW_CLOSING = 2, /* TCP: FIN or RST was seen */
	LB_FLOW_UDP = 3,
	LB_FLOW_STATES = 4,
};

/* Seconds without a packet after which a flow's key is free for another flow. */
#define LB_FLOW_OPENING_IDLE 60u
#define LB_FLOW_OPEN_IDLE 21600u
#define LB_FLOW_CLOSING_IDLE 10u
#define LB_FLOW_UDP_IDLE 120u

struct lb_flow {
	struct lb_flow_key becomes; /* what its packets are rewritten to */
	__u32 seen;		    /* seconds since boot */
	__u32 hops;		    /* lb_arena_head.hops when its backend was looked at */
	__u16 service;
	__u16 backend;
	__u8 state; /* enum lb_flow_state */
	__u8 reserved[3];
};
LB_ASSERT_SIZE(struct lb_flow, 56);

#endif
