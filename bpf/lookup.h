/* SPDX-License-Identifier: GPL-2.0-only */
/* packet -> service -> slot -> backend. */
#ifndef XDP_LB_LOOKUP_H
#define XDP_LB_LOOKUP_H

#include "flow.h"
#include "maps.h"

/* The object's only read-only data; the verifier knows what it holds. */
const volatile struct lb_constants lb_constants SEC(".rodata") = {
	.abi = XDP_LB_ABI,
	.arena_size = LB_ARENA_SIZE,
};

struct lookup {
	void *arena;
	struct lb_index_ref index;
};

/* A pointer to size bytes of the arena, size a power of two, at a multiple of
 * it: whatever offset says, it stays inside. */
static __always_inline void *arena_at(void *arena, __u32 offset, __u32 size)
{
	return arena + (offset & (lb_constants.arena_size - size));
}

static __always_inline bool lookup_start(struct lookup *lookup)
{
	__u32 zero = 0;

	lookup->arena = bpf_map_lookup_elem(&lb_arena, &zero);
	if (!lookup->arena)
		return false;
	*(__u64 *)&lookup->index = *(volatile __u64 *)lookup->arena;
	return true;
}

static __always_inline struct lb_index_entry *index_find(const struct lookup *lookup,
							 const struct packet *pkt, __u32 tag)
{
	struct lb_index_ref index = lookup->index;
	__u64 h = lb_index_hash(pkt->dst[0], pkt->dst[1], tag, index.seed);
	__u32 buckets = 1u << (index.bucket_bits & 31);
	__u32 start = index.line * LB_LINE;
	__u32 bucket = (__u32)h & (buckets - 1);
	__u16 *displacement = arena_at(lookup->arena, start + bucket * 2, 2);
	__u32 number = ((__u32)(h >> 32) + *displacement) & ((1u << (index.entry_bits & 31)) - 1);
	__u32 entries = start + ((buckets * 2 + LB_LINE - 1) & -LB_LINE);
	struct lb_index_entry *entry;

	entry = arena_at(lookup->arena, entries + number * sizeof(*entry), sizeof(*entry));
	if (entry->tag != tag || entry->addr[1] != pkt->dst[1] || entry->addr[0] != pkt->dst[0])
		return NULL;
	return entry;
}

static __always_inline struct lb_service *
service_at(const struct lookup *lookup, const struct packet *pkt, __u32 tag, __u32 *number)
{
	struct lb_index_entry *entry = lookup->index.line ? index_find(lookup, pkt, tag) : NULL;

	if (!entry)
		return NULL;
	*number = entry->service;
	return bpf_map_lookup_elem(&lb_services, &entry->service);
}

/* The service that takes fragments without ports. */
static __always_inline struct lb_service *fragment_service(const struct lookup *lookup,
							   const struct packet *pkt, __u32 *number)
{
	return service_at(lookup, pkt, lb_index_tag(0, pkt->proto, pkt->family | LB_INDEX_FRAGMENT),
			  number);
}

/* The service whose VIP answers echo requests. */
static __always_inline struct lb_service *echo_service(const struct lookup *lookup,
						       const struct packet *pkt, __u32 *number)
{
	return service_at(lookup, pkt, lb_index_tag(0, pkt->proto, pkt->family), number);
}

/* The service that the packet is for, by its number. */
static __always_inline struct lb_service *service_find(const struct lookup *lookup,
						       const struct packet *pkt, __u32 *number)
{
	__u32 any = lb_index_tag(0, pkt->proto, pkt->family);
	struct lb_index_entry *entry;

	if (!lookup->index.line)
		return NULL;
	entry = index_find(lookup, pkt, any | packet_wire_dport(pkt));
	if (!entry) {
		if (likely(!lookup->index.any_port))
			return NULL;
		entry = index_find(lookup, pkt, any);
		if (!entry)
			return NULL;
	}
	*number = entry->service;
	return bpf_map_lookup_elem(&lb_services, &entry->service);
}

/* Is the packet's destination the address of any service? */
static __always_inline bool is_vip(const struct lookup *lookup, const struct packet *pkt)
{
	return lookup->index.line &&
	       index_find(lookup, pkt, lb_index_tag(0, 0, pkt->family)) != NULL;
}

static __noinline __u64 service_source_hash(const struct lb_service *service,
					    const struct packet *pkt, __u32 bits)
{
	return source_hash(service->key, pkt, bits);
}

/* The handle of the backend that the packet's flow belongs to, or 0. */
static __always_inline __u32 backend_pick(const struct lookup *lookup, struct lb_service *service,
					  struct packet *pkt)
{
	struct lb_table_ref table;
	struct lb_slot *slot;
	__u32 number;
	__u64 hash;

	*(__u64 *)&table = *(volatile __u64 *)&service->table;
	if (unlikely(!table.line))
		return 0;
	if (unlikely(table.source_prefix))
		hash = service_source_hash(service, pkt, table.source_prefix);
	else
		hash = flow_hash(service->key, pkt);
	pkt->entropy = hash >> 48;
	number = hash & ((1u << (table.k & 31)) - 1);
	slot = arena_at(lookup->arena, table.line * LB_LINE + number * sizeof(*slot),
			sizeof(*slot));
	return slot->current;
}

#endif
