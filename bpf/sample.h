/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What who follows drops sees of a packet: its first bytes, and why. At the very end, so that the
 * way there needs no room for it: the reason comes with the verdict (stats.h). While nobody
 * follows, a dropped packet costs a look at one word more, and others a comparison.
 */
#ifndef XDP_LB_SAMPLE_H
#define XDP_LB_SAMPLE_H

#include "limit.h"
#include "maps.h"
#include "stats.h"
#include "way.h"

static __always_inline bool is_followed(__u32 reason)
{
	__u32 zero = 0;
	struct lb_meta *meta = bpf_map_lookup_elem(&lb_meta, &zero);

	return meta && unlikely(meta->follow.until) && meta->follow.until > seconds_now() &&
	       meta->follow.reasons >> (reason % 32) & 1;
}

static __always_inline void sample(struct xdp_md *ctx, __u32 reason, __u32 action)
{
	struct lb_sample *sample = bpf_ringbuf_reserve(&lb_samples, sizeof(*sample), 0);
	__u64 captured;

	if (!sample)
		return;
	captured = bpf_xdp_get_buff_len(ctx);
	sample->time = bpf_ktime_get_ns();
	sample->ifindex = ctx->ingress_ifindex;
	sample->length = captured;
	sample->reason = reason;
	sample->verdict = action;
	sample->reserved = 0;
	if (captured > LB_SAMPLE_FRAME)
		captured = LB_SAMPLE_FRAME;
	if (captured < ETH_HLEN || bpf_xdp_load_bytes(ctx, 0, sample->frame, captured))
		captured = 0;
	sample->captured = captured;
	bpf_ringbuf_submit(sample, 0);
}

static __noinline int end_with_reason(struct xdp_md *ctx, __u32 verdict)
{
	__u32 reason = verdict >> REASON_SHIFT, action = verdict & ((1 << REASON_SHIFT) - 1);

	if (is_followed(reason) && limit_allows(LB_LIMIT_SAMPLES, LIMIT_SAMPLES))
		sample(ctx, reason, action);
	return action;
}

/* The end of a program. */
static __always_inline int end(struct xdp_md *ctx, int verdict)
{
	return unlikely(verdict >= 1 << REASON_SHIFT) ? end_with_reason(ctx, verdict) : verdict;
}

#endif
