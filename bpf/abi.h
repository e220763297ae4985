/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between the data path and user space: the maps, by name, and
 * every struct in them. Valid C11 and C++20.
 *
 * All state of a balancer is in these maps, pinned by name in one folder of
 * bpffs. User space changes lb_meta, lb_services, lb_backends and lb_arena
 * through mmap(2), by aligned stores of at most eight bytes: a packet sees a
 * word's old value or its new one, never half of each, and a writer that dies
 * between two stores leaves something that the next one can finish.
 *
 * Byte order: addresses and ports named "wire" hold their bytes as they are
 * in a packet. Everything else is in the host's order.
 */
#ifndef XDP_LB_ABI_H
#define XDP_LB_ABI_H

#include <linux/types.h>

#include "egress_order.h"
#include "exception.h"
#include "family.h"
#include "flow_entry.h"
#include "peer_place.h"
#include "reason.h"
#include "service_index.h"

/* Any moved byte of a map, or any changed meaning of one, bumps this. */
#define XDP_LB_ABI 9

#define LB_SERVICES 4096u	  /* records; a service's number is its index */
#define LB_BACKENDS 65536u	  /* records; a handle is the index: 1 to 65534, 0: none */
#define LB_REASONS 40u		  /* room for enum lb_reason */
#define LB_ARENA_SIZE (64u << 20) /* bytes, by default; always a power of two */
#define LB_ARENA_MAX (1u << 30)
#define LB_ARENA_ELEMENT (1u << 29) /* the verifier lets no offset be larger */

enum lb_forward {
	LB_FORWARD_L2 = 1,	/* direct server return: rewrite MACs, keep the packet */
	LB_FORWARD_IPIP = 2,	/* IP in IP: RFC 2003, RFC 4213, RFC 2473 */
	LB_FORWARD_GUE = 3,	/* UDP and GUE, variant 0 (draft-ietf-intarea-gue) */
	LB_FORWARD_GRE = 4,	/* RFC 2784, RFC 7676 */
	LB_FORWARD_NAT = 5,	/* rewrite the destination, and the source of what comes back */
	LB_FORWARD_FULLNAT = 6, /* rewrite the source as well; a flow's ports are in lb_flows */
};

/* What becomes of a service's fragments. */
enum lb_fragments {
	LB_FRAGMENTS_DROP = 0,
	LB_FRAGMENTS_PASS = 1,
	LB_FRAGMENTS_HASH3 = 2, /* all of a source's packets go to one backend */
};

enum lb_balance {
	LB_BALANCE_SLACK = 0, /* shares capped at 5 % over fair */
	LB_BALANCE_EXACT = 1, /* shares exact to a slot */
	LB_BALANCE_OFF = 2,   /* no caps */
};

/* Bytes are those of the frame up to the end of its IP packet, without padding. */
struct lb_counter {
	__u64 packets;
	__u64 bytes;
};
LB_ASSERT_SIZE(struct lb_counter, 16);

/* Who follows drops: one word, which the follower writes anew each second or so. */
struct lb_follow {
	__u32 until;   /* seconds (exception.h); over, or 0: nobody does */
	__u32 reasons; /* a bit for each enum lb_reason that is wanted, of the first 32 */
} __attribute__((aligned(8)));
LB_ASSERT_SIZE(struct lb_follow, 8);

/* lb_meta: ARRAY[1]. All zero until user space adopts freshly made maps. */
struct lb_meta {
	__u32 abi;	   /* XDP_LB_ABI, or 0: not adopted yet */
	__u32 index_stale; /* 1: the index must be built anew from the records */
	__u64 generation;  /* counts completed changes */
	__u8 cluster_key[16];
	struct lb_counter retired[LB_FAMILIES]; /* forwarded for removed services */
	struct lb_follow follow;
	__u64 reserved[5];
	__u64 peer[LB_PEER_PLACES];
	__u64 peer_addr[LB_PEER_PLACES][2];
};
LB_ASSERT_SIZE(struct lb_meta, 128 + 24 * LB_PEER_PLACES);

/*
 * lb_arena: ARRAY[1], whose value is the whole arena; or ARRAY[2], whose values
 * are LB_ARENA_ELEMENT bytes each, and are one area where they are mapped. It
 * starts with struct lb_arena_head; behind it are the index and the services'
 * tables, each at a multiple of 64 bytes, the index in the first element, a
 * table in one of them. What is in use follows from the references to it:
 * lb_arena_head.index and each lb_service.table.
 */
struct lb_arena_head {
	struct lb_index_ref index;
	__u32 hops;  /* new with every change of a backend: older next hops are void; never 0 */
	__u32 peers; /* LB_PEERS_...: which there are in lb_meta */
	__u64 reserved[6];
};
LB_ASSERT_SIZE(struct lb_arena_head, LB_LINE);

/* Where a service's table is: one word, so that a new table replaces the old. */
struct lb_table_ref {
	__u32 line;	    /* start in lb_arena, in lines of 64 bytes; 0: no table */
	__u8 k;		    /* log2 of the number of slots: 8 to 20 */
	__u8 source_prefix; /* bits of the source that are hashed; 0: all of the flow is */
	__u8 remembers;	    /* 1: flows of clean slots too */
	__u8 second;	    /* 1: second_chance, and the second choices are written */
} __attribute__((aligned(8)));
LB_ASSERT_SIZE(struct lb_table_ref, 8);

enum lb_service_state {
	LB_SERVICE_FREE = 0,
	LB_SERVICE_LIVE = 1,
	LB_SERVICE_REMOVED = 2, /* no longer in the index; its backends go next */
	LB_SERVICE_COUNTED = 3, /* key[0..1] is what lb_meta.retired becomes */
};

/* What user space decides of a service: one word. */
struct lb_service_conf {
	__u8 state;	  /* enum lb_service_state */
	__u8 forward;	  /* enum lb_forward, for backends that don't say */
	__u8 balance;	  /* enum lb_balance */
	__u8 table_stale; /* 1: the table must be built anew from the backends */
	__u16 wire_port;  /* 0: any */
	__u8 proto;	  /* IPPROTO_TCP, IPPROTO_UDP */
	__u8 family;	  /* enum lb_family of the VIP */
} __attribute__((aligned(8)));
LB_ASSERT_SIZE(struct lb_service_conf, 8);

/* lb_services: ARRAY[LB_SERVICES]. The first line is what packets read. */
struct lb_service {
	struct lb_table_ref table;
	__u64 key[7]; /* k0..k6 of the flow hash */
	struct lb_service_conf conf;
	__u8 addr[16]; /* the VIP, wire bytes; IPv4 as ::ffff:a.b.c.d */
	__u64 table_seed;
	struct lb_counter retired; /* forwarded to removed backends */
	__u32 caps_bind;	   /* 1: a cap keeps some slot from its best backend */
	__u16 wire_gue_port;	   /* destination port of mode gue */
	__u8 fragments;		   /* enum lb_fragments */
	__u8 source_prefix;	   /* bits of the source that are hashed; 0: and ports */
	__u8 ping;		   /* 1: echo requests to the VIP are answered */
	__u8 last_resort;	   /* enum lb_last_resort */
	__u8 remember;		   /* enum lb_remember */
	__u8 on_down;		   /* enum lb_on_down */
	__u8 epoch_open;	   /* 1: some slot may not be clean */
	__u8 second_chance;	   /* 1: what has no socket here goes to the slot's other backend */
	__u8 unused[2];
	__u8 pool[16];	  /* mode fullnat: the first source address, as addr */
	__u32 pool_count; /* and how many there are, one after the other */
	__u32 epoch; /* how long a flow that isn't seen is remembered, in seconds (exception.h) */
	__u8 reserved[104];
};
LB_ASSERT_SIZE(struct lb_service, 256);

/* A next hop: the interface, and the first 12 bytes of an Ethernet header. */
struct lb_hop {
	__u32 ifindex; /* 0: none */
	__u8 dst[6];
	__u8 src[6];
};
LB_ASSERT_SIZE(struct lb_hop, 16);

enum lb_backend_state {
	LB_BACKEND_FREE = 0,
	LB_BACKEND_UP = 1,
	LB_BACKEND_DRAIN = 2,	/* gets no slots; its weight is kept */
	LB_BACKEND_REMOVED = 3, /* on its way to LB_BACKEND_FREE */
	LB_BACKEND_COUNTED = 4, /* hop[0] is what lb_service.retired becomes */
	LB_BACKEND_DOWN = 5,	/* gets no slots; its flows as lb_service.on_down has it */
	LB_BACKEND_LEAVING = 6, /* drains, and is removed when no flow is left */
};

/* What user space decides of a backend: one word. */
struct lb_backend_conf {
	__u16 service;
	__u16 weight;	 /* 1 to 65535 */
	__u16 wire_port; /* 0: the service's */
	__u8 state;	 /* enum lb_backend_state */
	__u8 family;	 /* enum lb_family */
} __attribute__((aligned(8)));
LB_ASSERT_SIZE(struct lb_backend_conf, 8);

/* What packets read of a backend: one word. */
struct lb_backend_head {
	__u8 forward;	     /* enum lb_forward */
	__u8 static_hop : 2; /* 0: ask the kernel; 1, 2: lb_backend.hop[static_hop - 1] */
	__u8 source : 2;     /* 0: none; 1, 2: lb_backend.source[source - 1] */
	__u8 local : 1;	     /* an address of this host, whose stack gets the packets */
	__u8 keeps : 1;	     /* the flows that it has stay */
	__u8 accepts : 1;    /* it gets new ones: its state is LB_BACKEND_UP */
	__u8 unused : 1;
	__u16 wire_port; /* mode gue: the outer destination port; nat, fullnat: the backend's */
	__u32 reserved;
} __attribute__((aligned(8)));
LB_ASSERT_SIZE(struct lb_backend_head, 8);

/* lb_backends: ARRAY[LB_BACKENDS]; a record is one backend of one service. */
struct lb_backend {
	struct lb_backend_head head;
	struct lb_backend_conf conf;
	__u8 addr[16];	      /* wire bytes; IPv4 as ::ffff:a.b.c.d */
	struct lb_hop hop[2]; /* static next hops; the unused one is written */
	__u8 source[2][16];   /* where outer headers come from; likewise */
	__u8 own_forward;     /* enum lb_forward; 0: the service's */
	__u8 reserved[31];
};
LB_ASSERT_SIZE(struct lb_backend, 128);

/* lb_next_hops: PERCPU_ARRAY[LB_BACKENDS]. Only the data path writes it, but for
 * zeros when a backend is gone. */
struct lb_next_hop {
	struct lb_counter forwarded; /* to the backend */
	__u32 stamp;		     /* jiffies of the answer, their low half */
	__u32 hops;		     /* lb_arena_head.hops it was made for; 0: none */
	struct lb_hop hop;
	__u16 mtu;	  /* of the route, or of the interface; 0: not known */
	__u16 vlan;	  /* how frames leave: LB_VLAN_... */
	__u8 reason;	  /* 0: usable; else the enum lb_reason why not */
	__u8 forward : 6; /* lb_backend_head's */
	__u8 family : 2;  /* of src and dst */
	__u16 wire_port;  /* lb_backend_head's */
	/* The outer header's addresses, wire bytes; IPv4 as ::ffff:a.b.c.d. */
	__u8 src[16];
	__u8 dst[16];
};
LB_ASSERT_SIZE(struct lb_next_hop, 80);

/* lb_next_hop.reason: the backend is this host, whose stack gets its packets. */
#define LB_HOP_LOCAL 0xffu

/* lb_next_hop.vlan: without a tag; as they came; or this bit and a VLAN's id. */
#define LB_VLAN_NONE 0u
#define LB_VLAN_KEEP 0xffffu
#define LB_VLAN_TAGGED 0x8000u

/* lb_vlans: HASH[LB_VLANS], by the ifindex of a VLAN device: the kernel's routes
 * lead to it, but XDP sends through its parent. */
#define LB_VLANS 4096u
struct lb_vlan {
	__u32 parent; /* ifindex */
	__u16 id;
	__u16 reserved;
};
LB_ASSERT_SIZE(struct lb_vlan, 8);

/* lb_return_hops: PERCPU_ARRAY[LB_RETURN_HOPS] of struct lb_next_hop, those of
 * clients that get replies by way of the balancer: an address has one place. */
#define LB_RETURN_HOPS 4096u

/* lb_reason_cnt: PERCPU_ARRAY[LB_FAMILIES]; lb_service_cnt:
 * PERCPU_ARRAY[LB_SERVICES]. */
struct lb_reason_counters {
	struct lb_counter reason[LB_REASONS];
};
LB_ASSERT_SIZE(struct lb_reason_counters, 640);

/* lb_limits: PERCPU_ARRAY[LB_LIMITS]: what the data path may still do by itself. */
enum lb_limited {
	LB_LIMIT_ANSWERS = 0,
	LB_LIMIT_EXCEPTIONS = 1,
	LB_LIMIT_SAMPLES = 2,
	LB_LIMITS = 3,
};
struct lb_limit {
	__u32 stamp; /* jiffies, their low half */
	__u32 tokens;
};
LB_ASSERT_SIZE(struct lb_limit, 8);

/* lb_samples: RINGBUF[LB_SAMPLES_SIZE] of packets that were dropped, while somebody follows. */
#define LB_SAMPLES_SIZE (128u << 10) /* bytes */
#define LB_SAMPLE_FRAME 128u
struct lb_sample {
	__u64 time;    /* CLOCK_MONOTONIC, in nanoseconds */
	__u32 ifindex; /* where it came in */
	__u32 length;  /* of the frame */
	__u16 captured;
	__u8 reason;  /* enum lb_reason */
	__u8 verdict; /* XDP_DROP; XDP_PASS, where it is a defect */
	__u32 reserved;
	__u8 frame[LB_SAMPLE_FRAME]; /* its first bytes: "captured" of them */
};
LB_ASSERT_SIZE(struct lb_sample, 152);

/* Read-only data of the object: the only thing in .rodata. */
struct lb_constants {
	__u32 abi;
	__u32 arena_size; /* bytes: the value size of lb_arena */
	__u32 exception_sets;
};
LB_ASSERT_SIZE(struct lb_constants, 12);

#endif
