/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes -> struct packet. Nothing here calls the kernel or touches a map.
 *
 * parse_usual() takes what nearly all traffic is: at most two VLAN tags, IPv4
 * without options or IPv6 without extension headers, TCP or UDP, whole and
 * unfragmented. parse_unusual.h takes everything, at its leisure.
 */
#ifndef XDP_LB_PARSE_H
#define XDP_LB_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>

#include "abi.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

struct packet {
	__u64 src[2];  /* wire bytes; IPv4 as ::ffff:a.b.c.d */
	__u64 dst[2];  /* likewise */
	__u32 ports;   /* wire bytes: source port, then destination port */
	__u32 bytes;   /* of the frame, up to the end of the IP packet */
	__u16 l4;      /* offset of the ports */
	__u16 entropy; /* of the flow: bits of its hash that pick no slot */
	__u8 l3;       /* offset of the IP header: 14, 18 or 22 */
	__u8 proto;    /* IPPROTO_TCP, IPPROTO_UDP */
	__u8 family;   /* enum lb_family */
	__u8 part;     /* 1: a fragment, of which no checksum tells anything */
};

enum parsed {
	PARSED,		 /* all of struct packet is set */
	PARSED_FRAGMENT, /* likewise, of a first fragment */
	/* addresses and family are set, ports are not: */
	PARSED_LATER_FRAGMENT, /* proto is set as well, as far as it can be told */
	PARSED_ICMP,	       /* proto and l4 are set as well; the message is whole */
	PARSED_OTHER,	       /* likewise; what that is, and whether whole, isn't known */
	PARSED_MALFORMED,      /* family is LB_NO_FAMILY where addresses aren't there */
	PARSED_NOT_IP,	       /* only bytes is set */
};

static __always_inline __u16 packet_wire_dport(const struct packet *pkt)
{
	return pkt->ports >> 16;
}

static __always_inline bool is_vlan(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETH_P_8021AD);
}

static __always_inline bool is_transport(__u8 proto)
{
	if (likely(proto == IPPROTO_TCP))
		return true;
	return proto == IPPROTO_UDP;
}

static __always_inline bool is_icmp(const struct packet *pkt)
{
	return pkt->proto == (pkt->family == LB_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* The least that a TCP or UDP header takes (RFC 9293 3.1, RFC 768). */
static __always_inline __u32 transport_header(__u8 proto)
{
	return proto == IPPROTO_TCP ? 20 : 8;
}

struct vlan_tag {
	__be16 tci;
	__be16 ethertype;
};

/*
 * Steps over at most two VLAN tags. Returns the offset of what they carry and
 * sets ethertype, or returns 0 if the frame ends within them.
 */
static __always_inline __u16 parse_link(void *data, void *end, __be16 *ethertype)
{
	struct vlan_tag *tag = data + sizeof(struct ethhdr);

	if ((void *)tag > end)
		return 0;
	*ethertype = *(__be16 *)(data + 2 * ETH_ALEN); /* the packed struct is read by bytes */
	if (likely(!is_vlan(*ethertype)))
		return sizeof(struct ethhdr);
	if ((void *)(tag + 1) > end)
		return 0;
	*ethertype = tag->ethertype;
	if (!is_vlan(*ethertype))
		return sizeof(struct ethhdr) + sizeof(*tag);
	if ((void *)(tag + 2) > end)
		return 0;
	*ethertype = tag[1].ethertype;
	return sizeof(struct ethhdr) + 2 * sizeof(*tag);
}

static __always_inline void packet_ipv4(struct packet *pkt, const struct iphdr *ip)
{
	pkt->family = LB_IPV4;
	pkt->src[0] = 0;
	pkt->src[1] = lb_mapped_low(ip->saddr);
	pkt->dst[0] = 0;
	pkt->dst[1] = lb_mapped_low(ip->daddr);
}

static __always_inline void packet_ipv6(struct packet *pkt, const struct ipv6hdr *ip)
{
	const __u64 *addr = (const void *)&ip->saddr;

	pkt->family = LB_IPV6;
	pkt->src[0] = addr[0];
	pkt->src[1] = addr[1];
	pkt->dst[0] = addr[2];
	pkt->dst[1] = addr[3];
}

/* True if the packet is usual and pkt is set; else nothing is known of it. */
static __always_inline bool parse_usual(void *data, void *end, struct packet *pkt)
{
	__be16 ethertype;
	__u16 l3 = parse_link(data, end, &ethertype);
	__u32 len;

	if (unlikely(!l3))
		return false;
	pkt->l3 = l3;
	if (likely(ethertype == bpf_htons(ETH_P_IP))) {
		struct iphdr *ip = data + l3;

		if (unlikely((void *)(ip + 1) + 8 > end))
			return false;
		/* version 4, five words; whole: neither MF nor an offset */
		if (unlikely(*(__u8 *)ip != 0x45 || (ip->frag_off & bpf_htons(0x3fff))))
			return false;
		pkt->proto = ip->protocol;
		len = bpf_ntohs(ip->tot_len);
		if (unlikely(len < sizeof(*ip) + transport_header(pkt->proto)))
			return false;
		packet_ipv4(pkt, ip);
		pkt->l4 = l3 + sizeof(*ip);
		pkt->ports = *(__u32 *)(ip + 1);
	} else if (likely(ethertype == bpf_htons(ETH_P_IPV6))) {
		struct ipv6hdr *ip = data + l3;

		if (unlikely((void *)(ip + 1) + 8 > end))
			return false;
		if (unlikely((*(__u8 *)ip & 0xf0) != 0x60))
			return false;
		pkt->proto = ip->nexthdr;
		len = bpf_ntohs(ip->payload_len) + sizeof(*ip);
		if (unlikely(len < sizeof(*ip) + transport_header(pkt->proto)))
			return false;
		packet_ipv6(pkt, ip);
		pkt->l4 = l3 + sizeof(*ip);
		pkt->ports = *(__u32 *)(ip + 1);
	} else {
		return false;
	}
	pkt->bytes = l3 + len;
	pkt->part = 0;
	/* Beyond the linear part of a multi-buffer frame is for parse_unusual(). */
	return is_transport(pkt->proto) && pkt->bytes <= (__u32)(end - data);
}

#endif
