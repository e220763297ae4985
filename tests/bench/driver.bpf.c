// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a program again and again as if by a stream of packets: BPF_PROG_TEST_RUN
 * with repeat leaves the packet as the last run made it, so this puts it back,
 * writes the next flow, and calls the program under test in its place.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/driver.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct driver_state);
} driver_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

SEC("xdp")
int driver(struct xdp_md *ctx)
{
	__u64 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct driver_state *state;
	__u32 zero = 0, flow;
	int i;

	state = bpf_map_lookup_elem(&driver_state, &zero);
	if (!state || (void *)data + DRIVER_FRAME > end)
		return XDP_ABORTED;
	state->runs++;
	state->rewritten += data[0] != state->frame[0];
	state->resized += end - (void *)data != DRIVER_FRAME;
#pragma unroll
	for (i = 0; i < DRIVER_FRAME / 8; i++)
		data[i] = state->frame[i];
	/* an odd multiplier: each of the flows once before the first comes again */
	flow = (__u32)(state->runs * 2654435761u) & state->flow_mask;
	if (state->v6) {
		*(__u16 *)((void *)data + 34) = flow >> 16;
		*(__u16 *)((void *)data + 54) = flow;
	} else {
		*(__u16 *)((void *)data + 28) = flow >> 16;
		*(__u16 *)((void *)data + 34) = flow;
	}
	bpf_tail_call(ctx, &under_test, 0);
	return XDP_ABORTED;
}

/* What sending costs at all. */
SEC("xdp")
int bare_tx(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_TX;
}

/* What looking at the headers and writing MACs costs at least. */
SEC("xdp")
int parse_and_swap(struct xdp_md *ctx)
{
	__u16 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	int i;

	if ((void *)data + 54 > end)
		return XDP_PASS;
	if (data[6] != 0x0008 && data[6] != 0xdd86)
		return XDP_PASS;
	if (data[6] == 0x0008 && *((__u8 *)data + 14) != 0x45)
		return XDP_PASS;
#pragma unroll
	for (i = 0; i < 3; i++) {
		__u16 swap = data[i];

		data[i] = data[i + 3];
		data[i + 3] = swap;
	}
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
