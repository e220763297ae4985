/* SPDX-License-Identifier: GPL-2.0-only */
/* What driver.bpf.c and path_bench.cpp share. */
#ifndef TESTS_BENCH_DRIVER_H
#define TESTS_BENCH_DRIVER_H

#include <linux/types.h>

#define DRIVER_FRAME 80 /* bytes of every frame */

struct driver_state {
  __u64 runs;      /* packets so far; user space sets it to 0 */
  __u64 rewritten; /* packets that came back with another link address */
  __u64 grown;     /* bytes that packets came back longer by, in all */
  __u32 flow_mask; /* flows less one: a power of two of them */
  __u16 at[2];     /* where the flow's number is written, its high half and its low one */
  __u64 frame[DRIVER_FRAME / 8];
};

#endif
