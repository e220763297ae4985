// SPDX-License-Identifier: GPL-2.0-only
/*
 * What libxdp takes for the dispatcher of a libxdp that is newer than itself: a program named
 * xdp_dispatcher, whose only map begins with libxdp's magic number and a version yet to come.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static const volatile struct {
	__u8 magic;
	__u8 version;
	__u8 result;
} config = { .magic = 236, .version = 99, .result = XDP_PASS };

SEC("xdp")
int xdp_dispatcher(struct xdp_md *ctx)
{
	(void)ctx;
	return config.result;
}

char _license[] SEC("license") = "GPL";
