/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The next hop of a backend: a per-CPU copy of what the kernel's routes and
 * neighbours say, asked anew when it is older than LB_NEXT_HOP_JIFFIES or the
 * backend has changed. So the kernel stays the truth, without a daemon, and
 * without bpf_fib_lookup() for each packet.
 */
#ifndef XDP_LB_NEXT_HOP_H
#define XDP_LB_NEXT_HOP_H

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

/* Asks the kernel; a gateway in between is no good to a frame that must keep
 * the VIP as its destination, as mode l2 has it: it would send it back here. */
static __always_inline enum lb_reason fib_ask(struct xdp_md *ctx, const struct lb_backend *backend,
					      struct lb_next_hop *next)
{
	const __u32 *addr = (const void *)backend->addr;
	struct bpf_fib_lookup fib = { .ifindex = ctx->ingress_ifindex };
	bool v4 = backend->conf.family == LB_IPV4;
	struct lb_vlan *vlan;
	bool direct;
	long result;

	if (v4) {
		fib.family = LB_AF_INET;
		fib.ipv4_dst = addr[3];
	} else {
		fib.family = LB_AF_INET6;
		__builtin_memcpy(fib.ipv6_dst, addr, sizeof(fib.ipv6_dst));
	}
	result = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	direct = v4 ? fib.ipv4_dst == addr[3]
		    : fib.ipv6_dst[0] == addr[0] && fib.ipv6_dst[1] == addr[1] &&
				 fib.ipv6_dst[2] == addr[2] && fib.ipv6_dst[3] == addr[3];
	if (result == BPF_FIB_LKUP_RET_SUCCESS || result == BPF_FIB_LKUP_RET_NO_NEIGH) {
		if (!direct && next->forward == LB_FORWARD_L2)
			return LB_OFF_LINK;
	}
	if (result != BPF_FIB_LKUP_RET_SUCCESS)
		return fib_reason(result);
	vlan = bpf_map_lookup_elem(&lb_vlans, &fib.ifindex);
	next->hop.ifindex = vlan ? vlan->parent : fib.ifindex;
	next->vlan = vlan ? vlan->id | LB_VLAN_TAGGED : LB_VLAN_NONE;
	__builtin_memcpy(next->hop.dst, fib.dmac, sizeof(next->hop.dst));
	__builtin_memcpy(next->hop.src, fib.smac, sizeof(next->hop.src));
	next->mtu = fib.mtu_result;
	return 0;
}

static __noinline int next_hop_refresh(struct xdp_md *ctx, struct lb_backend *backend,
				       struct lb_next_hop *next)
{
	struct lb_backend_head head;

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
		next->reason = 0;
	} else {
		next->reason = fib_ask(ctx, backend, next);
	}
	if (!next->reason && !head.source && head.forward != LB_FORWARD_L2)
		next->reason = LB_NO_SOURCE;
	/* That forwarding is off says nothing of packets from another interface. */
	next->generation = next->reason == LB_FORWARDING_OFF ? 0 : head.generation;
	next->stamp = bpf_jiffies64();
	return 0;
}

/* The backend's next hop on this CPU, or NULL where a number leads outside. */
static __always_inline struct lb_next_hop *next_hop(struct xdp_md *ctx, __u32 handle)
{
	struct lb_backend *backend = bpf_map_lookup_elem(&lb_backends, &handle);
	struct lb_next_hop *next = bpf_map_lookup_elem(&lb_next_hops, &handle);
	__u32 age;

	if (unlikely(!backend || !next))
		return NULL;
	age = (__u32)bpf_jiffies64() - next->stamp;
	if (unlikely(next->generation != backend->head.generation || age > LB_NEXT_HOP_JIFFIES ||
		     (next->reason && age > LB_NO_HOP_JIFFIES)))
		next_hop_refresh(ctx, backend, next);
	return next;
}

#endif
