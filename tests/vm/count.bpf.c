// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last of a chain: counts the IPv4 packets without options that reach it, by destination
 * port, and passes everything.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <xdp/xdp_helpers.h>

struct {
	__uint(priority, 90);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(xdp_count);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} by_port SEC(".maps");

SEC("xdp")
int xdp_count(struct xdp_md *ctx)
{
	struct {
		struct ethhdr eth;
		struct iphdr ip;
		struct udphdr udp; /* or TCP: ports are in the same place */
	} __attribute__((packed)) *packet = (void *)(long)ctx->data;
	__u64 *count;
	__u32 port;

	if ((void *)(packet + 1) > (void *)(long)ctx->data_end ||
	    packet->eth.h_proto != bpf_htons(ETH_P_IP) || packet->ip.ihl != 5)
		return XDP_PASS;
	port = bpf_ntohs(packet->udp.dest);
	count = bpf_map_lookup_elem(&by_port, &port);
	if (count)
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
