// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a program again and again as if by a stream of packets: BPF_PROG_TEST_RUN
 * with repeat leaves the packet as the last run made it, so this puts it back,
 * writes the next flow, and calls the program under test in its place. With it,
 * the least that things cost, and the far end of a veth.
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
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sink_state);
} sink_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

/* Key 0: where bare_redirect sends. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} way_out SEC(".maps");

SEC("xdp")
int driver(struct xdp_md *ctx)
{
	__u64 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct driver_state *state;
	__u16 *first, *second;
	__u32 zero = 0, flow;
	int i;

	state = bpf_map_lookup_elem(&driver_state, &zero);
	if (!state || (void *)data + DRIVER_FRAME > end)
		return XDP_ABORTED;
	state->runs++;
	state->rewritten += data[0] != state->frame[0];
	state->lengths[(end - (void *)data) & (DRIVER_LENGTHS - 1)]++;
	/* For every row, so that its cost is in every row. */
	if (bpf_xdp_adjust_head(ctx, (int)(end - (void *)data) - DRIVER_FRAME))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((void *)data + DRIVER_FRAME > end)
		return XDP_ABORTED;
#pragma unroll
	for (i = 0; i < DRIVER_FRAME / 8; i++)
		data[i] = state->frame[i];
	/* an odd multiplier: each of the flows once before the first comes again */
	flow = (__u32)(state->runs * 2654435761u) & state->flow_mask;
	first = (void *)data + (state->at[0] & 127);
	second = (void *)data + (state->at[1] & 127);
	if ((void *)(first + 1) > end || (void *)(second + 1) > end)
		return XDP_ABORTED;
	*first = flow >> 16;
	*second = state->base + flow;
	bpf_tail_call(ctx, &under_test, 0);
	return XDP_ABORTED;
}

/* Where live frames arrive, on a peer of the interface that they left from. */
SEC("xdp")
int sink(struct xdp_md *ctx)
{
	struct sink_state *state;
	__u32 zero = 0;

	state = bpf_map_lookup_elem(&sink_state, &zero);
	if (state)
		state->lengths[(ctx->data_end - ctx->data) & (DRIVER_LENGTHS - 1)]++;
	return XDP_DROP;
}

/* What redirecting costs at all. */
SEC("xdp")
int bare_redirect(struct xdp_md *ctx __attribute__((unused)))
{
	return bpf_redirect_map(&way_out, 0, XDP_DROP);
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

struct outer {
	__u16 macs[6];
	__u16 ethertype;
	__u8 version, tos;
	__u16 len, id, fragments;
	__u8 ttl, protocol;
	__u16 check;
	__u32 from, to;
} __attribute__((packed));

/* What an outer IPv4 header costs at least: a look at the inner one, the resizing, the header and
 * its checksum. */
SEC("xdp")
int parse_and_ipip(struct xdp_md *ctx)
{
	struct outer *outer = (void *)(long)ctx->data;
	__u16 *words;
	__u32 sum = 0;
	__u16 len;
	__u8 tos;
	int i;

	if ((void *)(outer + 1) > (void *)(long)ctx->data_end || outer->ethertype != 0x0008 ||
	    outer->version != 0x45)
		return XDP_PASS;
	tos = outer->tos;
	len = __builtin_bswap16(outer->len) + 20;
	if (bpf_xdp_adjust_head(ctx, -20))
		return XDP_ABORTED;
	outer = (void *)(long)ctx->data;
	if ((void *)(outer + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	*outer = (struct outer){ { 1, 2, 3, 4, 5, 6 },
				 0x0008,
				 0x45,
				 tos,
				 __builtin_bswap16(len),
				 0,
				 0x0040,
				 64,
				 4,
				 0,
				 0x0100000a,
				 0x0200000a };
	words = (void *)outer + 14;
#pragma unroll
	for (i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	outer->check = ~(sum + (sum >> 16));
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
