/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How often the component answers by itself (RFC 1812 4.3.2.8, RFC 4443 2.4), and
 * how many flows and samples it takes in: token buckets of each CPU, filled by the jiffy, so that
 * no HZ need be known.
 */
#ifndef XDP_LB_LIMIT_H
#define XDP_LB_LIMIT_H

#include "maps.h"
#include "parse.h"

#define LIMIT_ANSWERS 10
#define LIMIT_EXCEPTIONS 1000
#define LIMIT_SAMPLES 1
#define LIMIT_JIFFIES 100 /* that a bucket holds */

/* rate: how many a jiffy. */
static __always_inline bool limit_allows(enum lb_limited what, __u32 rate)
{
	__u32 key = what, now = bpf_jiffies64(), elapsed;
	struct lb_limit *limit = bpf_map_lookup_elem(&lb_limits, &key);

	if (!limit)
		return false;
	elapsed = now - limit->stamp;
	limit->stamp = now;
	if (elapsed > LIMIT_JIFFIES)
		limit->tokens = LIMIT_JIFFIES * rate;
	else
		limit->tokens += elapsed * rate;
	if (limit->tokens > LIMIT_JIFFIES * rate)
		limit->tokens = LIMIT_JIFFIES * rate;
	if (!limit->tokens)
		return false;
	limit->tokens--;
	return true;
}

static __always_inline bool may_answer_now(void)
{
	return limit_allows(LB_LIMIT_ANSWERS, LIMIT_ANSWERS);
}

#endif
