/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes -> struct packet, whatever they are: the leisurely half of parse.h. */
#ifndef XDP_LB_PARSE_UNUSUAL_H
#define XDP_LB_PARSE_UNUSUAL_H

#include "parse.h"

/* Headers behind IPv6's own that parse_ipv6 looks at, the transport's included. */
#define LB_MAX_EXTENSIONS 8

#define IPV6_FRAGMENT 44
#define IPV6_ROUTING 43
#define IPV6_HOP_BY_HOP 0
#define IPV6_DESTINATION 60
#define IPV6_AUTHENTICATION 51

struct ipv6_extension {
	__u8 nexthdr;
	__u8 len;    /* in units of 8 bytes, the first not counted; AH: 4, less 2 */
	__be16 word; /* fragment header: offset and M; routing: type, segments left */
};

static __always_inline bool is_extension(__u8 type)
{
	return type == IPV6_HOP_BY_HOP || type == IPV6_ROUTING || type == IPV6_DESTINATION ||
	       type == IPV6_FRAGMENT || type == IPV6_AUTHENTICATION;
}

static __always_inline __u32 extension_size(__u8 type, const struct ipv6_extension *ext)
{
	if (type == IPV6_FRAGMENT)
		return 8;
	return type == IPV6_AUTHENTICATION ? (ext->len + 2) * 4 : (ext->len + 1) * 8;
}

/* Ports at offset l4 of a packet that ends at offset pkt->bytes. */
static __always_inline enum parsed parse_ports(void *data, void *end, struct packet *pkt, __u32 l4,
					       bool fragment)
{
	/* A first fragment is ours to judge as soon as it has the ports. */
	__u32 need = fragment ? 4 : transport_header(pkt->proto);
	__u32 *ports = data + l4;

	pkt->l4 = l4;
	pkt->part = fragment;
	if (!is_transport(pkt->proto)) {
		if (!is_icmp(pkt) || fragment || l4 + 8 > pkt->bytes)
			return PARSED_OTHER;
		pkt->ports = 0;
		return PARSED_ICMP;
	}
	if (l4 + need > pkt->bytes || (void *)(ports + 1) > end)
		return PARSED_MALFORMED;
	pkt->ports = *ports;
	return fragment ? PARSED_FRAGMENT : PARSED;
}

static __always_inline enum parsed parse_later_fragment(struct packet *pkt, __u32 l4)
{
	pkt->l4 = l4;
	pkt->part = 1;
	pkt->ports = 0;
	return PARSED_LATER_FRAGMENT;
}

/* RFC 791. frame: bytes of the whole frame, behind its linear part too. */
static __always_inline enum parsed parse_ipv4(void *data, void *end, __u32 frame,
					      struct packet *pkt)
{
	struct iphdr *ip = data + pkt->l3;
	__u32 header, len;
	__u16 fragment;

	if ((void *)(ip + 1) > end)
		return PARSED_MALFORMED;
	packet_ipv4(pkt, ip);
	header = (*(__u8 *)ip & 0xf) * 4;
	len = bpf_ntohs(ip->tot_len);
	if (*(__u8 *)ip >> 4 != 4 || header < sizeof(*ip) || len < header || pkt->l3 + len > frame)
		return PARSED_MALFORMED;
	pkt->bytes = pkt->l3 + len;
	pkt->proto = ip->protocol;
	fragment = bpf_ntohs(ip->frag_off) & 0x3fff;
	if (fragment & 0x1fff)
		return parse_later_fragment(pkt, pkt->l3 + header);
	return parse_ports(data, end, pkt, pkt->l3 + header, fragment);
}

/* RFC 8200. A routing header with segments left isn't at its end: not ours. */
static __always_inline enum parsed parse_ipv6(void *data, void *end, __u32 frame,
					      struct packet *pkt)
{
	struct ipv6hdr *ip = data + pkt->l3;
	__u32 at = pkt->l3 + sizeof(*ip);
	bool fragment = false;
	__u32 len;
	int i;

	if ((void *)(ip + 1) > end)
		return PARSED_MALFORMED;
	packet_ipv6(pkt, ip);
	len = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	if (*(__u8 *)ip >> 4 != 6 || pkt->l3 + len > frame)
		return PARSED_MALFORMED;
	pkt->bytes = pkt->l3 + len;
	pkt->proto = ip->nexthdr;

#pragma unroll
	for (i = 0; i < LB_MAX_EXTENSIONS; i++) {
		struct ipv6_extension *ext = data + at;

		if (!is_extension(pkt->proto))
			return parse_ports(data, end, pkt, at, fragment);
		if ((void *)(ext + 1) > end || at + 8 > pkt->bytes)
			return PARSED_MALFORMED;
		if (pkt->proto == IPV6_FRAGMENT) {
			/* offset and M both zero: a whole packet (RFC 6946) */
			if (ext->word & bpf_htons(0xfff8)) {
				pkt->proto = ext->nexthdr;
				return parse_later_fragment(pkt, at + 8);
			}
			fragment |= (ext->word & bpf_htons(1)) != 0;
		} else if (pkt->proto == IPV6_ROUTING && (ext->word & bpf_htons(0xff))) {
			break;
		}
		at += extension_size(pkt->proto, ext);
		pkt->proto = ext->nexthdr;
	}
	pkt->l4 = at;
	pkt->part = fragment;
	return PARSED_OTHER;
}

static __always_inline enum parsed parse_unusual(void *data, void *end, __u32 frame,
						 struct packet *pkt)
{
	__be16 ethertype = 0;

	pkt->family = LB_NO_FAMILY;
	pkt->bytes = frame;
	pkt->l3 = parse_link(data, end, &ethertype);
	if (!pkt->l3)
		return PARSED_MALFORMED;
	if (ethertype == bpf_htons(ETH_P_IP))
		return parse_ipv4(data, end, frame, pkt);
	if (ethertype == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(data, end, frame, pkt);
	return PARSED_NOT_IP;
}

#endif
