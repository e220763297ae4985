/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Next hops of backends, and of clients whose replies pass here: a per-CPU copy
 * of what the kernel's routes and neighbours say, asked anew when it is older
 * than LB_NEXT_HOP_JIFFIES or a backend has changed. So the kernel stays the
 * truth, without a daemon, and without bpf_fib_lookup() for each packet.
 */
#ifndef XDP_LB_NEXT_HOP_H
#define XDP_LB_NEXT_HOP_H

#include "lookup.h"
#include "maps.h"
#include "parse.h"

/* A second where HZ is 100, a tenth of one where it is 1000: no need to know. */
#define LB_NEXT_HOP_JIFFIES 100

/* How soon to ask again when there was no usable answer. */
#define LB_NO_HOP_JIFFIES 10

#define LB_AF_INET 2
#define LB_AF_INET6 10

static __always_inline enum lb_reason fib_reason(long result)
{
	switch (result) {
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		return LB_NO_NEIGHBOUR;
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return LB_FORWARDING_OFF;
	default:
		return LB_NO_ROUTE;
	}
}

static __always_inline long fib_look(struct xdp_md *ctx, struct bpf_fib_lookup *fib, __u8 family,
				     const __u32 *addr)
{
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->ifindex = ctx->ingress_ifindex;
	if (family == LB_IPV4) {
		fib->family = LB_AF_INET;
		fib->ipv4_dst = addr[3];
	} else {
		fib->family = LB_AF_INET6;
		__builtin_memcpy(fib->ipv6_dst, addr, sizeof(fib->ipv6_dst));
	}
	return bpf_fib_lookup(ctx, fib, sizeof(*fib), 0);
}

/* Asks the kernel for the way to next->dst. Returns bpf_fib_lookup()'s result, and
 * sets direct if no gateway is in between. */
static __always_inline long fib_ask(struct xdp_md *ctx, struct lb_next_hop *next, bool *direct)
{
	const __u32 *addr = (const void *)next->dst;
	bool v4 = next->family == LB_IPV4;
	struct lb_scratch *s = scratch();
	struct bpf_fib_lookup *fib;
	struct lb_vlan *vlan;
	long result;

	if (!s)
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	fib = &s->fib;
	result = fib_look(ctx, fib, next->family, addr);
	*direct = v4 ? fib->ipv4_dst == addr[3]
		     : fib->ipv6_dst[0] == addr[0] && fib->ipv6_dst[1] == addr[1] &&
				  fib->ipv6_dst[2] == addr[2] && fib->ipv6_dst[3] == addr[3];
	if (result != BPF_FIB_LKUP_RET_SUCCESS)
		return result;
	vlan = bpf_map_lookup_elem(&lb_vlans, &fib->ifindex);
	next->hop.ifindex = vlan ? vlan->parent : fib->ifindex;
	next->vlan = vlan ? vlan->id | LB_VLAN_TAGGED : LB_VLAN_NONE;
	__builtin_memcpy(next->hop.dst, fib->dmac, sizeof(next->hop.dst));
	__builtin_memcpy(next->hop.src, fib->smac, sizeof(next->hop.src));
	next->mtu = fib->mtu_result;
	return result;
}

/* A gateway in between is no good to a frame that must keep the VIP as its
 * destination, as mode l2 has it: it would send it back here. */
static __always_inline enum lb_reason backend_ask(struct xdp_md *ctx, struct lb_next_hop *next)
{
	bool direct = false;
	long result = fib_ask(ctx, next, &direct);

	if ((result == BPF_FIB_LKUP_RET_SUCCESS || result == BPF_FIB_LKUP_RET_NO_NEIGH) &&
	    !direct && next->forward == LB_FORWARD_L2)
		return LB_OFF_LINK;
	return result == BPF_FIB_LKUP_RET_SUCCESS ? 0 : fib_reason(result);
}

static __always_inline bool is_tunnel(__u8 forward)
{
	return forward == LB_FORWARD_IPIP || forward == LB_FORWARD_GUE || forward == LB_FORWARD_GRE;
}

static __always_inline void hop_refreshed(struct lb_next_hop *next, __u32 hops)
{
	/* That forwarding is off says nothing of packets from another interface. */
	next->hops = next->reason == LB_FORWARDING_OFF ? 0 : hops;
	next->stamp = bpf_jiffies64();
	if (next->reason) /* it is old sooner */
		next->stamp -= LB_NEXT_HOP_JIFFIES - LB_NO_HOP_JIFFIES;
}

/* Of the interface; 0 where it is gone, or has room for any packet. */
static __always_inline __u16 device_mtu(struct xdp_md *ctx, __u32 ifindex)
{
	__u32 mtu = 0;

	return bpf_check_mtu(ctx, ifindex, &mtu, 0, 0) < 0 || mtu > 0xffff ? 0 : mtu;
}

static __noinline int next_hop_refresh(struct xdp_md *ctx, __u32 handle, __u32 hops,
				       struct lb_next_hop *next)
{
	struct lb_backend *backend = bpf_map_lookup_elem(&lb_backends, &handle);
	struct lb_backend_head head;

	if (!backend)
		return 0;
	*(__u64 *)&head = *(volatile __u64 *)&backend->head;
	next->mtu = 0;
	next->forward = head.forward;
	next->family = backend->conf.family;
	next->wire_port = head.wire_port;
	__builtin_memcpy(next->src, backend->source[(head.source - 1) & 1], sizeof(next->src));
	__builtin_memcpy(next->dst, backend->addr, sizeof(next->dst));
	if (head.local) {
		next->reason = LB_HOP_LOCAL;
	} else if (head.static_hop) {
		next->hop = backend->hop[(head.static_hop - 1) & 1];
		next->vlan = LB_VLAN_KEEP;
		next->mtu = device_mtu(ctx, next->hop.ifindex);
		next->reason = 0;
	} else {
		next->reason = backend_ask(ctx, next);
	}
	if (!next->reason && !head.source && is_tunnel(head.forward))
		next->reason = LB_NO_SOURCE;
	hop_refreshed(next, hops);
	return 0;
}

static __noinline int return_hop_refresh(struct xdp_md *ctx, const __u64 *dst, __u8 family,
					 __u32 hops, struct lb_next_hop *next)
{
	bool direct;
	long result;

	next->mtu = 0;
	next->forward = 0;
	next->family = family;
	__builtin_memcpy(next->dst, dst, sizeof(next->dst));
	result = fib_ask(ctx, next, &direct);
	if (result == BPF_FIB_LKUP_RET_SUCCESS)
		next->reason = 0;
	else if (result == BPF_FIB_LKUP_RET_NOT_FWDED)
		next->reason = LB_HOP_LOCAL;
	else
		next->reason = fib_reason(result);
	hop_refreshed(next, hops);
	return 0;
}

/* After the slot, whose handle has a new meaning only with a new number. */
static __always_inline __u32 hops_now(const struct lookup *lookup)
{
	return *(volatile __u32 *)&((struct lb_arena_head *)lookup->arena)->hops;
}

static __always_inline bool is_stale(const struct lb_next_hop *next, __u32 hops)
{
	__u32 age = (__u32)bpf_jiffies64() - next->stamp;

	return next->hops != hops || age > LB_NEXT_HOP_JIFFIES;
}

/* The backend's next hop on this CPU, or NULL where a number leads outside. */
static __always_inline struct lb_next_hop *next_hop(struct xdp_md *ctx, const struct lookup *lookup,
						    __u32 handle)
{
	struct lb_next_hop *next = bpf_map_lookup_elem(&lb_next_hops, &handle);
	__u32 hops = hops_now(lookup);

	if (unlikely(!next))
		return NULL;
	if (unlikely(is_stale(next, hops)))
		next_hop_refresh(ctx, handle, hops, next);
	return next;
}

/* The next hop to where a reply goes, likewise. */
static __always_inline struct lb_next_hop *return_hop(struct xdp_md *ctx,
						      const struct lookup *lookup,
						      const struct lb_flow_key *to, __u8 family)
{
	__u64 h = (to->dst[0] ^ to->dst[1]) * 0x9e3779b97f4a7c15ull;
	__u32 place = h >> 32 & (LB_RETURN_HOPS - 1), hops = hops_now(lookup);
	struct lb_next_hop *next = bpf_map_lookup_elem(&lb_return_hops, &place);
	const __u64 *dst;

	if (unlikely(!next))
		return NULL;
	dst = (const void *)next->dst;
	if (unlikely(dst[0] != to->dst[0] || dst[1] != to->dst[1] || is_stale(next, hops)))
		return_hop_refresh(ctx, to->dst, family, hops, next);
	return next;
}

#endif
