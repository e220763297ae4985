/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Second chance: a TCP packet in the middle of a connection, for this host by this node's
 * table or by that of the node that sent it. If this host has no socket for it, another
 * backend of its slot may: routers move connections to nodes that don't know what another
 * remembers of them. (The second hop of GitHub's GLB director; but the slot tells where to,
 * and no list of hops is in the packet.) Nothing is remembered of it.
 *
 * Of UDP only a connected socket tells whose a flow is: it stays with that, and without one
 * it goes where the slot says, since any server may answer it.
 */
#ifndef XDP_LB_SECOND_H
#define XDP_LB_SECOND_H

#include "forward_encap.h"
#include "next_hop.h"
#include "pass_on.h"
#include "recall.h"
#include "way.h"

#define LB_TCP_ESTABLISHED 1 /* as the kernel has them */
#define LB_TCP_TIME_WAIT 6
#define LB_TCP_LISTEN 10
#define LB_TCP_HEADER 20 /* without options */

/* Is a listener's cookie in the packet (bpf_tcp_check_syncookie)? Its connection has no socket
 * yet. */
static __always_inline bool has_cookie(struct xdp_md *ctx, struct bpf_sock *listener,
				       const struct packet *pkt)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *tcp = data + (pkt->l4 & 0x3ff);
	void *ip = data + (pkt->l3 & 0xff);
	__u32 size = pkt->family == LB_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	if (ip + sizeof(struct ipv6hdr) > end || tcp + LB_TCP_HEADER > end)
		return false;
	return !bpf_tcp_check_syncookie(listener, ip, size, tcp, LB_TCP_HEADER);
}

/* Or was it in one just now? Only that packet's sequence number tells, and what the client has sent
 * right behind it comes here before there is a socket. */
static __always_inline bool accepts_cookie(struct xdp_md *ctx, struct bpf_sock *listener,
					   const struct way *way, struct lb_scratch *s)
{
	__u64 hash = flow_hash(way->record->key, way->flow);
	__u64 *seen = &s->cookies[hash & (LB_COOKIES - 1)];
	__u64 now = (hash & ~0xffffULL) | (seconds_now() & 0xffff);

	if (!has_cookie(ctx, listener, way->pkt))
		return *seen == now || *seen + 1 == now;
	*seen = now;
	return true;
}

/* Is there a UDP socket that is connected to the flow's client? */
static __always_inline __u32 udp_state(struct xdp_md *ctx, struct bpf_sock_tuple *tuple, __u32 size)
{
	struct bpf_sock *socket = bpf_sk_lookup_udp(ctx, tuple, size, BPF_F_CURRENT_NETNS, 0);
	__u32 state;

	if (!socket)
		return 0;
	/* not one load for both kinds of sockets: the verifier refuses that */
	state = *(volatile __u32 *)&socket->state;
	bpf_sk_release(socket);
	return state == LB_TCP_ESTABLISHED ? state : 0;
}

static __always_inline __u32 tcp_state(struct xdp_md *ctx, const struct way *way,
				       struct lb_scratch *s, struct bpf_sock_tuple *tuple,
				       __u32 size)
{
	struct bpf_sock *socket = bpf_skc_lookup_tcp(ctx, tuple, size, BPF_F_CURRENT_NETNS, 0);
	__u32 state;

	if (!socket)
		return 0;
	state = socket->state;
	if (state == LB_TCP_LISTEN)
		state = !is_icmp(way->pkt) && accepts_cookie(ctx, socket, way, s)
				? LB_TCP_ESTABLISHED
				: 0;
	bpf_sk_release(socket);
	return state;
}

/* The state of this host's socket for the flow, which may be half open; 0: it has none. */
static __always_inline __u32 socket_state(struct xdp_md *ctx, const struct way *way,
					  struct lb_scratch *s)
{
	const __u32 *src = (const void *)way->flow->src, *dst = (const void *)way->flow->dst;
	bool v4 = way->flow->family == LB_IPV4;
	struct bpf_sock_tuple tuple = {};
	__u32 size = v4 ? sizeof(tuple.ipv4) : sizeof(tuple.ipv6);

	if (v4) {
		tuple.ipv4.saddr = src[3];
		tuple.ipv4.daddr = dst[3];
		tuple.ipv4.sport = way->flow->ports;
		tuple.ipv4.dport = way->flow->ports >> 16;
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, src, sizeof(tuple.ipv6.saddr));
		__builtin_memcpy(tuple.ipv6.daddr, dst, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.sport = way->flow->ports;
		tuple.ipv6.dport = way->flow->ports >> 16;
	}
	return way->flow->proto == IPPROTO_UDP ? udp_state(ctx, &tuple, size)
					       : tcp_state(ctx, way, s, &tuple, size);
}

static __always_inline bool is_local(__u32 handle)
{
	struct lb_backend *backend = bpf_map_lookup_elem(&lb_backends, &handle);

	return backend && backend->head.local;
}

static __always_inline bool is_at(const __u8 *address, const __u64 *addr)
{
	const __u64 *word = (const void *)address;

	return word[0] == addr[0] && word[1] == addr[1];
}

/* Is the outer header of s for this host? Where nothing is forwarded, nothing else comes. */
static __noinline int is_outer_here(struct xdp_md *ctx, struct lb_scratch *s)
{
	long result = fib_look(ctx, &s->fib, s->pkt.family, (const void *)s->pkt.dst);

	return result == BPF_FIB_LKUP_RET_NOT_FWDED || result == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/* Did the packet come from there? */
static __always_inline bool is_sender(struct xdp_md *ctx, const struct lb_scratch *s,
				      const struct lb_next_hop *next)
{
	void *data = (void *)(long)ctx->data;

	if (s->kind == IN_OUTER)
		return is_at(next->dst, s->pkt.src);
	return next->forward == LB_FORWARD_L2 &&
	       data + sizeof(struct ethhdr) <= (void *)(long)ctx->data_end &&
	       lb_peer(next->hop.dst) == lb_peer(data + ETH_ALEN);
}

enum standing {
	UNFIT, /* this host, or it keeps no flows, or there is no way to it */
	FIT,
	SENDER,
};

static __noinline enum standing standing_of(struct xdp_md *ctx, const struct way *way,
					    const struct lb_scratch *s, __u32 handle)
{
	struct lb_backend *backend = bpf_map_lookup_elem(&lb_backends, &handle);
	struct lb_next_hop *next;

	if (!handle || !backend || backend->head.local || backend->conf.service != way->service)
		return UNFIT;
	next = next_hop(ctx, way->lookup, handle);
	if (!next || next->reason || (s->kind == IN_OUTER && !fits_outer(s, next)))
		return UNFIT;
	if (is_sender(ctx, s, next))
		return SENDER;
	return backend->head.keeps ? FIT : UNFIT;
}

/* The backend that this node remembers for the flow, or 0. */
static __always_inline __u32 remembered(const struct way *way, struct lb_scratch *s,
					const struct place *place)
{
	struct recall recall = {
		.way = way,
		.chosen = &s->chosen,
		.place = *place,
		.now = seconds_now(),
	};
	struct lb_backend *backend;
	__u32 handle;
	__u64 entry;

	recall.set = recall_set(way, &recall.place);
	if (!recall.set)
		return 0;
	entry = entry_find(&recall);
	handle = lb_exception_handle(entry);
	backend = bpf_map_lookup_elem(&lb_backends, &handle);
	return entry && entry_counts(&recall, entry, backend) ? handle : 0;
}

/* Another backend that may have the packet's connection, or 0: the one that this node remembers,
 * else that of its slot. What one of those has sent, none of them has: it goes to the slot's
 * second choice, and from there nowhere. So nodes whose tables are equal never send it round. */
static __always_inline __u32 another(struct xdp_md *ctx, const struct way *way,
				     struct lb_scratch *s, const struct place *place)
{
	__u32 first[] = { remembered(way, s, place), place->slot.previous, place->slot.current };
	__u32 chosen = 0, second;
	bool sent = false;
	int i;

#pragma unroll
	for (i = 0; i < 3; i++) {
		enum standing standing = standing_of(ctx, way, s, first[i]);

		sent |= standing == SENDER;
		if (standing == FIT && !chosen)
			chosen = first[i];
	}
	if (chosen && !sent)
		return chosen;
	second = place_second(way->lookup, place);
	return standing_of(ctx, way, s, second) == FIT ? second : 0;
}

/* May there be a socket that the packet is for? */
static __always_inline bool is_under_way(struct xdp_md *ctx, const struct way *way)
{
	return !way->pkt->part && !(tcp_flags(ctx, way->pkt) & TCP_SYN);
}

/* Has the packet a hop left? What has an outer header gets fewer when that is rewritten. */
static __always_inline bool limit_hops(struct xdp_md *ctx, const struct lb_scratch *s,
				       const struct packet *pkt)
{
	void *l3 = (void *)(long)ctx->data + (pkt->l3 & 0xff);
	__u8 hops;

	if (l3 + sizeof(struct iphdr) > (void *)(long)ctx->data_end)
		return false;
	hops = hops_of(l3, pkt->family);
	if (s->kind != IN_OUTER)
		set_hops(l3, pkt->family, fewer_hops(hops));
	return hops > 1;
}

/* Is the packet for this host, by this node's table or by that of a peer? */
static __always_inline bool is_here(struct xdp_md *ctx, struct lb_scratch *s)
{
	if (s->kind == IN_OUTER)
		return is_outer_here(ctx, s);
	return s->kind == FROM_PEER || is_local(s->backend);
}

/* May this host have a connection that belongs elsewhere, by its table? It was opened by way of
 * another node, or before the slot changed: all but the slot's three would look in vain. */
static __always_inline bool may_be_here(const struct lb_scratch *s, const struct lookup *lookup,
					const struct place *place)
{
	return s->kind == FOR_SERVICE && (place->slot.current != place->slot.previous ||
					  is_local(place_second(lookup, place)));
}

/* Of the packet that was set aside, once its backend is known. What belongs elsewhere stays all
 * the same where this host has the connection. TIME-WAIT is none any more, and the client may
 * have another. */
static __noinline int second_aside(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct lb_scratch *s = scratch();
	struct lookup lookup;
	struct place place;
	struct way way;
	__u32 state, other;
	bool here;

	if (!s || data + 1 > (void *)(long)ctx->data_end || is_group_frame(data) ||
	    (s->kind != FROM_PEER && s->kind != FOR_SERVICE && s->kind != IN_OUTER))
		return 0;
	way = way_aside(s, &lookup);
	if (s->kind == IN_OUTER)
		way.pkt = &s->inner;
	if (!way.record || !way.record->table.second || !is_under_way(ctx, &way) ||
	    !lookup_start(&lookup) || !place_find(&lookup, way.record, way.flow, &place))
		return 0;
	here = is_here(ctx, s);
	if (here ? way.flow->proto == IPPROTO_UDP : !may_be_here(s, &lookup, &place))
		return 0;
	state = socket_state(ctx, &way, s);
	if (!here && state && state != LB_TCP_TIME_WAIT)
		s->kind = FROM_PEER;
	if (!here || state)
		return 0;
	other = another(ctx, &way, s, &place);
	if (!other || !limit_hops(ctx, s, way.pkt))
		return 0;
	s->backend = other;
	if (s->kind == FROM_PEER)
		s->kind = FOR_SERVICE;
	return 0;
}

#endif
