/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Outer headers (forward_encap.h) and which packet is in them: of a peer's packets, and
 * of ours where ICMP's packet-too-big quotes them, as far as it does. Nothing here
 * changes a packet.
 */
#ifndef XDP_LB_OUTER_H
#define XDP_LB_OUTER_H

#include <linux/udp.h>

#include "forward_encap.h"
#include "icmp.h"
#include "maps.h"

/* How far into a frame is looked for the packet. */
#define INNER_REACH 0xff

/* Bytes of the transport that a quoted packet must have. */
#define INNER_LEAST 8

/* What the message says; false where it is another one. Where routers append more to
 * what they quote, its length is said (RFC 4884 4.1). */
static __always_inline bool outer_mtu(const struct icmp_header *icmp, const struct packet *pkt,
				      struct quoted_outer *outer, struct packet *inner)
{
	__u32 rest = bpf_ntohl(icmp->rest), quoted = rest >> 16 & 0xff;

	inner->bytes = pkt->bytes;
	outer->mtu = rest;
	if (pkt->family == LB_IPV6)
		return icmp->type == 2;
	outer->mtu = rest & 0xffff;
	quoted = pkt->l4 + sizeof(*icmp) + quoted * 4;
	if ((rest >> 16 & 0xff) && quoted < pkt->bytes)
		inner->bytes = quoted;
	return icmp->type == 3 && icmp->code == 4;
}

/* The protocol that the outer IP header at an offset carries: 0 where it isn't one from
 * the address that the error came to. */
static __always_inline __u8 outer_ip(void *at, void *end, const struct packet *pkt,
				     struct quoted_outer *outer)
{
	if (pkt->family == LB_IPV4) {
		struct iphdr *ip = at;

		if ((void *)(ip + 1) > end || *(__u8 *)ip != 0x45 ||
		    lb_mapped_low(ip->saddr) != pkt->dst[1])
			return 0;
		outer->dst[0] = 0;
		outer->dst[1] = lb_mapped_low(ip->daddr);
		outer->size = sizeof(*ip);
		return ip->protocol;
	} else {
		struct ipv6hdr *ip = at;
		const __u64 *addr = (const void *)&ip->saddr;

		if ((void *)(ip + 1) > end || *(__u8 *)ip >> 4 != 6 || addr[0] != pkt->dst[0] ||
		    addr[1] != pkt->dst[1])
			return 0;
		outer->dst[0] = addr[2];
		outer->dst[1] = addr[3];
		outer->size = sizeof(*ip);
		return ip->nexthdr;
	}
}

/* The protocol of what is behind the tunnel's own header; 0 where that isn't ours. */
static __always_inline __u8 outer_carries(void *at, void *end, __u8 proto,
					  struct quoted_outer *outer)
{
	struct gre_header *gre = at;
	struct udphdr *udp = at;
	struct gue_header *gue = (void *)(udp + 1);

	outer->wire_port = 0;
	if (proto == IPPROTO_GRE) {
		if ((void *)(gre + 1) > end || gre->flags)
			return 0;
		outer->size += sizeof(*gre);
		return gre->ethertype == bpf_htons(ETH_P_IP)	 ? IPPROTO_IPIP
		       : gre->ethertype == bpf_htons(ETH_P_IPV6) ? IPPROTO_IPV6
								 : 0;
	}
	if (proto == IPPROTO_UDP) {
		if ((void *)(gue + 1) > end || gue->version || gue->flags)
			return 0;
		outer->wire_port = udp->dest;
		outer->size += sizeof(*udp) + sizeof(*gue);
		return gue->proto;
	}
	return proto;
}

/* Are that size and port those of outer headers to there? */
static __always_inline bool is_outer_like(const struct lb_next_hop *next,
					  const struct quoted_outer *outer)
{
	return outer_size(next) == outer->size &&
	       (!outer->wire_port || outer->wire_port == next->wire_port);
}

/* The packet itself, which must not be a fragment; its bytes are set. whole: nor may it have
 * allowed to become fragments. */
static __always_inline bool inner_ip(void *data, void *end, __u32 at, __u8 proto, bool whole,
				     struct packet *inner)
{
	void *ip = data + (at & INNER_REACH);
	__u32 header;

	if (at > INNER_REACH || ip + sizeof(struct iphdr) > end)
		return false;
	if (proto == IPPROTO_IPIP) {
		struct iphdr *v4 = ip;

		header = (*(__u8 *)ip & 0xf) * 4;
		if (*(__u8 *)ip >> 4 != 4 || header < sizeof(*v4) ||
		    (v4->frag_off & bpf_htons(0x3fff)) ||
		    (whole && !(v4->frag_off & bpf_htons(0x4000))))
			return false;
		packet_ipv4(inner, v4);
		inner->proto = v4->protocol;
	} else {
		struct ipv6hdr *v6 = ip;

		header = sizeof(*v6);
		if (proto != IPPROTO_IPV6 || (void *)(v6 + 1) > end || *(__u8 *)ip >> 4 != 6)
			return false;
		packet_ipv6(inner, v6);
		inner->proto = v6->nexthdr;
	}
	inner->l3 = at;
	inner->l4 = at + header;
	inner->part = 0;
	return at + header + INNER_LEAST <= inner->bytes;
}

static __always_inline bool inner_ports(void *data, void *end, struct packet *inner)
{
	__u32 *ports = data + (inner->l4 & 0x1ff);

	if ((void *)(ports + 2) > end)
		return false;
	inner->ports = *ports;
	return true;
}

/* Finds the packet in the outer header that the error pkt quotes: lb_scratch's flow, as
 * it came from its client, and outer. */
static __noinline int find_inner(struct xdp_md *ctx, const struct packet *pkt)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct icmp_header *icmp = data + (pkt->l4 & INNER_REACH);
	__u32 at = pkt->l4 + sizeof(*icmp);
	struct lb_scratch *s = scratch();
	__u8 proto;

	if (!s || at > INNER_REACH || (void *)(icmp + 1) > end ||
	    !outer_mtu(icmp, pkt, &s->outer, &s->flow))
		return false;
	proto = outer_ip(data + at, end, pkt, &s->outer);
	proto = outer_carries(data + at + (s->outer.size & 63), end, proto, &s->outer);
	return proto && inner_ip(data, end, at + s->outer.size, proto, true, &s->flow) &&
	       is_transport(s->flow.proto) && inner_ports(data, end, &s->flow);
}

/* Finds the packet in the outer header pkt: lb_scratch's inner, its flow, and of outer the port
 * and the size. */
static __noinline int find_packed(struct xdp_md *ctx, const struct packet *pkt)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct lb_scratch *s = scratch();
	__u32 at = pkt->l4 & INNER_REACH;
	__u8 proto;

	if (!s || pkt->l4 > INNER_REACH || pkt->part)
		return false;
	s->outer.size = pkt->l4 - pkt->l3;
	s->inner.bytes = pkt->bytes;
	proto = outer_carries(data + at, end, pkt->proto, &s->outer);
	if (!proto || !inner_ip(data, end, pkt->l3 + s->outer.size, proto, false, &s->inner))
		return false;
	s->flow = s->inner;
	if (is_icmp(&s->inner))
		return icmp_quoted(data, end, &s->inner, &s->flow) == QUOTED;
	return is_transport(s->inner.proto) && inner_ports(data, end, &s->flow);
}

/* The service of the packet in the outer header that the error pkt quotes. */
static __noinline int find_outer(struct xdp_md *ctx, const struct packet *pkt,
				 const struct lookup *lookup, __u32 *service)
{
	struct lb_scratch *s = scratch();

	return s && find_inner(ctx, pkt) && may_answer(&s->flow) &&
	       service_find(lookup, &s->flow, service);
}

#endif
