/* SPDX-License-Identifier: GPL-2.0-only */
/* What driver.bpf.c and the benchmark's user space share. */
#ifndef TESTS_BENCH_DRIVER_H
#define TESTS_BENCH_DRIVER_H

#include <linux/types.h>

#define DRIVER_FRAME 112   /* bytes of every frame: an ICMPv6 error with a quoted header fits */
#define DRIVER_LENGTHS 256 /* and no packet comes back longer than that */

struct driver_state {
  __u64 runs;      /* packets so far */
  __u64 rewritten; /* packets that came with another link address than frame has */
  __u32 flow_mask; /* flows less one: a power of two of them */
  __u16 at[2];     /* where the flow's number is written, its high half and its low one */
  __u16 base;      /* added to the low half */
  __u16 reserved[3];
  __u32 lengths[DRIVER_LENGTHS]; /* how many packets came with each length */
  __u64 frame[DRIVER_FRAME / 8];
};

struct sink_state {
  __u32 lengths[DRIVER_LENGTHS];
};

#endif
