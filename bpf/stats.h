/* SPDX-License-Identifier: GPL-2.0-only */
/* Counting, and the only ways out of the program. */
#ifndef XDP_LB_STATS_H
#define XDP_LB_STATS_H

#include "maps.h"
#include "parse.h"

static __always_inline void count(struct lb_counter *counter, __u32 bytes)
{
	counter->packets++;
	counter->bytes += bytes;
}

static __always_inline void count_reason(void *map, __u32 key, enum lb_reason reason, __u32 bytes)
{
	struct lb_reason_counters *counters = bpf_map_lookup_elem(map, &key);
	__u32 number = reason;

	/* the verifier is to see the very register compared that is used */
	asm volatile("" : "+r"(number));
	if (counters && number < LB_REASONS)
		count(&counters->reason[number], bytes);
}

/* A verdict that somebody may want to see the packet of (sample.h) says why. */
#define REASON_SHIFT 8
static __always_inline int with_reason(enum lb_reason reason, int action)
{
	if (action == XDP_DROP || reason == LB_INTERNAL || reason == LB_FOREIGN)
		return action | reason << REASON_SHIFT;
	return action;
}

/* Leaves with action because of reason: the packet has no service. */
static __always_inline int leave(const struct packet *pkt, enum lb_reason reason, int action)
{
	count_reason(&lb_reason_cnt, pkt->family, reason, pkt->bytes);
	return with_reason(reason, action);
}

/* Leaves with action because of reason: the packet is for this service. */
static __noinline int leave_service(const struct packet *pkt, __u32 service, enum lb_reason reason,
				    int action)
{
	count_reason(&lb_service_cnt, service, reason, pkt->bytes);
	return leave(pkt, reason, action);
}

/* Leaves for a backend: its counter is the only one touched. */
static __always_inline int leave_forwarded(const struct packet *pkt, struct lb_next_hop *next,
					   int action)
{
	count(&next->forwarded, pkt->bytes);
	return action;
}

#endif
