/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A flow's backend. While its slot is clean, that is the slot's, and nothing is
 * remembered. After a change of the slot (exception.h) a flow is remembered by the
 * first packet of it that is seen, so that it stays where it is until it has not
 * been seen for an epoch. ICMP, RST and fragments follow their flow, but are no
 * reason to remember it.
 *
 * Two CPUs may change one set: each word by compare-and-swap, and who loses leaves it
 * as it is; the flow's next packet tries again.
 */
#ifndef XDP_LB_RECALL_H
#define XDP_LB_RECALL_H

#include "icmp.h"
#include "limit.h"
#include "lookup.h"
#include "maps.h"
#include "way.h"

/* What a packet does to what is remembered. */
struct recall {
	const struct way *way;
	struct lb_exception_set *set;
	volatile struct chosen_way *chosen;
	struct place place;
	__u32 now;
	bool opens;  /* a TCP flow: a SYN */
	bool counts; /* the flow is remembered by it */
};

static __always_inline __u64 entry_at(const struct recall *recall, __u32 way)
{
	return *(volatile __u64 *)&recall->set->entry[way & (LB_EXCEPTION_WAYS - 1)];
}

static __always_inline bool entry_swap(const struct recall *recall, __u32 way, __u64 old, __u64 new)
{
	__u64 *entry = &recall->set->entry[way & (LB_EXCEPTION_WAYS - 1)];

	return __sync_val_compare_and_swap(entry, old, new) == old;
}

/* How little an entry is worth keeping: its age, and more than any if it isn't confirmed,
 * is over, or is none. */
#define RANK_UNCONFIRMED (1u << 16)
#define RANK_OVER (1u << 17)
static __always_inline __u32 entry_rank(const struct recall *recall, __u64 entry)
{
	__u32 age = lb_exception_age(entry, recall->now);

	if ((__u32)entry == (__u32)recall->place.hash) /* moved by another CPU just now */
		return ~0u;
	if (!entry)
		return ~0u - 1;
	if (age > recall->way->record->epoch)
		return age | RANK_OVER;
	return age | (entry & LB_EXCEPTION_CONFIRMED ? 0 : RANK_UNCONFIRMED);
}

/* Writes an entry over the one of these ways that is worth the least. One that is confirmed
 * yields to another such alone, and not while it was used lately. */
static __always_inline bool put(const struct recall *recall, __u32 from, __u32 to, __u64 entry,
				struct lb_exception_counters *counters)
{
	volatile struct chosen_way *worst = recall->chosen;
	__u32 lately = recall->way->record->epoch / 8, way;

	if (!(entry & LB_EXCEPTION_CONFIRMED))
		lately = RANK_UNCONFIRMED - 1;

	for (way = from; way < to; way++) {
		__u64 there = entry_at(recall, way);
		__u32 rank = entry_rank(recall, there);

		if (way == from || rank > worst->rank) {
			worst->way = way;
			worst->rank = rank;
			worst->entry = there;
		}
	}
	if (worst->rank <= lately || !entry_swap(recall, worst->way, worst->entry, entry))
		return false;
	counters->evicted += worst->rank < RANK_UNCONFIRMED;
	return true;
}

static __always_inline struct lb_exception_counters *exception_counters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&lb_exception_cnt, &zero);
}

/* A new entry; false: there is no room, or there were too many lately. */
static __always_inline bool remember(const struct recall *recall, __u32 handle)
{
	__u64 entry = lb_exception(recall->place.hash, handle, 0, recall->now);
	__u32 from = recall->opens ? LB_EXCEPTION_SYN : 0;
	__u32 to = recall->opens ? LB_EXCEPTION_WAYS : LB_EXCEPTION_SYN;
	struct lb_exception_counters *counters = exception_counters();

	if (!counters)
		return false;
	if (!limit_allows(LB_LIMIT_EXCEPTIONS, LIMIT_EXCEPTIONS) ||
	    !put(recall, from, to, entry, counters)) {
		counters->refused++;
		return false;
	}
	counters->made++;
	return true;
}

/* The flow was seen again. */
static __always_inline void refresh(const struct recall *recall, __u32 way, __u64 entry)
{
	__u64 fresh = lb_exception(recall->place.hash, lb_exception_handle(entry), 1, recall->now);
	struct lb_exception_counters *counters;

	if (likely(entry == fresh))
		return;
	if (way >= LB_EXCEPTION_SYN) {
		counters = exception_counters();
		if (counters && put(recall, 0, LB_EXCEPTION_SYN, fresh, counters))
			fresh = 0;
	}
	entry_swap(recall, way, entry, fresh);
}

/* The flow's entry, or 0; its way is chosen. From the last way on: refresh() moves entries to the
 * first ones, which are written before the others are cleared. */
static __always_inline __u64 entry_find(const struct recall *recall)
{
	__u32 i;

	for (i = LB_EXCEPTION_WAYS; i-- > 0;) {
		__u64 entry = entry_at(recall, i);

		if (entry && (__u32)entry == (__u32)recall->place.hash) {
			recall->chosen->way = i;
			return entry;
		}
	}
	return 0;
}

/* Was the entry used within the epoch, and does its backend keep this service's flows? */
static __always_inline bool entry_counts(const struct recall *recall, __u64 entry,
					 const struct lb_backend *backend)
{
	const struct way *way = recall->way;

	return backend && backend->conf.service == way->service && backend->head.keeps &&
	       lb_exception_age(entry, recall->now) <= way->record->epoch;
}

/* A SYN of a flow that is remembered. Who only guessed its ports must not move it: it stays
 * with a backend that takes new flows, and else moves once it is silent. */
static __always_inline __u32 reopened(const struct recall *recall, __u32 at, __u64 entry,
				      const struct lb_backend *backend)
{
	__u32 handle = recall->place.slot.current;
	bool confirmed = entry & LB_EXCEPTION_CONFIRMED;

	if (backend->head.accepts) {
		handle = lb_exception_handle(entry);
	} else {
		if (confirmed && lb_exception_age(entry, recall->now) <= LB_EXCEPTION_SILENT)
			return NOT_NOW;
		confirmed = false;
	}
	if (handle)
		entry_swap(recall, at, entry,
			   lb_exception(recall->place.hash, handle, confirmed, recall->now));
	return handle;
}

/* The backend that is remembered for the flow, or 0. */
static __always_inline __u32 recalled(const struct recall *recall)
{
	__u64 entry = entry_find(recall);
	struct lb_backend *backend;
	__u32 at, handle;

	if (!entry)
		return 0;
	at = recall->chosen->way;
	handle = lb_exception_handle(entry);
	backend = bpf_map_lookup_elem(&lb_backends, &handle);
	if (!entry_counts(recall, entry, backend)) {
		/* it would hide a new one */
		if (recall->counts)
			entry_swap(recall, at, entry, 0);
		return 0;
	}
	if (recall->opens)
		return reopened(recall, at, entry, backend);
	if (recall->counts)
		refresh(recall, at, entry);
	return handle;
}

static __always_inline __u32 not_recalled(const struct recall *recall)
{
	const struct place *place = &recall->place;
	__u32 deadline = place_deadline(recall->way->lookup, place);
	struct lb_slot slot = place->slot;
	bool phase_1 = lb_phase_1(slot, deadline, recall->now);
	__u32 handle = phase_1 && !recall->opens ? slot.previous : slot.current;

	if (!handle || !recall->counts || !(phase_1 || place->table.remembers))
		return handle;
	/* What isn't remembered is, from the next packet on, a flow of the previous. */
	if (!remember(recall, handle) && phase_1 && recall->opens)
		return accepts(slot.previous) ? slot.previous : NOT_NOW;
	return handle;
}

/* The hash by which a flow is remembered. */
static __always_inline __u64 recall_hash(const struct way *way, const struct place *place)
{
	__u64 in_slot = ((__u64)1 << (place->table.k & 31)) - 1;
	__u64 hash;

	if (likely(!place->table.source_prefix))
		return place->hash;
	if (way->record->fragments == LB_FRAGMENTS_HASH3)
		hash = service_source_hash(way->record, way->flow,
					   way->flow->family == LB_IPV4 ? 32 : 128);
	else
		hash = flow_hash(way->record->key, way->flow);
	return (hash & ~in_slot) | (place->hash & in_slot);
}

/* Where the flow would be remembered; NULL: nowhere. */
static __always_inline struct lb_exception_set *recall_set(const struct way *way,
							   struct place *place)
{
	__u32 set;

	place->hash = recall_hash(way, place);
	set = place->hash >> 32 & (lb_constants.exception_sets - 1);
	return bpf_map_lookup_elem(&lb_exceptions, &set);
}

/* The backend of a flow, or 0, or NOT_NOW. */
static __always_inline __u32 pick_remembered(struct xdp_md *ctx, const struct way *way,
					     struct lb_scratch *s)
{
	struct recall recall = { .way = way, .chosen = &s->chosen };
	struct place *place = &recall.place;
	__u32 handle;
	__u8 flags;

	if (!place_find(way->lookup, way->record, way->flow, place))
		return 0;
	if (place->slot.current == place->slot.previous && !place->table.remembers)
		return place->slot.current;
	recall.set = recall_set(way, place);
	if (!recall.set)
		return place->slot.current;
	flags = tcp_flags(ctx, way->pkt);
	recall.counts = !is_icmp(way->pkt) && !way->pkt->part && !(flags & TCP_RST);
	/* without ports, packets of several flows are one */
	recall.opens =
		recall.counts && (flags & TCP_SYN) && way->record->fragments != LB_FRAGMENTS_HASH3;
	recall.now = seconds_now();
	handle = recalled(&recall);
	return handle ? handle : not_recalled(&recall);
}

/* Of the packet that was set aside; before the rest of its way, for the stack's sake. */
static __noinline int pick_aside(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct lb_scratch *s = scratch();
	struct lookup lookup;
	struct way way;

	if (!s || s->backend != NOT_PICKED)
		return 0;
	s->backend = 0;
	if ((s->kind != FOR_SERVICE && s->kind != ABOUT_OUTER) ||
	    data + 1 > (void *)(long)ctx->data_end || is_group_frame(data))
		return 0;
	way = way_aside(s, &lookup);
	if (way.record && lookup_start(&lookup))
		s->backend = pick_remembered(ctx, &way, s);
	return 0;
}

#endif
