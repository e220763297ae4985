/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packet-too-big, from the VIP to the client: RFC 1191 (type 3 code 4) and RFC
 * 4443 3.2 (type 2). What is too big for its way is longer than what is quoted.
 *
 * An order for it keeps the frame's link addresses behind the bytes that are quoted.
 */
#ifndef XDP_LB_TOO_BIG_H
#define XDP_LB_TOO_BIG_H

#include "tell.h"

#define LEAST_MTU4 68u
#define LEAST_MTU6 1280u

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

/* Where an order keeps the link addresses. NULL where the packet has no room. */
static __always_inline __u16 *order_macs(void *data, void *end, const struct packet *pkt)
{
	__u16 *macs = data + (pkt->l3 & 31) + quote_size(pkt);

	return (void *)(macs + 6) > end ? NULL : macs;
}

/* What is to be told: packets of whoever is told are too big for this MTU. */
static __always_inline void say_too_big(struct tell *tell, __u8 family, __u32 mtu)
{
	tell->type = family == LB_IPV4 ? 3 : 2;
	tell->code = family == LB_IPV4 ? 4 : 0;
	tell->rest = bpf_htonl(family == LB_IPV6 && mtu < LEAST_MTU6 ? LEAST_MTU6 : mtu);
}

/* Makes the packet the message that it is too big, back to where it came from.
 * ordered: by an order, which keeps the link addresses. */
static __always_inline bool tell_too_big(struct xdp_md *ctx, const struct packet *pkt, __u32 mtu,
					 bool ordered)
{
	struct lb_scratch *s = scratch();

	if (!s || !tell_link(ctx, &s->tell, pkt->l3))
		return false;
	if (ordered) {
		__u16 *macs = order_macs((void *)(long)ctx->data, (void *)(long)ctx->data_end, pkt);

		if (!macs)
			return false;
		__builtin_memcpy(s->tell.macs, macs, sizeof(s->tell.macs));
	}
	swap_macs(s->tell.macs);
	say_too_big(&s->tell, pkt->family, mtu);
	s->tell.at = pkt->l3;
	s->tell.size = quote_size(pkt);
	return tell(ctx, pkt);
}

#endif
