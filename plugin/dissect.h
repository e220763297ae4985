/* SPDX-License-Identifier: GPL-2.0-only */
/* What a frame is, as the data path reads it: by the pure headers of bpf/, compiled for here. */
#ifndef XDP_LB_DISSECT_H
#define XDP_LB_DISSECT_H

#include "bpf/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct Dissected {
  struct lb_flow_key key; /* zero where it can't be told; ports too where there are none */
  __u8 family;            /* enum lb_family; LB_NO_FAMILY: nothing is known */
  __u8 is_flow;           /* 1: a packet of TCP or UDP */
};

/* frame: its first "captured" bytes, of "length". own: of the frame; flow: of the packets that go
 * the same way, those that an ICMP error is about among them. */
void lb_dissect(const void* frame, __u32 captured, __u32 length, struct Dissected* own,
                struct Dissected* flow);

/* KM3; prefix: how many bits of the source are hashed, 0: all of the flow. */
__u64 lb_hash_flow(const __u64 key[7], const struct Dissected* flow, __u32 prefix);

#ifdef __cplusplus
}
#endif

#endif
