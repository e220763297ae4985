/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/dissect.h"

#include <string.h>

#include "bpf/flow.h"
#include "bpf/icmp.h"

static struct Dissected dissected(const struct packet* pkt, bool is_flow) {
  struct Dissected it = {.family = pkt->family, .is_flow = is_flow};

  if (pkt->family == LB_NO_FAMILY) return it;
  memcpy(it.key.src, pkt->src, sizeof(pkt->src));
  memcpy(it.key.dst, pkt->dst, sizeof(pkt->dst));
  it.key.ports = is_flow ? pkt->ports : 0;
  it.key.proto = pkt->proto;
  return it;
}

void lb_dissect(const void* frame, __u32 captured, __u32 length, struct Dissected* own,
                struct Dissected* flow) {
  void* data = (void*)frame; /* nothing here writes */
  struct packet pkt = {0};
  struct packet quoted;
  const enum parsed parsed = parse_unusual(data, data + captured, length, &pkt);

  *own = dissected(
      &pkt, parsed == PARSED || parsed == PARSED_FRAGMENT || parsed == PARSED_LATER_FRAGMENT);
  *flow = *own;
  quoted = pkt;
  if (parsed == PARSED_ICMP && icmp_quoted(data, data + captured, &pkt, &quoted) == QUOTED)
    *flow = dissected(&quoted, true);
}

__u64 lb_hash_flow(const __u64 key[7], const struct Dissected* flow, __u32 prefix) {
  struct packet pkt = {.ports = flow->key.ports, .family = flow->family};

  memcpy(pkt.src, flow->key.src, sizeof(pkt.src));
  return prefix ? source_hash(key, &pkt, prefix) : flow_hash(key, &pkt);
}
