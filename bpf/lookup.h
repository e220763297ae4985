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
	.exception_sets = LB_EXCEPTION_SETS,
};

struct lookup {
	void *arena;
	struct lb_index_ref index;
	__u32 mask; /* of offsets in an element of the arena */
};

/* Whatever offset says, it stays inside of the arena's element; what is there has a
 * power of two for its size, and the offset is a multiple of that. */
static __always_inline void *arena_at(const struct lookup *lookup, void *element, __u32 offset)
{
	return element + (offset & lookup->mask);
}

static __always_inline bool lookup_start(struct lookup *lookup)
{
	__u32 zero = 0;

	lookup->mask = lb_constants.arena_size - 1;
	lookup->arena = bpf_map_lookup_elem(&lb_arena, &zero);
	if (!lookup->arena)
		return false;
	*(__u64 *)&lookup->index = *(volatile __u64 *)lookup->arena;
	return true;
}

/* addr: two words, as in struct packet. */
static __always_inline struct lb_index_entry *index_find(const struct lookup *lookup,
							 const __u64 *addr, __u32 tag)
{
	struct lb_index_ref index = lookup->index;
	__u64 h = lb_index_hash(addr[0], addr[1], tag, index.seed);
	__u32 buckets = 1u << (index.bucket_bits & 31);
	__u32 start = index.line * LB_LINE;
	__u32 bucket = (__u32)h & (buckets - 1);
	__u16 *displacement = arena_at(lookup, lookup->arena, start + bucket * 2);
	__u32 number = ((__u32)(h >> 32) + *displacement) & ((1u << (index.entry_bits & 31)) - 1);
	__u32 entries = start + ((buckets * 2 + LB_LINE - 1) & -LB_LINE);
	struct lb_index_entry *entry;

	entry = arena_at(lookup, lookup->arena, entries + number * sizeof(*entry));
	if (!index.line || entry->tag != tag || entry->addr[1] != addr[1] ||
	    entry->addr[0] != addr[0])
		return NULL;
	return entry;
}

/* For what few packets need: a function of its own keeps registers free for the others. */
static __noinline struct lb_index_entry *index_find_more(const struct lookup *lookup,
							 const __u64 *addr, __u32 tag)
{
	return index_find(lookup, addr, tag);
}

/* The service in an entry of the index, by its number. */
static __always_inline struct lb_service *service_of(struct lb_index_entry *entry, __u32 *number)
{
	if (!entry)
		return NULL;
	*number = entry->service;
	return bpf_map_lookup_elem(&lb_services, &entry->service);
}

/* The service that takes fragments without ports. */
static __always_inline struct lb_service *fragment_service(const struct lookup *lookup,
							   const struct packet *pkt, __u32 *number)
{
	__u32 tag = lb_index_tag(0, pkt->proto, pkt->family | LB_INDEX_FRAGMENT);

	return service_of(index_find(lookup, pkt->dst, tag), number);
}

/* The service whose VIP answers echo requests. */
static __always_inline struct lb_service *echo_service(const struct lookup *lookup,
						       const struct packet *pkt, __u32 *number)
{
	__u32 tag = lb_index_tag(0, pkt->proto, pkt->family);

	return service_of(index_find(lookup, pkt->dst, tag), number);
}

/* The service that the packet is for, by its number. */
static __always_inline struct lb_service *service_find(const struct lookup *lookup,
						       const struct packet *pkt, __u32 *number)
{
	__u32 any = lb_index_tag(0, pkt->proto, pkt->family);
	struct lb_index_entry *entry;

	entry = index_find(lookup, pkt->dst, any | packet_wire_dport(pkt));
	if (!entry && unlikely(lookup->index.flags & LB_INDEX_HAS_ANY_PORT))
		entry = index_find_more(lookup, pkt->dst, any);
	return service_of(entry, number);
}

/* The service of mode nat whose backend sent the packet. later: a fragment without ports. */
static __always_inline struct lb_service *
reply_service(const struct lookup *lookup, const struct packet *pkt, bool later, __u32 *number)
{
	__u8 family = pkt->family | LB_INDEX_BACKEND | (later ? LB_INDEX_FRAGMENT : 0);
	__u32 tag = lb_index_tag(later ? 0 : (__u16)pkt->ports, pkt->proto, family);
	struct lookup again;

	if (likely(!(lookup->index.flags & LB_INDEX_HAS_NAT)))
		return NULL;
	/* read again: nothing of the first look-up needs a register till here */
	again = *lookup;
	*(__u64 *)&again.index = *(volatile __u64 *)lookup->arena;
	return service_of(index_find(&again, pkt->src, tag), number);
}

/* Is the packet's destination a source address of mode fullnat? */
static __always_inline bool is_pool(const struct lookup *lookup, const struct packet *pkt)
{
	return unlikely(lookup->index.flags & LB_INDEX_HAS_POOL) &&
	       index_find_more(lookup, pkt->dst, lb_index_tag(0, 0, pkt->family | LB_INDEX_POOL));
}

/* Is the packet's destination the address of any service? */
static __always_inline bool is_vip(const struct lookup *lookup, const struct packet *pkt)
{
	return index_find(lookup, pkt->dst, lb_index_tag(0, 0, pkt->family)) != NULL;
}

static __noinline __u64 service_source_hash(const struct lb_service *service,
					    const struct packet *pkt, __u32 bits)
{
	return source_hash(service->key, pkt, bits);
}

/* A word of the arena's second element. */
static __noinline __u32 second_element_word(__u32 offset)
{
	__u32 second = 1;
	void *element = bpf_map_lookup_elem(&lb_arena, &second);

	if (!element)
		return 0;
	return *(volatile __u32 *)(element + (offset & (LB_ARENA_ELEMENT - sizeof(__u32))));
}

/* A word of the arena behind its head. */
static __always_inline __u32 arena_word(const struct lookup *lookup, __u32 offset)
{
	/* With a smaller arena the verifier leaves this out of the program. */
	if (lb_constants.arena_size == LB_ARENA_ELEMENT && offset >= LB_ARENA_ELEMENT)
		return second_element_word(offset);
	/* it is one already, but the verifier may have lost that */
	asm volatile("%0 &= -4" : "+r"(offset));
	return *(volatile __u32 *)arena_at(lookup, lookup->arena, offset);
}

/* Does the backend take new flows? */
static __always_inline bool accepts(__u32 handle)
{
	struct lb_backend *backend = bpf_map_lookup_elem(&lb_backends, &handle);

	return backend && backend->head.accepts;
}

/* Where a flow belongs. */
struct place {
	struct lb_table_ref table;
	struct lb_slot slot;
	__u64 hash; /* the slot's number is in its low bits */
};

static __always_inline __u32 place_number(const struct place *place)
{
	return place->hash & ((1u << (place->table.k & 31)) - 1);
}

/* False: the service has no table. */
static __always_inline bool place_find(const struct lookup *lookup, struct lb_service *service,
				       struct packet *flow, struct place *place)
{
	*(__u64 *)&place->table = *(volatile __u64 *)&service->table;
	if (unlikely(!place->table.line))
		return false;
	if (unlikely(place->table.source_prefix))
		place->hash = service_source_hash(service, flow, place->table.source_prefix);
	else
		place->hash = flow_hash(service->key, flow);
	flow->entropy = place->hash >> 48;
	*(__u32 *)&place->slot = arena_word(lookup, place->table.line * LB_LINE +
							    place_number(place) * sizeof(__u32));
	return true;
}

/* The slot's deadline; after the slot. */
static __always_inline __u32 place_deadline(const struct lookup *lookup, const struct place *place)
{
	__u32 slots = 1u << (place->table.k & 31);

	return arena_word(lookup, place->table.line * LB_LINE +
					  (slots + place_number(place)) * sizeof(__u32));
}

/* The slot's second choice, of a table that has them. */
static __always_inline __u32 place_second(const struct lookup *lookup, const struct place *place)
{
	__u32 slots = 1u << (place->table.k & 31), number = place_number(place);
	__u32 word = arena_word(lookup, place->table.line * LB_LINE +
						(slots * 2 + number / 2) * sizeof(__u32));

	return number & 1 ? word >> 16 : word & 0xffff;
}

#endif
