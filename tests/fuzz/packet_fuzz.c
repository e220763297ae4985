// SPDX-License-Identifier: GPL-2.0-only
// The packet parser, natively, on whatever bytes: it stays inside of them, says nothing of a
// packet that isn't there, and its quick half agrees with its thorough one.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/parse_unusual.h"

#define REQUIRE(condition)     \
  do {                         \
    if (!(condition)) abort(); \
  } while (0)

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

int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size > 65535) return 0;
  struct packet quick = {0};
  struct packet thorough = {0};
  uint8_t* copy = malloc(size ? size : 1);  // so that a step beyond its end is seen
  memcpy(copy, bytes, size);
  const bool usual = parse_usual(copy, copy + size, &quick);
  const enum parsed parsed = parse_unusual(copy, copy + size, size, &thorough);
  if (usual) {
    REQUIRE(parsed == PARSED);
    require_same(&quick, &thorough);
  }
  if (parsed == PARSED || parsed == PARSED_FRAGMENT) require_inside(&thorough, size);
  if (parsed == PARSED_ICMP) REQUIRE(is_icmp(&thorough) && thorough.l4 + 8u <= thorough.bytes);
  if (parsed == PARSED_NOT_IP) REQUIRE(thorough.family == LB_NO_FAMILY && thorough.bytes == size);
  REQUIRE(memcmp(copy, bytes, size) == 0);
  free(copy);
  return 0;
}
