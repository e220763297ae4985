/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors from a VIP, in place of the frame that has what they quote: in IPv4 up
 * to 576 bytes of message (RFC 1812 4.3.2.3), in IPv6 up to 1280 (RFC 4443 2.4c), or
 * all there is.
 *
 * Making one resizes the packet. Where the program in the chain may not, it leaves an
 * order (order.h).
 */
#ifndef XDP_LB_TELL_H
#define XDP_LB_TELL_H

#include "checksum.h"
#include "icmp.h"
#include "maps.h"

#define QUOTE4 548
#define QUOTE6 1232

static __always_inline __u32 quote_size(const struct packet *pkt)
{
	return pkt->family == LB_IPV4 ? QUOTE4 : QUOTE6;
}

static __always_inline __u32 quote_of(const struct packet *pkt, __u32 size)
{
	return size < quote_size(pkt) ? size : quote_size(pkt);
}

/* The sum of what is quoted, by way of a copy: its length is any. The helper takes 512
 * bytes at a time, in words. */
static __always_inline bool quote_sum(struct xdp_md *ctx, struct lb_scratch *s, __u64 *sum)
{
	__u32 size = s->tell.size, at;

	if (size < sizeof(struct iphdr))
		return false;
	asm volatile("" : "+r"(size)); /* two tests: of one, Linux 6.1 learns no lower bound */
	if (size > QUOTE6 || bpf_xdp_load_bytes(ctx, s->tell.at, s->quote, size))
		return false;
	*(__u32 *)(s->quote + (size & (LB_QUOTE - 1))) = 0;
	*sum = 0;
#pragma unroll
	for (at = 0; at < QUOTE6; at += 512) {
		__u32 left = size > at ? (size - at + 3) & ~3u : 0;

		*sum += (__u32)bpf_csum_diff(NULL, 0, (void *)s->quote + at,
					     left < 512 ? left : 512, 0);
	}
	return true;
}

static __always_inline void tell_ipv4(struct iphdr *ip, const struct tell *tell,
				      const struct packet *to, __u64 sum)
{
	struct icmp_header *icmp = (void *)(ip + 1);

	*(__u16 *)ip = bpf_htons(0x4500);
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(*icmp) + tell->size);
	ip->id = 0;
	ip->frag_off = 0;
	ip->ttl = ICMP_REPLY_TTL;
	ip->protocol = IPPROTO_ICMP;
	ip->check = 0;
	ip->saddr = to->dst[1] >> 32;
	ip->daddr = to->src[1] >> 32;
	ip->check = checksum_fold(checksum_words(ip, sizeof(*ip), 0));
	icmp->type = tell->type;
	icmp->code = tell->code;
	icmp->check = 0;
	icmp->rest = tell->rest;
	icmp->check = checksum_fold(checksum_words(icmp, sizeof(*icmp), sum));
}

static __always_inline void tell_ipv6(struct ipv6hdr *ip, const struct tell *tell,
				      const struct packet *to, __u64 sum)
{
	struct icmp_header *icmp = (void *)(ip + 1);
	__u64 *addr = (void *)&ip->saddr;
	__u16 len = sizeof(*icmp) + tell->size;

	*(__u32 *)ip = bpf_htonl(0x60000000);
	ip->payload_len = bpf_htons(len);
	ip->nexthdr = IPPROTO_ICMPV6;
	ip->hop_limit = ICMP_REPLY_TTL;
	addr[0] = to->dst[0];
	addr[1] = to->dst[1];
	addr[2] = to->src[0];
	addr[3] = to->src[1];
	icmp->type = tell->type;
	icmp->code = tell->code;
	icmp->check = 0;
	icmp->rest = tell->rest;
	sum = checksum_words(addr, 32, sum + bpf_htons(len) + bpf_htons(IPPROTO_ICMPV6));
	icmp->check = checksum_fold(checksum_words(icmp, sizeof(*icmp), sum));
}

static __always_inline bool tell_as(struct xdp_md *ctx, struct lb_scratch *s,
				    const struct packet *to, __u8 family)
{
	const int head = (family == LB_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) +
			 sizeof(struct icmp_header);
	struct tell *tell = &s->tell;
	void *data, *end, *ip;
	__be16 *ethertype;
	__u64 sum;

	if (!quote_sum(ctx, s, &sum) ||
	    bpf_xdp_adjust_tail(ctx, tell->at + tell->size - (int)bpf_xdp_get_buff_len(ctx)) ||
	    bpf_xdp_adjust_head(ctx, tell->at - tell->l3 - head))
		return false;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ethertype = data + ((tell->l3 - 2) & 31);
	ip = ethertype + 1;
	if (data + sizeof(struct ethhdr) + sizeof(tell->tags) > end || ip + head > end)
		return false;
	__builtin_memcpy(data, tell->macs, sizeof(tell->macs));
	*(__u64 *)(data + sizeof(tell->macs)) = tell->tags;
	*ethertype = family == LB_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if (family == LB_IPV4)
		tell_ipv4(ip, tell, to, sum);
	else
		tell_ipv6(ip, tell, to, sum);
	return true;
}

/* Keeps the frame's link header, for tell(); its addresses are those to send to. */
static __always_inline bool tell_link(struct xdp_md *ctx, struct tell *tell, __u8 l3)
{
	void *data = (void *)(long)ctx->data;

	if (data + sizeof(tell->macs) + sizeof(tell->tags) > (void *)(long)ctx->data_end)
		return false;
	tell->l3 = l3;
	__builtin_memcpy(tell->macs, data, sizeof(tell->macs));
	tell->tags = *(__u64 *)(data + sizeof(tell->macs));
	return true;
}

/* Makes the frame the message. to: a packet of whom it is for. */
static __noinline int tell(struct xdp_md *ctx, const struct packet *to)
{
	struct lb_scratch *s = scratch();

	if (!s)
		return false;
	return to->family == LB_IPV4 ? tell_as(ctx, s, to, LB_IPV4) : tell_as(ctx, s, to, LB_IPV6);
}

#endif
