/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flows of mode fullnat: which source address and port of the service's pool
 * a client's flow has at its backend. Ports are looked for from a place that the
 * flow's hash gives, so a flow whose entries were lost finds its port again.
 *
 * Entries go when others need their room, the longest unused first. What has
 * been idle for longer than its state allows counts as gone (RFC 5382 5, RFC 4787
 * 4.3 have the same kinds of limits).
 */
#ifndef XDP_LB_FULLNAT_H
#define XDP_LB_FULLNAT_H

#include "flow.h"
#include "lookup.h"
#include "maps.h"
#include "next_hop.h"
#include "way.h"

#define FULLNAT_TRIES 16
#define FULLNAT_FIRST_PORT 1024u

static __always_inline __u32 flow_idle_limit(__u8 state)
{
	switch (state) {
	case LB_FLOW_OPENING:
		return LB_FLOW_OPENING_IDLE;
	case LB_FLOW_OPEN:
		return LB_FLOW_OPEN_IDLE;
	case LB_FLOW_CLOSING:
		return LB_FLOW_CLOSING_IDLE;
	default:
		return LB_FLOW_UDP_IDLE;
	}
}

static __always_inline bool flow_alive(const struct lb_flow *entry)
{
	return seconds_now() - entry->seen <= flow_idle_limit(entry->state);
}

static __always_inline void flow_key(struct lb_flow_key *key, const struct packet *flow)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->src[0] = flow->src[0];
	key->src[1] = flow->src[1];
	key->dst[0] = flow->dst[0];
	key->dst[1] = flow->dst[1];
	key->ports = flow->ports;
	key->proto = flow->proto;
}

/* The key of packets in the other direction. */
static __always_inline void flow_turn(struct lb_flow_key *turned, const struct lb_flow_key *key)
{
	__builtin_memset(turned, 0, sizeof(*turned));
	turned->src[0] = key->dst[0];
	turned->src[1] = key->dst[1];
	turned->dst[0] = key->src[0];
	turned->dst[1] = key->src[1];
	turned->ports = key->ports >> 16 | key->ports << 16;
	turned->proto = key->proto;
}

static __always_inline bool same_key(const struct lb_flow_key *a, const struct lb_flow_key *b)
{
	return a->src[0] == b->src[0] && a->src[1] == b->src[1] && a->dst[0] == b->dst[0] &&
	       a->dst[1] == b->dst[1] && a->ports == b->ports && a->proto == b->proto;
}

/* The entry of packets in the other direction, of the flow with this entry under key. NULL where
 * another flow has taken its place: its client may have opened a new one, or its source is
 * another's. */
static __always_inline struct lb_flow *
flow_other(const struct lb_flow *entry, const struct lb_flow_key *key, struct lb_flow_key *scrap)
{
	struct lb_flow *other;

	flow_turn(scrap, &entry->becomes);
	other = bpf_map_lookup_elem(&lb_flows, scrap);
	flow_turn(scrap, key);
	return other && same_key(&other->becomes, scrap) ? other : NULL;
}

/* Has the flow, with this entry under key, been used lately, in either direction? */
static __always_inline bool flow_lives(const struct lb_flow *entry, const struct lb_flow_key *key,
				       struct lb_flow_key *scrap)
{
	struct lb_flow *other;

	if (likely(flow_alive(entry)))
		return true;
	other = flow_other(entry, key, scrap);
	return other && flow_alive(other);
}

static __always_inline void flow_seen(struct lb_flow *entry, const struct lb_flow_key *key,
				      __u8 flags, struct lb_flow_key *scrap)
{
	__u32 now = seconds_now();
	struct lb_flow *other;

	if (entry->seen != now)
		entry->seen = now;
	if (entry->state == LB_FLOW_UDP)
		return;
	if (unlikely(flags & (TCP_FIN | TCP_RST)))
		entry->state = LB_FLOW_CLOSING;
	else if (unlikely(entry->state == LB_FLOW_OPENING) && !(flags & TCP_SYN))
		entry->state = LB_FLOW_OPEN;
	if (unlikely(flags & TCP_RST)) {
		other = flow_other(entry, key, scrap);
		if (other)
			other->state = LB_FLOW_CLOSING;
	}
}

/* Is the entry's backend, at this address and port, still one of its service? Once after each
 * change of any backend that is looked up. */
static __always_inline bool flow_has_backend(struct lb_flow *entry, const struct lookup *lookup,
					     const __u64 *address, __u16 wire_port)
{
	__u32 hops = hops_now(lookup), handle = entry->backend;
	struct lb_backend *backend;
	const __u64 *its;

	if (likely(entry->hops == hops))
		return true;
	backend = bpf_map_lookup_elem(&lb_backends, &handle);
	if (!backend)
		return false;
	its = (const void *)backend->addr;
	if (its[0] != address[0] || its[1] != address[1] ||
	    backend->conf.service != entry->service || backend->head.wire_port != wire_port ||
	    backend->head.forward != LB_FORWARD_FULLNAT || !backend->head.keeps)
		return false;
	entry->hops = hops;
	return true;
}

/* A SYN opens a new flow where the old one was being closed (RFC 9293 3.6.1), or its backend
 * takes no new ones. */
static __always_inline bool flow_reopens(const struct lb_flow *entry, const struct lb_flow_key *key,
					 const struct way *way, __u8 flags,
					 struct lb_flow_key *scrap)
{
	struct lb_flow *other;

	if (likely((flags & (TCP_SYN | TCP_RST)) != TCP_SYN))
		return false;
	if (way->backend && way->backend != entry->backend && !accepts(entry->backend))
		return true;
	other = flow_other(entry, key, scrap);
	return entry->state == LB_FLOW_CLOSING || (other && other->state == LB_FLOW_CLOSING);
}

/* Gives the flow of s->key a source: an entry of s->peer is made for what comes back. */
static __always_inline bool flow_take_port(const struct way *way, struct lb_scratch *s)
{
	const __u64 *pool = (const void *)way->record->pool;
	__u64 hash = flow_hash(way->record->key, way->flow);
	__u32 count = way->record->pool_count;
	struct lb_flow *other;
	int i;

	for (i = 0; i < FULLNAT_TRIES; i++, hash += 0x9e3779b97f4a7c15ull) {
		__u32 port = FULLNAT_FIRST_PORT +
			     (((hash & 0xffffffff) * (65536 - FULLNAT_FIRST_PORT)) >> 32);
		__u32 last = bpf_ntohl(pool[1] >> 32) + (((hash >> 32) * count) >> 32);

		s->peer.dst[0] = pool[0];
		s->peer.dst[1] = (pool[1] & 0xffffffff) | (__u64)bpf_htonl(last) << 32;
		s->peer.ports = (s->peer.ports & 0xffff) | (__u32)bpf_htons(port) << 16;
		if (!bpf_map_update_elem(&lb_flows, &s->peer, &s->entry, BPF_NOEXIST))
			return true;
		other = bpf_map_lookup_elem(&lb_flows, &s->peer);
		/* its own, whose other entry was lost, or one that is over */
		if (other && (same_key(&other->becomes, &s->entry.becomes) ||
			      !flow_lives(other, &s->peer, &s->scrap)))
			return !bpf_map_update_elem(&lb_flows, &s->peer, &s->entry, BPF_ANY);
	}
	return false;
}

/* A new flow: both of its entries. s->key is its key. */
static __always_inline struct lb_flow *flow_make(const struct way *way, struct lb_scratch *s,
						 __u8 flags)
{
	__u32 handle = way->backend;
	struct lb_backend *backend = bpf_map_lookup_elem(&lb_backends, &handle);
	const __u64 *address;

	if (!backend)
		return NULL;
	address = (const void *)backend->addr;
	__builtin_memset(&s->entry, 0, sizeof(s->entry));
	flow_turn(&s->entry.becomes, &s->key);
	s->entry.seen = seconds_now();
	s->entry.hops = hops_now(way->lookup);
	s->entry.service = way->service;
	s->entry.backend = way->backend;
	s->entry.state = way->flow->proto == IPPROTO_UDP ? LB_FLOW_UDP
			 : flags & (TCP_FIN | TCP_RST)	 ? LB_FLOW_CLOSING
			 : flags & TCP_SYN		 ? LB_FLOW_OPENING
							 : LB_FLOW_OPEN;
	__builtin_memset(&s->peer, 0, sizeof(s->peer));
	s->peer.src[0] = address[0];
	s->peer.src[1] = address[1];
	s->peer.ports = backend->head.wire_port;
	s->peer.proto = s->key.proto;
	if (!flow_take_port(way, s))
		return NULL;
	flow_turn(&s->entry.becomes, &s->peer);
	if (bpf_map_update_elem(&lb_flows, &s->key, &s->entry, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&lb_flows, &s->key);
}

/* The entry of a packet from a client, made if need be. NULL: no port, or, of an
 * ICMP error, which opens no flow, none. */
static __noinline struct lb_flow *flow_of_client(struct xdp_md *ctx, const struct way *way)
{
	struct lb_scratch *s = scratch();
	struct lb_flow *entry;
	__u8 flags;

	if (!s)
		return NULL;
	flags = tcp_flags(ctx, way->pkt);
	flow_key(&s->key, way->flow);
	entry = bpf_map_lookup_elem(&lb_flows, &s->key);
	if (entry && flow_lives(entry, &s->key, &s->scrap) &&
	    !flow_reopens(entry, &s->key, way, flags, &s->scrap) &&
	    entry->service == way->service &&
	    flow_has_backend(entry, way->lookup, entry->becomes.dst, entry->becomes.ports >> 16)) {
		if (!is_icmp(way->pkt))
			flow_seen(entry, &s->key, flags, &s->scrap);
		return entry;
	}
	if (is_icmp(way->pkt) || !way->backend)
		return NULL;
	return flow_make(way, s, flags);
}

/* The entry of a packet from a backend to an address of a pool, or NULL. */
static __noinline struct lb_flow *flow_of_backend(struct xdp_md *ctx, const struct way *way)
{
	struct lb_scratch *s = scratch();
	struct lb_flow *entry;

	if (!s)
		return NULL;
	flow_key(&s->key, way->flow);
	entry = bpf_map_lookup_elem(&lb_flows, &s->key);
	if (!entry || !flow_lives(entry, &s->key, &s->scrap) ||
	    !flow_has_backend(entry, way->lookup, way->flow->src, way->flow->ports))
		return NULL;
	if (!is_icmp(way->pkt))
		flow_seen(entry, &s->key, tcp_flags(ctx, way->pkt), &s->scrap);
	return entry;
}

#endif
