/* DPDK's ring, single producer and consumer, with elements of a size given at
 * run time; single ones and bursts. */
#include "p15-spsc/bench/peers.h"

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "p15-spsc/bench/loops.h"

static bool can(const struct contender_plan *plan)
{
	return plan->item_bytes == 8 || plan->item_bytes == 64;
}

static size_t bytes(const struct contender_plan *plan)
{
	ssize_t n = rte_ring_get_memsize_elem((unsigned)plan->item_bytes,
					      (unsigned)plan->capacity * 2);

	return n < 0 ? 0 : (size_t)n;
}

/* Of a ring of a power of two one slot stays empty, unless it is asked to be
 * exact: then it is twice as large. As many slots as the others, then. */
static int make(void *queue, const struct contender_plan *plan)
{
	return rte_ring_init(queue, "bench", (unsigned)plan->capacity,
			     RING_F_SP_ENQ | RING_F_SC_DEQ);
}

#define OPERATIONS(size)                                                       \
	static inline int push_##size(void *queue, const void *item, size_t b) \
	{                                                                      \
		return rte_ring_sp_enqueue_elem(queue,                         \
						(void *)(uintptr_t)item, size) \
			       ? -EAGAIN                                       \
			       : 0;                                            \
	}                                                                      \
	static inline int pop_##size(void *queue, void *item, size_t b)        \
	{                                                                      \
		return rte_ring_sc_dequeue_elem(queue, item, size) ? -EAGAIN   \
								   : 0;        \
	}                                                                      \
	static inline long push_many_##size(void *queue, const void *items,    \
					    size_t n)                          \
	{                                                                      \
		return rte_ring_sp_enqueue_burst_elem(queue, items, size,      \
						      (unsigned)n, NULL);      \
	}                                                                      \
	static inline long pop_many_##size(void *queue, void *items, size_t n) \
	{                                                                      \
		return rte_ring_sc_dequeue_burst_elem(queue, items, size,      \
						      (unsigned)n, NULL);      \
	}

/* The size has to be a constant for them to be fast. */
OPERATIONS(8)
OPERATIONS(64)

static int produce(void *queue, struct contender_run *run)
{
	return run->plan.item_bytes == 8
		       ? loops_produce(queue, run, push_8, push_many_8)
		       : loops_produce(queue, run, push_64, push_many_64);
}

static int consume(void *queue, struct contender_run *run)
{
	return run->plan.item_bytes == 8
		       ? loops_consume(queue, run, pop_8, pop_many_8)
		       : loops_consume(queue, run, pop_64, pop_many_64);
}

static int lead(void *there, void *back, struct contender_run *run)
{
	return loops_lead(there, back, run, push_8, pop_8);
}

static int follow(void *there, void *back, struct contender_run *run)
{
	return loops_follow(there, back, run, push_8, pop_8);
}

const struct contender peer_dpdk = {
	.name = "dpdk",
	.title = "DPDK rte_ring",
	.can = can,
	.bytes = bytes,
	.make = make,
	.produce = produce,
	.consume = consume,
	.lead = lead,
	.follow = follow,
};
