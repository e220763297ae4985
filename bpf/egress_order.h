/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From xdp_lb to xdp_lb_egress: a part of abi.h. */
#ifndef XDP_LB_EGRESS_ORDER_H
#define XDP_LB_EGRESS_ORDER_H

#include <linux/types.h>

#include "family.h"

/*
 * lb_egress: DEVMAP_HASH[LB_EGRESS_DEVICES] by ifindex, each entry with the
 * program xdp_lb_egress. Where a chain takes no program that grows packets,
 * xdp_lb redirects through it, with this in place of the frame's destination:
 */
#define LB_EGRESS_DEVICES 256u
#define LB_ORDER_LOCAL 0x02u /* a locally administered address */
#define LB_ORDER_ENCAP 0xb7u /* and what to do, with what tells this version */
#define LB_ORDER_TOO_BIG 0xb8u
struct lb_order {
	__u8 local;
	__u8 magic;
	__u16 backend; /* its handle */
	__u16 value;   /* the flow's entropy; or the MTU that a packet is too big for */
};
LB_ASSERT_SIZE(struct lb_order, 6);

/* Or, with the link addresses that the frame is to have, two bytes further on, over its
 * type: the order's second byte is what to do and, in its low bits, that type. */
#define LB_ORDER_TYPE 3u
enum lb_order_type {
	LB_ORDER_IPV4 = 0,
	LB_ORDER_IPV6 = 1,
	LB_ORDER_8021Q = 2,
	LB_ORDER_8021AD = 3,
};
enum lb_order_to {
	LB_ORDER_TO_SEND = 0xc0,   /* nothing: it is ready */
	LB_ORDER_TO_REJECT = 0xc4, /* make it the answer that its service has no backend */
	LB_ORDER_TO_RELAY = 0xc8,  /* make it packet-too-big of the packet that it quotes */
	LB_ORDER_TO_END = 0xcc,
};

#endif
