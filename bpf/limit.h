/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How often the component answers by itself: a token bucket a CPU (RFC 1812
 * 4.3.2.8, RFC 4443 2.4), filled by the jiffy, so that no HZ need be known.
 */
#ifndef XDP_LB_LIMIT_H
#define XDP_LB_LIMIT_H

#include "maps.h"
#include "parse.h"

#define LIMIT_PER_JIFFY 10
#define LIMIT_BURST 1000

static __always_inline bool limit_allows(void)
{
	__u32 zero = 0, now = bpf_jiffies64(), elapsed;
	struct lb_limit *limit = bpf_map_lookup_elem(&lb_limits, &zero);

	if (!limit)
		return false;
	elapsed = now - limit->stamp;
	limit->stamp = now;
	if (elapsed > LIMIT_BURST / LIMIT_PER_JIFFY)
		limit->tokens = LIMIT_BURST;
	else
		limit->tokens += elapsed * LIMIT_PER_JIFFY;
	if (limit->tokens > LIMIT_BURST)
		limit->tokens = LIMIT_BURST;
	if (!limit->tokens)
		return false;
	limit->tokens--;
	return true;
}

#endif
