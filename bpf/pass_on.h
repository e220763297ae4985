/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What came in an outer header, and has a second chance (second.h): its outer header
 * becomes this node's to the other backend, where it stands, so that no frame grows.
 */
#ifndef XDP_LB_PASS_ON_H
#define XDP_LB_PASS_ON_H

#include "forward.h"
#include "outer.h"

/* The hops that a packet has left, the next one included, when it is passed on: however far
 * the tables of nodes differ, it isn't passed on more often. */
#define LB_SECOND_HOPS 4

static __always_inline __u8 hops_of(void *l3, __u8 family)
{
	return family == LB_IPV4 ? ((struct iphdr *)l3)->ttl : ((struct ipv6hdr *)l3)->hop_limit;
}

static __always_inline void set_hops(void *l3, __u8 family, __u8 hops)
{
	struct iphdr *ip = l3;

	if (family == LB_IPV6) {
		((struct ipv6hdr *)l3)->hop_limit = hops;
		return;
	}
	ip->check = checksum_replace(ip->check, bpf_htons(ip->ttl << 8), bpf_htons(hops << 8));
	ip->ttl = hops;
}

static __always_inline __u8 fewer_hops(__u8 hops)
{
	return hops > LB_SECOND_HOPS ? LB_SECOND_HOPS : hops;
}

/* Returns the sum of what that changes for UDP's checksum: an IPv4 header makes up for
 * itself. */
static __always_inline __u64 less_hops(void *l3, __u8 family)
{
	__u8 old = hops_of(l3, family), new = fewer_hops(old) - 1;

	set_hops(l3, family, new);
	return family == LB_IPV6 ? (__u64)(__u16)~bpf_htons(old) + bpf_htons(new) : 0;
}

/* Gives an outer header these addresses, and returns the sum of what that changes. */
static __always_inline __u64 set_outer(void *l3, __u8 family, const struct lb_next_hop *next)
{
	struct iphdr *v4 = l3;
	struct ipv6hdr *v6 = l3;
	__u64 sum;

	if (family == LB_IPV6) {
		sum = checksum_fold(checksum_words(&v6->saddr, 2 * sizeof(v6->saddr), 0));
		__builtin_memcpy(&v6->saddr, next->src, sizeof(v6->saddr));
		__builtin_memcpy(&v6->daddr, next->dst, sizeof(v6->daddr));
		return checksum_words(&v6->saddr, 2 * sizeof(v6->saddr), sum);
	}
	sum = checksum_fold(checksum_words(&v4->saddr, 2 * sizeof(v4->saddr), 0));
	v4->saddr = *(__u32 *)(next->src + 12);
	v4->daddr = *(__u32 *)(next->dst + 12);
	v4->check = 0;
	v4->check = checksum_fold(checksum_words(v4, sizeof(*v4), 0));
	return checksum_words(&v4->saddr, 2 * sizeof(v4->saddr), sum);
}

/* May the outer header of s be one to there, but for its addresses? */
static __always_inline bool fits_outer(const struct lb_scratch *s, const struct lb_next_hop *next)
{
	__u32 ip = s->pkt.family == LB_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	return next->family == s->pkt.family && s->pkt.l4 - s->pkt.l3 == ip &&
	       is_outer_like(next, &s->outer);
}

/* Returns why it can't, or 0. */
static __always_inline enum lb_reason rewrite_outer(struct xdp_md *ctx, const struct lb_scratch *s,
						    const struct lb_next_hop *next)
{
	const struct packet *pkt = &s->pkt;
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *outer = data + (pkt->l3 & 31);
	void *inner = data + (s->inner.l3 & 0xff);
	struct udphdr *udp = data + (pkt->l4 & 0xff);
	__u64 sum;

	if (outer + sizeof(struct ipv6hdr) > end || inner + sizeof(struct iphdr) > end ||
	    (void *)(udp + 1) > end)
		return LB_INTERNAL;
	if (!hop_down(outer, pkt->family))
		return LB_TTL_EXPIRED;
	sum = less_hops(inner, s->inner.family) + set_outer(outer, pkt->family, next);
	if (pkt->proto == IPPROTO_UDP && udp->check) {
		udp->check = checksum_fold(sum + (__u16)~udp->check);
		if (!udp->check)
			udp->check = 0xffff;
	}
	return 0;
}

static __always_inline int pass_on(struct xdp_md *ctx, const struct way *way, enum growth growth)
{
	struct lb_next_hop *next = next_hop(ctx, way->lookup, way->backend);
	const struct packet *pkt = way->pkt;
	__u32 len = pkt->bytes - pkt->l3;
	struct lb_scratch *s = scratch();
	enum lb_reason reason;
	void *data;

	/* it may have become another since it was chosen */
	if (!s || !next || next->reason || !fits_outer(s, next))
		return leave_service(pkt, way->service, LB_FROM_PEER, XDP_PASS);
	if (next->mtu && len > next->mtu && !is_aggregate(ctx, len))
		return too_big(ctx, pkt, way->service, next->mtu, growth);
	data = (void *)(long)ctx->data;
	if (!fit_vlan(data, (void *)(long)ctx->data_end, pkt, next->vlan))
		return leave_service(pkt, way->service, LB_VLAN_MISMATCH, XDP_DROP);
	reason = rewrite_outer(ctx, s, next);
	if (reason)
		return leave_service(pkt, way->service, reason, XDP_DROP);
	return leave_forwarded(pkt, next, send_frame(ctx, &next->hop, growth));
}

static __noinline int pass_on_by_egress(struct xdp_md *ctx, const struct way *way)
{
	return pass_on(ctx, way, BY_EGRESS);
}

static __noinline int pass_on_inline(struct xdp_md *ctx, const struct way *way)
{
	return pass_on(ctx, way, INLINE);
}

#endif
