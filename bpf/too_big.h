/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packet-too-big, from the VIP to the client: RFC 1191 (type 3 code 4) and RFC
 * 4443 3.2 (type 2). It quotes what the client sent: in IPv4 up to 576 bytes of
 * message (RFC 1812 4.3.2.3), in IPv6 up to 1280 (RFC 4443 2.4c). What is too big
 * for its way is longer than that, so each has one length.
 *
 * Making it resizes the packet. Where the program in the chain may not, it leaves
 * an order, as for an outer header (forward.h), with the frame's link addresses
 * behind the bytes that are quoted.
 */
#ifndef XDP_LB_TOO_BIG_H
#define XDP_LB_TOO_BIG_H

#include "checksum.h"
#include "icmp.h"
#include "maps.h"

#define QUOTE4 548
#define QUOTE6 1232
#define LEAST_MTU6 1280u

static __always_inline __u32 quote_size(const struct packet *pkt)
{
	return pkt->family == LB_IPV4 ? QUOTE4 : QUOTE6;
}

/* May the sender be told? RFC 1122 3.2.2, RFC 4443 2.4e: in IPv4 not of a fragment
 * behind the first. It must have asked not to be fragmented. l3: the IP header, with
 * the verifier's blessing. */
static __always_inline bool may_tell(const struct packet *pkt, const void *l3)
{
	const struct iphdr *ip = l3;

	if (is_icmp(pkt) || !may_answer(pkt) ||
	    pkt->bytes < pkt->l3 + quote_size(pkt) + 2 * ETH_ALEN)
		return false;
	return pkt->family == LB_IPV6 || (ip->frag_off & bpf_htons(0x5fff)) == bpf_htons(0x4000);
}

/* The sum of size bytes of the packet, a constant multiple of four: the helper
 * takes 512 at a time. */
static __always_inline __u64 sum_bytes(void *bytes, __u32 size, __u64 sum)
{
	__u32 at;

#pragma unroll
	for (at = 0; at < size; at += 512)
		sum += (__u32)bpf_csum_diff(NULL, 0, bytes + at, size - at < 512 ? size - at : 512,
					    0);
	return sum;
}

static __always_inline void tell_ipv4(struct iphdr *ip, const struct packet *pkt, __u32 mtu)
{
	struct icmp_header *icmp = (void *)(ip + 1);

	*(__u16 *)ip = bpf_htons(0x4500);
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(*icmp) + QUOTE4);
	ip->id = 0;
	ip->frag_off = 0;
	ip->ttl = ICMP_REPLY_TTL;
	ip->protocol = IPPROTO_ICMP;
	ip->check = 0;
	ip->saddr = pkt->dst[1] >> 32;
	ip->daddr = pkt->src[1] >> 32;
	ip->check = checksum_fold(checksum_words(ip, sizeof(*ip), 0));
	icmp->type = 3;
	icmp->code = 4;
	icmp->check = 0;
	icmp->rest = bpf_htonl(mtu);
	icmp->check = checksum_fold(sum_bytes(icmp, sizeof(*icmp) + QUOTE4, 0));
}

static __always_inline void tell_ipv6(struct ipv6hdr *ip, const struct packet *pkt, __u32 mtu)
{
	struct icmp_header *icmp = (void *)(ip + 1);
	__u64 *addr = (void *)&ip->saddr;
	__u16 len = sizeof(*icmp) + QUOTE6;
	__u64 sum;

	*(__u32 *)ip = bpf_htonl(0x60000000);
	ip->payload_len = bpf_htons(len);
	ip->nexthdr = IPPROTO_ICMPV6;
	ip->hop_limit = ICMP_REPLY_TTL;
	addr[0] = pkt->dst[0];
	addr[1] = pkt->dst[1];
	addr[2] = pkt->src[0];
	addr[3] = pkt->src[1];
	icmp->type = 2;
	icmp->code = 0;
	icmp->check = 0;
	icmp->rest = bpf_htonl(mtu);
	sum = checksum_words(addr, 32, bpf_htons(len) + bpf_htons(IPPROTO_ICMPV6));
	icmp->check = checksum_fold(sum_bytes(icmp, sizeof(*icmp) + QUOTE6, sum));
}

/* The link header of a frame: addresses, and tags as they were. */
struct link {
	__u16 macs[6];
	__u64 tags;
};

static __always_inline bool tell_as(struct xdp_md *ctx, const struct packet *pkt,
				    const struct link *link, __u32 mtu, __u8 family)
{
	const int head = (family == LB_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) +
			 sizeof(struct icmp_header);
	const int quote = family == LB_IPV4 ? QUOTE4 : QUOTE6;
	void *data, *end, *ip;
	__be16 *ethertype;

	if (bpf_xdp_adjust_tail(ctx, (int)(pkt->l3 + quote) - (int)bpf_xdp_get_buff_len(ctx)) ||
	    bpf_xdp_adjust_head(ctx, -head))
		return false;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ethertype = data + ((pkt->l3 - 2) & 31);
	ip = ethertype + 1;
	if (data + sizeof(struct ethhdr) + sizeof(link->tags) > end || ip + head + quote > end)
		return false;
	__builtin_memcpy(data, link->macs, sizeof(link->macs));
	*(__u64 *)(data + sizeof(link->macs)) = link->tags;
	swap_macs(data);
	*ethertype = family == LB_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if (family == LB_IPV4)
		tell_ipv4(ip, pkt, mtu);
	else
		tell_ipv6(ip, pkt, mtu);
	return true;
}

static __always_inline bool read_link(void *data, void *end, struct link *link)
{
	if (data + sizeof(link->macs) + sizeof(link->tags) > end)
		return false;
	__builtin_memcpy(link->macs, data, sizeof(link->macs));
	link->tags = *(__u64 *)(data + sizeof(link->macs));
	return true;
}

/* Where an order keeps the link addresses. NULL where the packet has no room. */
static __always_inline __u16 *order_macs(void *data, void *end, const struct packet *pkt)
{
	__u16 *macs = data + (pkt->l3 & 31) + quote_size(pkt);

	return (void *)(macs + 6) > end ? NULL : macs;
}

/* Makes the packet the message that it is too big, back to where it came from.
 * ordered: by an order, which keeps the link addresses. */
static __noinline int tell_too_big(struct xdp_md *ctx, const struct packet *pkt, __u32 mtu,
				   bool ordered)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct link link;

	if (!read_link(data, end, &link))
		return false;
	if (ordered) {
		__u16 *macs = order_macs(data, end, pkt);

		if (!macs)
			return false;
		__builtin_memcpy(link.macs, macs, sizeof(link.macs));
	}
	if (pkt->family == LB_IPV4)
		return tell_as(ctx, pkt, &link, mtu, LB_IPV4);
	return tell_as(ctx, pkt, &link, mtu < LEAST_MTU6 ? LEAST_MTU6 : mtu, LB_IPV6);
}

#endif
