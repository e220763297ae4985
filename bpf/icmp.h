/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP to a VIP. An error (RFC 792, RFC 4443) quotes a packet that a backend sent
 * from the VIP, and belongs to the backend of that packet's flow: which one that
 * is, its addresses and ports tell (RFC 7690). Nothing here changes a packet but
 * icmp_echo_reply().
 */
#ifndef XDP_LB_ICMP_H
#define XDP_LB_ICMP_H

#include "checksum.h"
#include "parse_unusual.h"

#define ICMP4_ECHO_REPLY 0
#define ICMP4_ECHO 8
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129

#define ICMP_REPLY_TTL 64

/* Extension headers of a quoted packet that are looked behind. */
#define ICMP_MAX_EXTENSIONS 4

struct icmp_header {
	__u8 type;
	__u8 code;
	__u16 check;
	__u32 rest;
};

enum quoted {
	QUOTED,		 /* the flow is known */
	QUOTED_NOTHING,	 /* no error, or of no packet from this address */
	QUOTED_FRAGMENT, /* of a fragment without ports */
};

static __always_inline bool icmp_is_error(__u8 family, __u8 type)
{
	if (family == LB_IPV6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 4 || type == 11 || type == 12;
}

static __always_inline bool icmp_is_echo(const struct packet *pkt, const struct icmp_header *icmp)
{
	return icmp->type == (pkt->family == LB_IPV4 ? ICMP4_ECHO : ICMP6_ECHO) && !icmp->code;
}

/* The ports at offset at, as those of a packet in the other direction. */
static __always_inline enum quoted quoted_ports(void *data, void *end, const struct packet *pkt,
						__u32 at, struct packet *flow)
{
	__u32 *ports = data + (at & 0x7ff);

	if (!is_transport(flow->proto) || at > 0x7ff || at + 4 > pkt->bytes ||
	    (void *)(ports + 1) > end)
		return QUOTED_NOTHING;
	flow->ports = *ports >> 16 | *ports << 16;
	flow->l4 = at;
	return QUOTED;
}

static __always_inline enum quoted quoted_ipv4(void *data, void *end, const struct packet *pkt,
					       __u32 at, struct packet *flow)
{
	struct iphdr *ip = data + (at & 0x7ff);

	if (at > 0x7ff || (void *)(ip + 1) > end || at + sizeof(*ip) > pkt->bytes ||
	    *(__u8 *)ip >> 4 != 4 || (*(__u8 *)ip & 0xf) < 5 ||
	    lb_mapped_low(ip->saddr) != pkt->dst[1])
		return QUOTED_NOTHING;
	flow->src[0] = 0;
	flow->src[1] = lb_mapped_low(ip->daddr);
	flow->proto = ip->protocol;
	if (ip->frag_off & bpf_htons(0x1fff))
		return QUOTED_FRAGMENT;
	return quoted_ports(data, end, pkt, at + (*(__u8 *)ip & 0xf) * 4, flow);
}

static __always_inline enum quoted quoted_ipv6(void *data, void *end, const struct packet *pkt,
					       __u32 at, struct packet *flow)
{
	struct ipv6hdr *ip = data + (at & 0x7ff);
	const __u64 *addr = (const void *)&ip->saddr;
	int i;

	if (at > 0x7ff || (void *)(ip + 1) > end || *(__u8 *)ip >> 4 != 6 ||
	    addr[0] != pkt->dst[0] || addr[1] != pkt->dst[1])
		return QUOTED_NOTHING;
	flow->src[0] = addr[2];
	flow->src[1] = addr[3];
	flow->proto = ip->nexthdr;
	at += sizeof(*ip);
#pragma unroll
	for (i = 0; i < ICMP_MAX_EXTENSIONS; i++) {
		struct ipv6_extension *ext = data + (at & 0x7ff);

		if (!is_extension(flow->proto))
			break;
		if (at > 0x7ff || (void *)(ext + 1) > end || at + sizeof(*ext) > pkt->bytes)
			return QUOTED_NOTHING;
		if (flow->proto == IPV6_FRAGMENT && (ext->word & bpf_htons(0xfff8)))
			return QUOTED_FRAGMENT;
		/* then it is not for the client yet */
		if (flow->proto == IPV6_ROUTING && (ext->word & bpf_htons(0xff)))
			return QUOTED_NOTHING;
		at += extension_size(flow->proto, ext);
		flow->proto = ext->nexthdr;
	}
	return quoted_ports(data, end, pkt, at, flow);
}

/* The flow, as of a packet that goes the error's way, that the error pkt is about;
 * its l4 is where the quoted ports are. */
static __always_inline enum quoted icmp_quoted(void *data, void *end, const struct packet *pkt,
					       struct packet *flow)
{
	struct icmp_header *icmp = data + (pkt->l4 & 0x3ff);

	if (pkt->l4 > 0x3ff || (void *)(icmp + 1) > end || !icmp_is_error(pkt->family, icmp->type))
		return QUOTED_NOTHING;
	flow->family = pkt->family;
	flow->dst[0] = pkt->dst[0];
	flow->dst[1] = pkt->dst[1];
	if (pkt->family == LB_IPV4)
		return quoted_ipv4(data, end, pkt, pkt->l4 + sizeof(*icmp), flow);
	return quoted_ipv6(data, end, pkt, pkt->l4 + sizeof(*icmp), flow);
}

/* May a packet from this source be answered at all? RFC 1122 3.2.2, RFC 4443 2.4; RFC
 * 4291 2.5.3: not the loopback address, ::1, nor what is unspecified, ::. */
static __always_inline bool may_answer(const struct packet *pkt)
{
	__u8 first = pkt->family == LB_IPV4 ? pkt->src[1] >> 32 & 0xff : pkt->src[0] & 0xff;

	if (pkt->family == LB_IPV4)
		return first != 0 && first != 127 && first < 224;
	return first != 0xff && (pkt->src[0] || (pkt->src[1] & ~bpf_cpu_to_be64(1)));
}

static __always_inline void swap_words(__u32 *a, __u32 *b, int words)
{
	int i;

#pragma unroll
	for (i = 0; i < words; i++) {
		__u32 word = a[i];

		a[i] = b[i];
		b[i] = word;
	}
}

static __always_inline void swap_macs(void *data)
{
	__u16 *mac = data;
	int i;

#pragma unroll
	for (i = 0; i < 3; i++) {
		__u16 word = mac[i];

		mac[i] = mac[i + 3];
		mac[i + 3] = word;
	}
}

/* Makes an echo request its own reply, to be sent back where it came from. */
static __always_inline bool icmp_echo_reply(void *data, void *end, const struct packet *pkt)
{
	struct icmp_header *icmp = data + (pkt->l4 & 0x3ff);
	void *l3 = data + (pkt->l3 & 31);
	__u16 old;

	if (data + sizeof(struct ethhdr) > end || pkt->l4 > 0x3ff || (void *)(icmp + 1) > end)
		return false;
	if (pkt->family == LB_IPV4) {
		struct iphdr *ip = l3;
		__u16 *word = (__u16 *)&ip->ttl;

		if ((void *)(ip + 1) > end)
			return false;
		swap_words(&ip->saddr, &ip->daddr, 1);
		old = *word;
		ip->ttl = ICMP_REPLY_TTL;
		ip->check = checksum_replace(ip->check, old, *word);
	} else {
		struct ipv6hdr *ip = l3;

		if ((void *)(ip + 1) > end)
			return false;
		swap_words((__u32 *)&ip->saddr, (__u32 *)&ip->daddr, 4);
		ip->hop_limit = ICMP_REPLY_TTL;
	}
	old = *(__u16 *)icmp;
	icmp->type = pkt->family == LB_IPV4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
	icmp->check = checksum_replace(icmp->check, old, *(__u16 *)icmp);
	if (!icmp->check)
		icmp->check = 0xffff; /* the same, but where all else is zero as well */
	swap_macs(data);
	return true;
}

#endif
