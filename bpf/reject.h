/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The answer that a service has no backend, from the VIP, as a host gives it where
 * nobody listens: to TCP a RST (RFC 9293 3.10.7.1), to UDP port unreachable (RFC 792,
 * RFC 4443 3.1).
 */
#ifndef XDP_LB_REJECT_H
#define XDP_LB_REJECT_H

#include "checksum.h"
#include "limit.h"
#include "order.h"
#include "stats.h"
#include "tell.h"
#include "way.h"

#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_RST 0x04
#define TCP_FLAG_ACK 0x10

struct tcp_header {
	__u32 ports;
	__be32 seq;
	__be32 ack;
	__u8 words; /* of the header, in the high half */
	__u8 flags;
	__be16 window;
	__u16 check;
	__be16 urgent;
};

/* The packet's TCP header; NULL where it isn't all there, or its length is wrong. */
static __always_inline struct tcp_header *tcp_of(struct xdp_md *ctx, const struct packet *pkt)
{
	struct tcp_header *tcp = (void *)(long)ctx->data + (pkt->l4 & 0x3ff);
	__u32 size;

	if (pkt->l4 > 0x3ff || (void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return NULL;
	size = (tcp->words >> 4) * 4;
	return size < sizeof(*tcp) || pkt->l4 + size > pkt->bytes ? NULL : tcp;
}

/* May the sender be told? RFC 9293 3.10.7.1, RFC 1122 3.2.2, RFC 4443 2.4e. Of a
 * fragment neither the segment's length is known nor, but for the first, its ports. */
static __always_inline bool may_reject(struct xdp_md *ctx, const struct packet *pkt)
{
	struct tcp_header *tcp;

	if (is_icmp(pkt) || !may_answer(pkt))
		return false;
	if (pkt->proto == IPPROTO_UDP)
		return !pkt->part || pkt->ports;
	tcp = tcp_of(ctx, pkt);
	return tcp && !pkt->part && !(tcp->flags & TCP_FLAG_RST);
}

static __always_inline void reset_of(const struct tcp_header *tcp, const struct packet *pkt,
				     struct tcp_header *reset)
{
	__u32 length = pkt->bytes - pkt->l4 - (tcp->words >> 4) * 4;

	__builtin_memset(reset, 0, sizeof(*reset));
	reset->ports = pkt->ports >> 16 | pkt->ports << 16;
	reset->words = sizeof(*reset) / 4 << 4;
	reset->flags = TCP_FLAG_RST;
	if (tcp->flags & TCP_FLAG_ACK) {
		reset->seq = tcp->ack;
		return;
	}
	length += !!(tcp->flags & TCP_FLAG_SYN) + !!(tcp->flags & TCP_FLAG_FIN);
	reset->ack = bpf_htonl(bpf_ntohl(tcp->seq) + length);
	reset->flags |= TCP_FLAG_ACK;
}

/* The header of a packet that carries size bytes of TCP, and the sum of its pseudo
 * header. It is atomic, and needs no id (RFC 6864). */
static __always_inline __u64 reset_ipv4(struct iphdr *ip, const struct packet *pkt, __u16 size)
{
	*(__u16 *)ip = bpf_htons(0x4500);
	ip->tot_len = bpf_htons(sizeof(*ip) + size);
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = ICMP_REPLY_TTL;
	ip->protocol = IPPROTO_TCP;
	ip->check = 0;
	ip->saddr = pkt->dst[1] >> 32;
	ip->daddr = pkt->src[1] >> 32;
	ip->check = checksum_fold(checksum_words(ip, sizeof(*ip), 0));
	return checksum_words(&ip->saddr, 8, bpf_htons(size) + bpf_htons(IPPROTO_TCP));
}

static __always_inline __u64 reset_ipv6(struct ipv6hdr *ip, const struct packet *pkt, __u16 size)
{
	__u64 *addr = (void *)&ip->saddr;

	*(__u32 *)ip = bpf_htonl(0x60000000);
	ip->payload_len = bpf_htons(size);
	ip->nexthdr = IPPROTO_TCP;
	ip->hop_limit = ICMP_REPLY_TTL;
	addr[0] = pkt->dst[0];
	addr[1] = pkt->dst[1];
	addr[2] = pkt->src[0];
	addr[3] = pkt->src[1];
	return checksum_words(addr, 32, bpf_htons(size) + bpf_htons(IPPROTO_TCP));
}

static __always_inline bool reset_as(struct xdp_md *ctx, const struct packet *pkt, __u8 family)
{
	const int head = family == LB_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct tcp_header *tcp = tcp_of(ctx, pkt), reset;
	const int size = head + sizeof(reset);
	__u64 sum;
	int less;
	void *ip;

	if (!tcp)
		return false;
	reset_of(tcp, pkt, &reset);
	less = (int)pkt->l3 + size - (int)bpf_xdp_get_buff_len(ctx);
	if (less && bpf_xdp_adjust_tail(ctx, less))
		return false;
	ip = (void *)(long)ctx->data + (pkt->l3 & 31);
	if (ip + size > (void *)(long)ctx->data_end)
		return false;
	sum = family == LB_IPV4 ? reset_ipv4(ip, pkt, sizeof(reset))
				: reset_ipv6(ip, pkt, sizeof(reset));
	reset.check = checksum_fold(checksum_words(&reset, sizeof(reset), sum));
	__builtin_memcpy(ip + head, &reset, sizeof(reset));
	return true;
}

static __always_inline bool answer_unreachable(struct xdp_md *ctx, const struct packet *pkt)
{
	bool v4 = pkt->family == LB_IPV4;
	struct lb_scratch *s = scratch();

	if (!s || !tell_link(ctx, &s->tell, pkt->l3))
		return false;
	s->tell.type = v4 ? 3 : 1;
	s->tell.code = v4 ? 3 : 4;
	s->tell.rest = 0;
	s->tell.at = pkt->l3;
	s->tell.size = quote_of(pkt, pkt->bytes - pkt->l3);
	return tell(ctx, pkt);
}

/* Makes the frame, whose link addresses are those to send to already, the answer. */
static __noinline int answer_reject(struct xdp_md *ctx, const struct packet *pkt)
{
	if (pkt->proto == IPPROTO_UDP)
		return answer_unreachable(ctx, pkt);
	return pkt->family == LB_IPV4 ? reset_as(ctx, pkt, LB_IPV4) : reset_as(ctx, pkt, LB_IPV6);
}

/* Orders the answer, back to where the packet came from. */
static __always_inline bool order_reject(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct lb_hop hop = { .ifindex = ctx->ingress_ifindex };

	if (data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
		return false;
	__builtin_memcpy(hop.dst, data + ETH_ALEN, sizeof(hop.dst));
	__builtin_memcpy(hop.src, data, sizeof(hop.src));
	return order_to(ctx, &hop, LB_ORDER_TO_REJECT);
}

/* Swaps the frame's link addresses and answers. */
static __always_inline bool answer_now(struct xdp_md *ctx, const struct packet *pkt)
{
	void *data = (void *)(long)ctx->data;

	if (data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
		return false;
	swap_macs(data);
	return answer_reject(ctx, pkt);
}

static __always_inline int reject(struct xdp_md *ctx, const struct way *way, enum growth growth)
{
	if (!may_reject(ctx, way->pkt))
		return leave_service(way->pkt, way->service, LB_NO_BACKEND, XDP_DROP);
	if (!may_answer_now())
		return leave_service(way->pkt, way->service, LB_LIMITED, XDP_DROP);
	if (growth == BY_EGRESS) {
		if (order_reject(ctx))
			return leave_service(way->pkt, way->service, LB_REJECTED, XDP_REDIRECT);
		return leave_service(way->pkt, way->service, LB_NO_EGRESS, XDP_DROP);
	}
	if (!answer_now(ctx, way->pkt))
		return leave_service(way->pkt, way->service, LB_INTERNAL, XDP_DROP);
	return leave_service(way->pkt, way->service, LB_REJECTED, XDP_TX);
}

static __noinline int reject_by_egress(struct xdp_md *ctx, const struct way *way)
{
	return reject(ctx, way, BY_EGRESS);
}

/* A packet of the service, whose slot has no backend. */
static __always_inline int no_backend(struct xdp_md *ctx, const struct way *way, enum growth growth)
{
	__u8 resort = way->record->last_resort;

	if (resort == LB_LAST_RESORT_PASS)
		return leave_service(way->pkt, way->service, LB_NO_BACKEND_PASSED, XDP_PASS);
	if (likely(resort != LB_LAST_RESORT_REJECT))
		return leave_service(way->pkt, way->service, LB_NO_BACKEND, XDP_DROP);
	if (!way->aside)
		return GOES_ON;
	/* in line: one call more is more stack than there is */
	return growth == INLINE ? reject(ctx, way, INLINE) : reject_by_egress(ctx, way);
}

#endif
