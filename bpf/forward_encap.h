/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forwarding modes ipip, gue and gre: the packet travels to the backend in
 * another one, whose header is written in front of it. Either family in either:
 *
 *	ipip	IP in IP (RFC 2003), 6in4 (RFC 4213), 4in6 and 6in6 (RFC 2473)
 *	gue	UDP, then GUE variant 0 (draft-ietf-intarea-gue), four bytes
 *	gre	GRE without options (RFC 2784, RFC 7676), four bytes
 *
 * DSCP and ECN are copied out (RFC 2983 uniform, RFC 6040 normal mode). The
 * outer IPv4 header forbids fragments: it is atomic, and needs no id (RFC 6864).
 * A flow's entropy is in GUE's source port and IPv6's flow label (RFC 6438), so
 * that networks keep its order and spread flows.
 */
#ifndef XDP_LB_FORWARD_ENCAP_H
#define XDP_LB_FORWARD_ENCAP_H

#include <linux/udp.h>

#include "checksum.h"
#include "forward_l2.h"

#define OUTER_TTL 64

struct gue_header {
	__u8 version; /* variant, control bit and length of options: all zero */
	__u8 proto;   /* what it carries */
	__be16 flags;
};

struct gre_header {
	__be16 flags; /* no checksum, key or sequence number; version 0 */
	__be16 ethertype;
};

static __always_inline __u32 tunnel_size(__u8 forward)
{
	switch (forward) {
	case LB_FORWARD_GUE:
		return sizeof(struct udphdr) + sizeof(struct gue_header);
	case LB_FORWARD_GRE:
		return sizeof(struct gre_header);
	default:
		return 0;
	}
}

/* Zero in the modes without an outer header. */
static __always_inline __u32 outer_size(const struct lb_next_hop *next)
{
	__u32 ip = next->family == LB_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	return is_tunnel(next->forward) ? ip + tunnel_size(next->forward) : 0;
}

/* What the outer header must know of the packet in it. */
struct inner {
	__u32 len;
	__u8 tos;    /* DSCP and ECN */
	bool summed; /* sum is known */
	__u64 sum;   /* one's complement sum of all of the packet's bytes */
};

/*
 * The sum without a walk over the payload: the transport's checksum makes its
 * own bytes and those of the pseudo header sum up to zero, as the IPv4 header
 * does by itself. A packet whose checksum is wrong has a wrong outer one, and is
 * lost there instead of one step later. Unknown where UDP has no checksum or is
 * not all of the packet (RFC 9868), of fragments, and behind extension headers.
 */
static __always_inline void inner_sum(const struct packet *pkt, const __be32 *ip, void *l4,
				      void *end, struct inner *inner)
{
	__u32 l4_len = inner->len - (pkt->l4 - pkt->l3);
	__u64 pseudo = bpf_htons(l4_len) + bpf_htons(pkt->proto);
	struct udphdr *udp = l4;

	inner->summed = false;
	if (pkt->part)
		return;
	if ((void *)(udp + 1) > end)
		return;
	if (pkt->proto == IPPROTO_UDP && (!udp->check || udp->len != bpf_htons(l4_len)))
		return;
	if (pkt->family == LB_IPV4) {
		pseudo += (__u32)(pkt->src[1] >> 32) + (pkt->dst[1] >> 32);
		if (pkt->proto == IPPROTO_ICMP)
			pseudo = 0xffff; /* it has none: zero */
		inner->sum = (__u16)checksum_fold(pseudo);
	} else {
		if (pkt->l4 != pkt->l3 + sizeof(struct ipv6hdr))
			return;
		/* The addresses are in both sums, and the lengths too. */
		inner->sum = checksum_words(ip, 8, 0) + (__u16)checksum_fold(pseudo);
	}
	inner->summed = true;
}

static __always_inline bool inner_read(struct xdp_md *ctx, const struct packet *pkt,
				       struct inner *inner)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__be32 *ip = data + (pkt->l3 & 31);

	if ((void *)(ip + 2) > end)
		return false;
	inner->len = pkt->bytes - pkt->l3;
	inner->tos = pkt->family == LB_IPV4 ? ((__u8 *)ip)[1] : bpf_ntohl(*ip) >> 20;
	inner_sum(pkt, ip, data + (pkt->l4 & 0x1ff), end, inner);
	return true;
}

static __always_inline __u8 inner_proto(const struct packet *pkt)
{
	return pkt->family == LB_IPV4 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

static __always_inline __u8 outer_proto(const struct packet *pkt, __u8 forward)
{
	switch (forward) {
	case LB_FORWARD_GUE:
		return IPPROTO_UDP;
	case LB_FORWARD_GRE:
		return IPPROTO_GRE;
	default:
		return inner_proto(pkt);
	}
}

static __always_inline void outer_ipv4(struct iphdr *ip, const struct lb_next_hop *next,
				       const struct packet *pkt, const struct inner *inner,
				       __u8 forward)
{
	*(__u8 *)ip = 0x45;
	ip->tos = inner->tos;
	ip->tot_len = bpf_htons(sizeof(*ip) + tunnel_size(forward) + inner->len);
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = OUTER_TTL;
	ip->protocol = outer_proto(pkt, forward);
	ip->check = 0;
	ip->saddr = *(__u32 *)(next->src + 12);
	ip->daddr = *(__u32 *)(next->dst + 12);
	ip->check = checksum_fold(checksum_words(ip, sizeof(*ip), 0));
}

static __always_inline void outer_ipv6(struct ipv6hdr *ip, const struct lb_next_hop *next,
				       const struct packet *pkt, const struct inner *inner,
				       __u8 forward)
{
	*(__be32 *)ip = bpf_htonl(0x60000000 | (__u32)inner->tos << 20 | pkt->entropy);
	ip->payload_len = bpf_htons(tunnel_size(forward) + inner->len);
	ip->nexthdr = outer_proto(pkt, forward);
	ip->hop_limit = OUTER_TTL;
	__builtin_memcpy(&ip->saddr, next->src, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, next->dst, sizeof(ip->daddr));
}

static __always_inline void write_gre(struct gre_header *gre, const struct packet *pkt)
{
	gre->flags = 0;
	gre->ethertype = pkt->family == LB_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
}

/* outer: the IPv6 header, or NULL in IPv4, where the checksum is optional. */
static __always_inline void write_gue(struct udphdr *udp, const struct ipv6hdr *outer,
				      const struct lb_next_hop *next, const struct packet *pkt,
				      const struct inner *inner)
{
	struct gue_header *gue = (void *)(udp + 1);
	__u16 len = sizeof(*udp) + sizeof(*gue) + inner->len;
	__u64 sum;

	udp->source = bpf_htons(0xc000 | (pkt->entropy & 0x3fff));
	udp->dest = next->wire_port;
	udp->len = bpf_htons(len);
	udp->check = 0;
	gue->version = 0;
	gue->proto = inner_proto(pkt);
	gue->flags = 0;
	if (!outer || unlikely(!inner->summed))
		return;
	/* RFC 8200 8.1: of the addresses, the length, the protocol and all behind */
	sum = inner->sum + bpf_htons(len) + bpf_htons(IPPROTO_UDP);
	sum = checksum_words(&outer->saddr, 2 * sizeof(outer->saddr), sum);
	sum = checksum_words(udp, sizeof(*udp) + sizeof(*gue), sum);
	udp->check = checksum_fold(sum);
	if (!udp->check)
		udp->check = 0xffff;
}

/* Writes the headers in a frame that has grown by their size, and tags, both
 * that there may be, as they were. */
static __always_inline bool encap_write(struct xdp_md *ctx, const struct lb_next_hop *next,
					const struct packet *pkt, const struct inner *inner,
					__u64 tags, __u8 family, __u8 forward)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__be16 *ethertype = data + ((pkt->l3 - 2) & 31);
	void *l3 = ethertype + 1;
	void *tunnel = l3 + (family == LB_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));

	if (tunnel + sizeof(struct udphdr) + sizeof(struct gue_header) > end ||
	    data + sizeof(struct ethhdr) + sizeof(tags) > end)
		return false;
	write_macs(data, &next->hop);
	if (unlikely(pkt->l3 != sizeof(struct ethhdr)))
		*(__u64 *)(data + 12) = tags;
	*ethertype = family == LB_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if (family == LB_IPV4)
		outer_ipv4(l3, next, pkt, inner, forward);
	else
		outer_ipv6(l3, next, pkt, inner, forward);
	if (forward == LB_FORWARD_GRE)
		write_gre(tunnel, pkt);
	else if (forward == LB_FORWARD_GUE)
		write_gue(tunnel, family == LB_IPV6 ? l3 : NULL, next, pkt, inner);
	return true;
}

static __always_inline bool encap_as(struct xdp_md *ctx, const struct lb_next_hop *next,
				     const struct packet *pkt, __u8 family, __u8 forward)
{
	__u32 ip = family == LB_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	void *data = (void *)(long)ctx->data;
	struct inner inner;
	__u64 tags;

	if (data + 20 > (void *)(long)ctx->data_end || !inner_read(ctx, pkt, &inner))
		return false;
	tags = *(__u64 *)(data + 12);
	if (bpf_xdp_adjust_head(ctx, -(int)(ip + tunnel_size(forward))))
		return false;
	return encap_write(ctx, next, pkt, &inner, tags, family, forward);
}

/* Puts the packet into another one for next; false where there is no room. */
static __always_inline bool encapsulate(struct xdp_md *ctx, const struct lb_next_hop *next,
					const struct packet *pkt)
{
	bool v4 = next->family == LB_IPV4;

	switch (next->forward) {
	case LB_FORWARD_IPIP:
		return v4 ? encap_as(ctx, next, pkt, LB_IPV4, LB_FORWARD_IPIP)
			  : encap_as(ctx, next, pkt, LB_IPV6, LB_FORWARD_IPIP);
	case LB_FORWARD_GUE:
		return v4 ? encap_as(ctx, next, pkt, LB_IPV4, LB_FORWARD_GUE)
			  : encap_as(ctx, next, pkt, LB_IPV6, LB_FORWARD_GUE);
	case LB_FORWARD_GRE:
		return v4 ? encap_as(ctx, next, pkt, LB_IPV4, LB_FORWARD_GRE)
			  : encap_as(ctx, next, pkt, LB_IPV6, LB_FORWARD_GRE);
	default:
		return false;
	}
}

#endif
