/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every way out of the data path, by name: a part of abi.h. */
#ifndef XDP_LB_REASON_H
#define XDP_LB_REASON_H

/*
 * Why a packet left this way. Each way out counts exactly one of them, by
 * family in lb_reason_cnt and, where a service is known, in lb_service_cnt.
 * LB_FORWARDED alone is counted by backend, in lb_next_hops, and nowhere
 * else: the sums are user space's, with lb_service.retired and lb_meta.retired
 * for the backends and services that are gone.
 */
enum lb_reason {
	LB_FORWARDED = 0, /* sent to a backend */
	/* XDP_PASS, the packet untouched: not for a service */
	LB_NOT_IP = 1,	       /* neither IPv4 nor IPv6 */
	LB_NOT_TRANSPORT = 2,  /* IP, but neither TCP nor UDP */
	LB_NOT_SERVICE = 3,    /* TCP or UDP, but no service has that address and port */
	LB_LATER_FRAGMENT = 4, /* a fragment without ports: whose it is can't be told */
	LB_RUNT = 5,	       /* cut short or inconsistent, and not for a VIP */
	LB_GROUP_FRAME = 6,    /* for a service, but in a broadcast or multicast frame */
	/* XDP_DROP: for a service, and can't be delivered */
	LB_MALFORMED = 7,	/* cut short or inconsistent, and for a VIP */
	LB_FRAGMENT = 8,	/* first fragment of a service's packet */
	LB_TTL_EXPIRED = 9,	/* TTL or hop limit would reach zero */
	LB_NO_BACKEND = 10,	/* the slot has no backend */
	LB_NO_NEIGHBOUR = 11,	/* the backend's link address isn't known */
	LB_NO_ROUTE = 12,	/* the kernel has no route to the backend */
	LB_OFF_LINK = 13,	/* the route to the backend leads through a gateway */
	LB_FORWARDING_OFF = 14, /* forwarding is off on the packet's interface */
	LB_VLAN_MISMATCH = 15,	/* the packet has more or fewer VLAN tags than its way out */
	/* XDP_PASS, or XDP_DROP of what was changed already: a number in a map leads
	 * outside of another; a defect */
	LB_INTERNAL = 16,
	/* XDP_DROP: for a service, and can't be sent in its forwarding mode */
	LB_NO_SOURCE = 17, /* no address of this host to send from */
	LB_TOO_BIG = 18,   /* with the outer header, more than the way's MTU */
	LB_NO_EGRESS = 19, /* this chain can't grow packets, and no egress program can */
	/* XDP_PASS, in the egress program: not one of ours */
	LB_FOREIGN = 20, /* another program sends out of the same device: ours may leak */
	/* for a service: XDP_PASS, XDP_DROP */
	LB_FRAGMENT_PASSED = 21, /* first fragment, and the service passes them */
	LB_ICMP_FRAGMENT = 22,	 /* an ICMP error about a fragment without ports */
	/* XDP_TX, back to where it came from */
	LB_ECHO = 23, /* an echo request, answered for the VIP */
	/* XDP_DROP */
	LB_LIMITED = 24, /* too many answers or new flows lately, or a SYN of a live flow */
	/* XDP_TX, back to where it came from */
	LB_TOLD_TOO_BIG = 25, /* too big for its way with an outer header; the client is told */
	/* rewritten, and sent to the client */
	LB_RETURNED = 26, /* a reply of a backend of mode nat or fullnat */
	/* XDP_DROP: for a service of mode fullnat */
	LB_NO_PORT = 27, /* no free source port was found for a new flow */
	LB_NO_FLOW = 28, /* an ICMP error about a flow that isn't known */
	/* sent back to where it came from */
	LB_REJECTED = 29, /* for a service without a backend: answered with RST or unreachable */
	/* sent to the client */
	LB_RELAYED_TOO_BIG = 30, /* packet-too-big about an outer header: the client is told */
	/* XDP_PASS */
	LB_NO_BACKEND_PASSED = 31, /* the slot has no backend, and the service passes such */
	LB_FROM_PEER = 32,	   /* another node balanced it: it is for this host */
	LB_OTHERS_FRAME = 33,	   /* for a service, but in a frame for another station */
	LB_REASON_COUNT = 34,
};

#endif
