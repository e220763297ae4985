/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Slots that have changed, and the flows that are remembered for them: a part of abi.h. */
#ifndef XDP_LB_EXCEPTION_H
#define XDP_LB_EXCEPTION_H

#include <linux/types.h>

#include "family.h"

/*
 * A slot of a table: {handle of the current backend, and of the previous one}.
 *
 *	{A, A}               clean: all flows go to A, and nothing is remembered
 *	{B, A}, phase 1      until the slot's deadline: a SYN goes to B, and its flow is remembered;
 *	                     flows that nothing is known of stay with A, and are remembered
 *	{B, A}, phase 2      after it: remembered flows stay, all others go to B
 *	{B, LB_SLOT_KEEPS}   phase 2, whatever the deadline says
 *
 * Behind a table's slots are its deadlines, one __u32 a slot, in seconds. A deadline means
 * something only while {current, previous} is two handles: it is written before them.
 */
struct lb_slot {
	__u16 current;
	__u16 previous;
} __attribute__((aligned(4)));
LB_ASSERT_SIZE(struct lb_slot, 4);
#define LB_SLOT_KEEPS 0xffffu

/* Behind these are the second choices (plugin/table.h), one handle a slot, or 0: they are
 * written while the table's service has second_chance.
 *
 * What a table takes, in bytes; 2^k slots. */
#define LB_TABLE_BYTES(k) ((sizeof(struct lb_slot) + sizeof(__u32) + sizeof(__u16)) << (k))

/* Seconds are those of CLOCK_MONOTONIC_COARSE, but of 2^30 ns. */
#define LB_SECOND_SHIFT 30
static inline int lb_phase_1(struct lb_slot slot, __u32 deadline, __u32 now)
{
	return slot.current != slot.previous && slot.previous != LB_SLOT_KEEPS &&
	       (__s32)(deadline - now) > 0;
}

/*
 * lb_exceptions: ARRAY[LB_EXCEPTION_SETS] of sets, by the flow's hash. An entry is one word, 0 if
 * it is empty, and changed by compare-and-swap alone:
 *
 *	bits 0-31   the low half of the hash, whose low bits are the slot's number
 *	bits 32-47  handle of the flow's backend
 *	bit  48     confirmed: more than one packet of the flow was seen
 *	bits 49-63  when it was last used, in seconds, modulo 2^15
 *
 * The hash is that of the flow (flow.h) with the slot's number in its low bits, also where the
 * slot follows from the source alone; set number (hash >> 32) mod the number of sets has it. The
 * backend tells the service. An entry counts while it was used within the service's epoch.
 *
 * Flows of which only SYNs were seen have the places of a set from LB_EXCEPTION_SYN on, and get one
 * of the others when they are confirmed.
 */
#define LB_EXCEPTION_WAYS 8u
#define LB_EXCEPTION_SYN 6u
#define LB_EXCEPTION_SETS 131072u /* by default; always a power of two */
struct lb_exception_set {
	__u64 entry[LB_EXCEPTION_WAYS];
};
LB_ASSERT_SIZE(struct lb_exception_set, LB_LINE);

/* A flow that was silent for longer than that, in seconds, may be opened anew elsewhere. */
#define LB_EXCEPTION_SILENT 2u

#define LB_EXCEPTION_CONFIRMED (1ull << 48)
#define LB_EXCEPTION_AGES 0x8000u

static inline __u64 lb_exception(__u64 hash, __u32 handle, int confirmed, __u32 now)
{
	return (hash & 0xffffffffu) | (__u64)handle << 32 |
	       (confirmed ? LB_EXCEPTION_CONFIRMED : 0) |
	       (__u64)(now & (LB_EXCEPTION_AGES - 1)) << 49;
}

static inline __u32 lb_exception_handle(__u64 entry)
{
	return entry >> 32 & 0xffff;
}

/* A packet may have used it after now was read: the last minute before the ages wrap is none. */
static inline __u32 lb_exception_age(__u64 entry, __u32 now)
{
	__u32 age = (now - (__u32)(entry >> 49)) & (LB_EXCEPTION_AGES - 1);

	return age >= LB_EXCEPTION_AGES - 64 ? 0 : age;
}

/* lb_exception_cnt: PERCPU_ARRAY[1]. */
struct lb_exception_counters {
	__u64 made;
	__u64 evicted; /* of those, in place of a confirmed one that still counted */
	__u64 refused; /* not made: too many lately, or all that are there count */
};
LB_ASSERT_SIZE(struct lb_exception_counters, 24);

/* Which flows of a service are remembered. */
enum lb_remember {
	LB_REMEMBER_CHANGED = 0, /* those of slots that have changed, for an epoch */
	LB_REMEMBER_ALWAYS = 1,	 /* all */
	LB_REMEMBER_NONE = 2,	 /* none: a change moves flows at once */
};

/* What becomes of the flows of a backend that is down. */
enum lb_on_down {
	LB_ON_DOWN_REHASH = 0, /* they go to others at once */
	LB_ON_DOWN_KEEP = 1,   /* they stay, as if it drained */
};

/* What becomes of packets when no backend takes new flows. */
enum lb_last_resort {
	LB_LAST_RESORT_DROP = 0,
	LB_LAST_RESORT_REJECT = 1, /* and the client is told */
	LB_LAST_RESORT_PASS = 2,   /* XDP_PASS */
	LB_LAST_RESORT_ALL = 3,	   /* they go to the backends all the same */
};

#define LB_EPOCH_TCP 900u /* seconds, by default */
#define LB_EPOCH_UDP 120u
#define LB_EPOCH_MAX 14400u

#endif
