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

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4

/* Zero for what isn't TCP. */
static __always_inline __u8 tcp_flags(struct xdp_md *ctx, const struct packet *pkt)
{
	__u8 *flags = (void *)(long)ctx->data + (pkt->l4 & 0x3ff) + 13;

	if (pkt->proto != IPPROTO_TCP || pkt->l4 > 0x3ff ||
	    (void *)(flags + 1) > (void *)(long)ctx->data_end)
		return 0;
	return *flags;
}

/* Seconds, near enough: without a division, and without knowing HZ. */
static __always_inline __u32 seconds_now(void)
{
	return bpf_ktime_get_coarse_ns() >> LB_SECOND_SHIFT;
}

struct way {
	const struct lookup *lookup;
	struct packet *pkt;
	/* The packet's own but for ICMP errors: of the packets that go the same way. */
	struct packet *flow;
	struct lb_service *record; /* NULL for replies of mode fullnat */
	__u32 service;		   /* its number */
	__u16 backend;		   /* handle of the flow's, or NOT_PICKED */
	__u8 aside; /* 1: the packet was set aside, where its flow may be looked up */
};

/* How this program has packets resized. Always a constant: what the other way needs is
 * no part of the program then. */
enum growth { BY_EGRESS, INLINE };

/* That of a packet that was set aside. */
static __always_inline struct way way_aside(struct lb_scratch *s, const struct lookup *lookup)
{
	struct packet *flow = s->quoted ? &s->flow : &s->pkt;
	struct way way = { lookup, &s->pkt, flow, NULL, s->service, s->backend, 1 };

	way.record = bpf_map_lookup_elem(&lb_services, &way.service);
	return way;
}

/* The backend of a flow whose slot is clean, or 0: it has none; or NOT_PICKED. */
static __always_inline __u32 pick(const struct way *way)
{
	struct place place;

	if (unlikely(!place_find(way->lookup, way->record, way->flow, &place)))
		return 0;
	if (unlikely(place.slot.current != place.slot.previous || place.table.remembers ||
		     place.table.second))
		return NOT_PICKED;
	return place.slot.current;
}

#define GOES_ON -1    /* not a verdict yet */
#define IS_UNUSUAL -2 /* nor this: for unusual_find() */

#endif
