/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rewriting a packet's addresses and ports, as modes nat and fullnat do (RFC
 * 3022). Checksums follow by RFC 1624, those of ICMP errors and of what they
 * quote as well (RFC 3022 4.3, RFC 5508 4). A UDP checksum of zero, which is none,
 * stays zero, and no other becomes zero (RFC 768).
 */
#ifndef XDP_LB_NAT_H
#define XDP_LB_NAT_H

#include "checksum.h"
#include "icmp.h"
#include "maps.h"
#include "parse.h"

/* Where the transport header of what is rewritten can be at the most. */
#define NAT_REACH 0x7ff

/* The sum of what replaces something, less that of what it replaces. */
static __always_inline __u64 address_change(const __u64 *from, const __u64 *to, __u8 family)
{
	__u64 sum = (__u32) ~(from[1] >> 32) + (to[1] >> 32);

	if (family == LB_IPV6) {
		sum += (__u32)~from[1] + (to[1] & 0xffffffff);
		sum += (__u32) ~(from[0] >> 32) + (to[0] >> 32);
		sum += (__u32)~from[0] + (to[0] & 0xffffffff);
	}
	return sum;
}

static __always_inline __u16 checksum_change(__u16 check, __u64 change)
{
	return checksum_fold((__u16)~check + change);
}

/* The addresses of the IP header at an offset, and how much their sum changes; all
 * of an IPv4 header's bytes have the same sum as before, with its checksum. */
static __always_inline bool nat_addresses(void *data, void *end, __u32 at, __u8 family,
					  const __u64 *src, const __u64 *dst, __u64 *change)
{
	if (at > NAT_REACH)
		return false;
	if (family == LB_IPV4) {
		struct iphdr *ip = data + (at & NAT_REACH);
		__u64 from[2] = {}, to[2] = {};

		if ((void *)(ip + 1) > end)
			return false;
		from[1] = lb_mapped_low(ip->saddr);
		to[1] = lb_mapped_low(ip->daddr);
		*change = address_change(from, src, family) + address_change(to, dst, family);
		ip->saddr = src[1] >> 32;
		ip->daddr = dst[1] >> 32;
		ip->check = checksum_change(ip->check, *change);
	} else {
		struct ipv6hdr *ip = data + (at & NAT_REACH);
		__u64 *addr = (void *)&ip->saddr;

		if ((void *)(ip + 1) > end)
			return false;
		*change = address_change(addr, src, family) + address_change(addr + 2, dst, family);
		addr[0] = src[0];
		addr[1] = src[1];
		addr[2] = dst[0];
		addr[3] = dst[1];
	}
	return true;
}

/* The ports at an offset, and the transport's checksum if it is among the bytes up to last. change:
 * that of the addresses. */
static __always_inline bool nat_ports(void *data, void *end, __u32 at, __u32 last, __u8 proto,
				      __u32 to, __u64 change, __u64 *sum)
{
	__u32 where = proto == IPPROTO_TCP ? 16 : 6, ports;
	void *l4 = data + (at & NAT_REACH);
	__u16 *check = l4 + where, old;

	if (at > NAT_REACH || l4 + sizeof(ports) > end)
		return false;
	ports = *(__u32 *)l4;
	*(__u32 *)l4 = to;
	change += (__u32)~ports + (__u64)to;
	*sum += (__u32)~ports + (__u64)to;
	if (at + where + sizeof(*check) > last || (void *)(check + 1) > end)
		return true;
	old = *check;
	if (proto == IPPROTO_UDP && !old)
		return true;
	*check = checksum_change(old, change);
	if (proto == IPPROTO_UDP && !*check)
		*check = 0xffff;
	*sum += (__u16)~old + *check;
	return true;
}

/* An ICMP error about flow, which is one in the packet's own direction: it quotes
 * a packet in the other. Where it comes from stays to be seen unless the flow's
 * source is rewritten. */
static __noinline bool nat_error(struct xdp_md *ctx, const struct packet *pkt,
				 const struct packet *flow, const struct lb_flow_key *to)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	bool keep = to->src[0] == flow->src[0] && to->src[1] == flow->src[1];
	struct icmp_header *icmp = data + (pkt->l4 & 0x3ff);
	__u64 outer, inner, sum = 0;

	if (pkt->l4 > 0x3ff || (void *)(icmp + 1) > end ||
	    !nat_addresses(data, end, pkt->l3, pkt->family, keep ? pkt->src : to->src, to->dst,
			   &outer) ||
	    !nat_addresses(data, end, pkt->l4 + sizeof(*icmp), pkt->family, to->dst, to->src,
			   &inner) ||
	    !nat_ports(data, end, flow->l4, pkt->bytes, flow->proto,
		       to->ports >> 16 | to->ports << 16, inner, &sum))
		return false;
	/* ICMPv6 has the outer addresses in its checksum too (RFC 4443 2.3). */
	if (pkt->family == LB_IPV6)
		sum += inner + outer;
	icmp->check = checksum_change(icmp->check, sum);
	return true;
}

/* The packet, of that flow, gets the addresses and ports of to. */
static __always_inline bool nat_rewrite(struct xdp_md *ctx, const struct packet *pkt,
					const struct packet *flow, const struct lb_flow_key *to)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u64 change, sum = 0;

	if (is_icmp(pkt))
		return nat_error(ctx, pkt, flow, to);
	if (!nat_addresses(data, end, pkt->l3, pkt->family, to->src, to->dst, &change))
		return false;
	/* A later fragment has neither. */
	return (pkt->part && !pkt->ports) ||
	       nat_ports(data, end, pkt->l4, pkt->bytes, pkt->proto, to->ports, change, &sum);
}

#endif
