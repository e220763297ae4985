/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forwarding mode l2, direct server return: the frame goes to the backend's
 * link address and the packet stays as it is, but for one hop less to live
 * (RFC 1812 5.3.1, RFC 8200 3). A VLAN tag stays, with the id of the VLAN that
 * the way out has. The backend has the VIP on a loopback interface and answers
 * the client itself.
 */
#ifndef XDP_LB_FORWARD_L2_H
#define XDP_LB_FORWARD_L2_H

#include "checksum.h"
#include "next_hop.h"
#include "stats.h"

/* One hop less; false if that was the last. */
static __always_inline bool hop_down(void *l3, __u8 family)
{
	if (family == LB_IPV4) {
		struct iphdr *ip = l3;

		if (unlikely(ip->ttl <= 1))
			return false;
		ip->ttl--;
		ip->check = checksum_hop(ip->check);
	} else {
		struct ipv6hdr *ip = l3;

		if (unlikely(ip->hop_limit <= 1))
			return false;
		ip->hop_limit--;
	}
	return true;
}

/*
 * Does the frame have the tags that its way out wants? A VLAN's id is written
 * over another; priority and drop eligibility stay. Adding or taking a tag
 * would resize the packet.
 */
static __always_inline bool fit_vlan(void *data, void *end, const struct packet *pkt, __u16 vlan)
{
	struct vlan_tag *tag = data + sizeof(struct ethhdr);

	if (vlan == LB_VLAN_KEEP)
		return true;
	if (likely(pkt->l3 == sizeof(struct ethhdr)))
		return vlan == LB_VLAN_NONE;
	if (!(vlan & LB_VLAN_TAGGED) || pkt->l3 != sizeof(struct ethhdr) + sizeof(*tag) ||
	    (void *)(tag + 1) > end)
		return false;
	tag->tci = (tag->tci & bpf_htons(0xf000)) | bpf_htons(vlan & 0xfff);
	return true;
}

/* In two stores instead of twelve. */
static __always_inline void write_macs(void *data, const struct lb_hop *hop)
{
	*(__u64 *)data = *(const __u64 *)hop->dst;
	*(__u32 *)(data + 8) = *(const __u32 *)(hop->src + 2);
}

#endif
