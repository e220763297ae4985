/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map of the component. Shapes and meanings are in abi.h. All are pinned
 * by name and are the only state: the object itself keeps none.
 */
#ifndef XDP_LB_MAPS_H
#define XDP_LB_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "parse.h"

/* Written by user space; read by it, and where a packet is dropped. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_meta);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_meta SEC(".maps");

/* Index and tables. Written by user space; read for each packet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, LB_ARENA_SIZE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_arena SEC(".maps");

/* Written by user space; its first line is read for each packet of a service. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LB_SERVICES);
	__type(key, __u32);
	__type(value, struct lb_service);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_services SEC(".maps");

/* Written by user space; read when a next hop is asked for. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LB_BACKENDS);
	__type(key, __u32);
	__type(value, struct lb_backend);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_backends SEC(".maps");

/* Written by user space; read when the kernel names a next hop. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LB_VLANS);
	__type(key, __u32);
	__type(value, struct lb_vlan);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_vlans SEC(".maps");

/*
 * Written by user space; packets are redirected through it. The loader pins it:
 * libbpf could not use the pin again, since the kernel adds a flag to such maps.
 */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, LB_EGRESS_DEVICES);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} lb_egress SEC(".maps");

/* Written and read by the data path; what was forwarded is read by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LB_BACKENDS);
	__type(key, __u32);
	__type(value, struct lb_next_hop);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_next_hops SEC(".maps");

/* Written and read by the data path. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LB_RETURN_HOPS);
	__type(key, __u32);
	__type(value, struct lb_next_hop);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_return_hops SEC(".maps");

/* Written and read by the data path. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LB_FLOWS);
	__type(key, struct lb_flow_key);
	__type(value, struct lb_flow);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_flows SEC(".maps");

/* Written and read by the data path; user space takes out what is over. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LB_EXCEPTION_SETS);
	__type(key, __u32);
	__type(value, struct lb_exception_set);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_exceptions SEC(".maps");

/* Written by the data path; read by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_exception_counters);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_exception_cnt SEC(".maps");

/* Written and read by the data path. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LB_LIMITS);
	__type(key, __u32);
	__type(value, struct lb_limit);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_limits SEC(".maps");

/* Written by the data path; read by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LB_FAMILIES);
	__type(key, __u32);
	__type(value, struct lb_reason_counters);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_reason_cnt SEC(".maps");

/* Written by the data path; read by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LB_SERVICES);
	__type(key, __u32);
	__type(value, struct lb_reason_counters);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_service_cnt SEC(".maps");

/* Written by the data path; read by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, LB_SAMPLES_SIZE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lb_samples SEC(".maps");

enum aside_kind {
	FOR_SERVICE,
	REPLY_OF_NAT,
	REPLY_TO_POOL,
	ABOUT_OUTER,
	FROM_PEER,
	IN_OUTER /* from a peer too: its flow is that of inner */
};

/* An ICMP error to be sent (tell.h), in place of a frame. */
struct tell {
	__u64 tags;    /* of its link header, as are */
	__u16 macs[6]; /* the addresses to send to */
	__u32 rest;    /* the second word of the ICMP header, wire bytes */
	__u16 at;      /* what is quoted: its offset and its size */
	__u16 size;
	__u8 l3; /* of the frame */
	__u8 type;
	__u8 code;
};

/* The outer header that an ICMP error quotes. */
struct quoted_outer {
	__u64 dst[2];
	__u32 mtu;	 /* that it was too big for */
	__u16 wire_port; /* of GUE; 0: it isn't GUE */
	__u16 size;	 /* from its IP header to the packet in it */
};

#define LB_QUOTE 2048u

#define NOT_PICKED 0xffffu /* not a handle: its flow is to be looked for */
#define NOT_NOW NOT_PICKED /* it was: a SYN that comes too soon */

/* One of the ways of a set of exceptions. It lies here, and is volatile where it is used, since
 * the verifier follows registers: it would look at what comes after once for each way. */
struct chosen_way {
	__u64 entry;
	__u32 way;
	__u32 rank;
};

#define LB_COOKIES 64
/* What a packet needs that the stack has no room for; no state, but for cookies. */
struct lb_scratch {
	struct packet pkt;
	struct packet flow;
	struct packet inner; /* in the outer header, its ports not set */
	struct lb_flow_key key;
	struct lb_flow_key peer;
	struct lb_flow_key scrap;
	struct lb_flow entry;
	__u32 service;
	__u32 backend; /* or NOT_PICKED */
	__u8 kind;     /* enum aside_kind */
	__u8 quoted;   /* 1: its flow is that of a packet in it; else its own */
	struct bpf_fib_lookup fib;
	struct tell tell;
	struct quoted_outer outer;
	__u8 quote[LB_QUOTE];
	__u32 behind; /* the quote */
	struct chosen_way chosen;
	__u64 cookies[LB_COOKIES]; /* seen just now, by flow: accepts_cookie() */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_scratch);
} lb_scratch SEC(".maps");

static __always_inline struct lb_scratch *scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&lb_scratch, &zero);
}

#endif
