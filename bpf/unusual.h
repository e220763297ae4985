/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose a packet is that parse_usual() doesn't take: options, extension headers,
 * fragments, ICMP, other protocols, and what is broken. What is for a service, or
 * comes back from one, is set aside in lb_scratch; the rest leaves from here.
 */
#ifndef XDP_LB_UNUSUAL_H
#define XDP_LB_UNUSUAL_H

#include "icmp.h"
#include "limit.h"
#include "lookup.h"
#include "maps.h"
#include "outer.h"
#include "parse_unusual.h"
#include "peer.h"
#include "stats.h"
#include "way.h"

/* An echo request for a VIP that answers; anything else is none of ours. */
static __always_inline int answer_echo(struct xdp_md *ctx, const struct lookup *lookup,
				       const struct packet *pkt)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct icmp_header *icmp = data + (pkt->l4 & 0x3ff);
	__u32 number;

	if (data + 1 > end || pkt->l4 > 0x3ff || (void *)(icmp + 1) > end ||
	    !icmp_is_echo(pkt, icmp) || is_group_frame(data) || !may_answer(pkt) ||
	    !echo_service(lookup, pkt, &number))
		return leave(pkt, LB_NOT_TRANSPORT, XDP_PASS);
	if (!may_answer_now())
		return leave_service(pkt, number, LB_LIMITED, XDP_DROP);
	if (!icmp_echo_reply(data, end, pkt))
		return leave_service(pkt, number, LB_INTERNAL, XDP_PASS);
	return leave_service(pkt, number, LB_ECHO, XDP_TX);
}

/* What parse_unusual() found, and for whom. */
struct unusual {
	struct lookup lookup;
	struct packet *pkt;
	struct packet *flow;
	__u32 service;
	enum aside_kind kind;
};

/* The service that a flow is of, in either direction. */
static __always_inline struct lb_service *find_either(struct unusual *u, const struct packet *flow,
						      bool later)
{
	struct lb_service *service;

	service = later ? fragment_service(&u->lookup, flow, &u->service)
			: service_find(&u->lookup, flow, &u->service);
	u->kind = FOR_SERVICE;
	if (service)
		return service;
	u->kind = REPLY_OF_NAT;
	return reply_service(&u->lookup, flow, later, &u->service);
}

static __always_inline bool is_of_flow(struct unusual *u, const struct packet *flow)
{
	if (find_either(u, flow, false))
		return true;
	u->kind = REPLY_TO_POOL;
	return is_pool(&u->lookup, u->pkt);
}

static __always_inline bool is_about_outer(struct xdp_md *ctx, struct unusual *u)
{
	u->kind = ABOUT_OUTER;
	return find_outer(ctx, u->pkt, &u->lookup, &u->service);
}

/* A packet for a service with second chances, in an outer header of a peer's. */
static __always_inline bool is_packed(struct xdp_md *ctx, struct unusual *u)
{
	struct lb_service *service;

	if (likely(!(peers_of(&u->lookup) & LB_PEERS_ADDRESSES)) || !is_of_peer(u->pkt) ||
	    !find_packed(ctx, u->pkt))
		return false;
	u->kind = IN_OUTER;
	service = service_find(&u->lookup, u->flow, &u->service);
	return service && service->table.second;
}

static __always_inline int unusual_fragment(struct unusual *u, bool later)
{
	struct lb_service *service = find_either(u, u->pkt, later);

	if (!service)
		return leave(u->pkt, later ? LB_LATER_FRAGMENT : LB_NOT_SERVICE, XDP_PASS);
	if (service->fragments == LB_FRAGMENTS_HASH3)
		return GOES_ON;
	if (service->fragments == LB_FRAGMENTS_PASS)
		return leave_service(u->pkt, u->service, LB_FRAGMENT_PASSED, XDP_PASS);
	return leave_service(u->pkt, u->service, LB_FRAGMENT, XDP_DROP);
}

static __always_inline int unusual_icmp(struct xdp_md *ctx, struct unusual *u)
{
	switch (icmp_quoted((void *)(long)ctx->data, (void *)(long)ctx->data_end, u->pkt,
			    u->flow)) {
	case QUOTED:
		if (is_of_flow(u, u->flow) || is_about_outer(ctx, u))
			return GOES_ON;
		return leave(u->pkt, LB_NOT_TRANSPORT, XDP_PASS);
	case QUOTED_FRAGMENT:
		if (is_vip(&u->lookup, u->pkt))
			return leave(u->pkt, LB_ICMP_FRAGMENT, XDP_DROP);
		return leave(u->pkt, LB_NOT_TRANSPORT, XDP_PASS);
	case QUOTED_NOTHING:
	default:
		if (is_about_outer(ctx, u))
			return GOES_ON;
		return answer_echo(ctx, &u->lookup, u->pkt);
	}
}

static __always_inline int unusual_parsed(struct xdp_md *ctx, enum parsed parsed, struct unusual *u)
{
	switch (parsed) {
	case PARSED:
		if (is_of_flow(u, u->pkt) || is_packed(ctx, u))
			return GOES_ON;
		return leave(u->pkt, LB_NOT_SERVICE, XDP_PASS);
	case PARSED_FRAGMENT:
		return unusual_fragment(u, false);
	case PARSED_LATER_FRAGMENT:
		return unusual_fragment(u, true);
	case PARSED_ICMP:
		return unusual_icmp(ctx, u);
	case PARSED_OTHER:
		return is_packed(ctx, u) ? GOES_ON : leave(u->pkt, LB_NOT_TRANSPORT, XDP_PASS);
	case PARSED_MALFORMED:
		if (u->pkt->family != LB_NO_FAMILY && is_vip(&u->lookup, u->pkt))
			return leave(u->pkt, LB_MALFORMED, XDP_DROP);
		return leave(u->pkt, LB_RUNT, XDP_PASS);
	case PARSED_NOT_IP:
	default:
		return leave(u->pkt, LB_NOT_IP, XDP_PASS);
	}
}

/*
 * Options, extension headers, fragments, ICMP, other protocols, and what is broken.
 * In two steps, for the stack's sake: whose packet it is, and what becomes of it.
 */
static __noinline int unusual_find(struct xdp_md *ctx)
{
	struct lb_scratch *s = scratch();
	struct unusual u = {};
	enum parsed parsed;
	int verdict;

	if (!s)
		return XDP_PASS;
	u.pkt = &s->pkt;
	u.flow = &s->flow;
	parsed = parse_unusual((void *)(long)ctx->data, (void *)(long)ctx->data_end,
			       bpf_xdp_get_buff_len(ctx), u.pkt);
	if (!lookup_start(&u.lookup))
		return leave(u.pkt, LB_INTERNAL, XDP_PASS);
	if (parsed == PARSED_ICMP)
		*u.flow = *u.pkt;
	verdict = unusual_parsed(ctx, parsed, &u);
	if (verdict == GOES_ON && u.kind == FOR_SERVICE && is_balanced(ctx, &u.lookup))
		u.kind = FROM_PEER;
	s->service = u.service;
	s->backend = NOT_PICKED;
	s->kind = u.kind;
	s->quoted = parsed == PARSED_ICMP || u.kind == IN_OUTER;
	return verdict;
}

#endif
