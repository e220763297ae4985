// SPDX-License-Identifier: GPL-2.0-only
// The packet parser, natively, on whatever bytes: it stays inside of them, says nothing of a
// packet that isn't there, and its quick half agrees with its thorough one.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/icmp.h"
#include "plugin/dissect.h"
#include "tests/fuzz/require.h"

static void require_inside(const struct packet* pkt, uint32_t frame) {
  REQUIRE(pkt->l3 == 14 || pkt->l3 == 18 || pkt->l3 == 22);
  REQUIRE(pkt->bytes <= frame && pkt->bytes >= pkt->l3 + 20u + 4u);
  REQUIRE(pkt->family == LB_IPV4 || pkt->family == LB_IPV6);
  REQUIRE(is_transport(pkt->proto));
}

static void require_same(const struct packet* quick, const struct packet* thorough) {
  REQUIRE(memcmp(quick->src, thorough->src, sizeof(quick->src)) == 0);
  REQUIRE(memcmp(quick->dst, thorough->dst, sizeof(quick->dst)) == 0);
  REQUIRE(quick->ports == thorough->ports && quick->bytes == thorough->bytes);
  REQUIRE(quick->l3 == thorough->l3 && quick->proto == thorough->proto);
  REQUIRE(quick->family == thorough->family);
  REQUIRE(quick->l4 == thorough->l4 && quick->part == thorough->part);
}

static void require_quote(void* data, void* end, const struct packet* pkt) {
  struct packet flow = *pkt;
  if (icmp_quoted(data, end, pkt, &flow) != QUOTED) return;
  REQUIRE(is_transport(flow.proto) && flow.family == pkt->family);
  REQUIRE(flow.l4 >= pkt->l4 + 8u + 20u && flow.l4 + 4u <= pkt->bytes);
  REQUIRE(memcmp(flow.dst, pkt->dst, sizeof(flow.dst)) == 0);
}

// Flows, and with them hashes, are those of packets alone.
static void require_dissected(const uint8_t* frame, uint32_t size, enum parsed parsed,
                              const struct packet* pkt) {
  static const __u64 key[7] = {1, 3, 5, 7, 9, 11, 13};
  struct Dissected own, flow;
  lb_dissect(frame, size, size, &own, &flow);
  REQUIRE(own.family == pkt->family);
  REQUIRE(own.is_flow == (parsed <= PARSED_LATER_FRAGMENT));
  REQUIRE(parsed == PARSED_ICMP || memcmp(&own, &flow, sizeof(own)) == 0);
  if (own.family == LB_NO_FAMILY) return;
  REQUIRE(memcmp(own.key.dst, pkt->dst, sizeof(pkt->dst)) == 0);
  for (uint32_t prefix = 0; prefix <= (own.family == LB_IPV4 ? 32 : 128); prefix++)
    lb_hash_flow(key, &flow, prefix);
}

// The frame, in just as many bytes, so that a step beyond its end is seen.
static uint8_t* copied(const uint8_t* bytes, size_t size) {
  uint8_t* copy = malloc(size);
  REQUIRE(copy != NULL);
  memcpy(copy, bytes, size);
  return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0 || size > 65535) return 0;
  struct packet quick = {0};
  struct packet thorough = {0};
  uint8_t* copy = copied(bytes, size);
  const bool usual = parse_usual(copy, copy + size, &quick);
  const enum parsed parsed = parse_unusual(copy, copy + size, size, &thorough);
  if (usual) {
    REQUIRE(parsed == PARSED);
    require_same(&quick, &thorough);
  }
  if (parsed == PARSED || parsed == PARSED_FRAGMENT) require_inside(&thorough, size);
  if (parsed == PARSED_NOT_IP) REQUIRE(thorough.family == LB_NO_FAMILY && thorough.bytes == size);
  require_dissected(copy, size, parsed, &thorough);
  if (parsed == PARSED_ICMP) {
    REQUIRE(is_icmp(&thorough) && thorough.l4 + 8u <= thorough.bytes);
    require_quote(copy, copy + size, &thorough);
  }
  REQUIRE(memcmp(copy, bytes, size) == 0);
  if (parsed == PARSED_ICMP) icmp_echo_reply(copy, copy + size, &thorough);
  free(copy);
  return 0;
}
