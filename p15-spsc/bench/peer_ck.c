/* Concurrency Kit's ring in its single-producer, single-consumer form. It
 * carries pointers: here the item of 8 bytes itself. */
#include "p15-spsc/bench/peers.h"

#include <ck_ring.h>
#include <string.h>

#include "p15-spsc/bench/loops.h"

struct queue {
	ck_ring_t ring;
	_Alignas(128) ck_ring_buffer_t slots[];
};

static bool can(const struct contender_plan *plan)
{
	return plan->item_bytes == 8 && plan->batch == 1;
}

static size_t bytes(const struct contender_plan *plan)
{
	return sizeof(struct queue) + plan->capacity * sizeof(ck_ring_buffer_t);
}

static int make(void *queue, const struct contender_plan *plan)
{
	struct queue *q = queue;

	ck_ring_init(&q->ring, (unsigned int)plan->capacity);
	return 0;
}

static inline int push(void *queue, const void *item, size_t item_bytes)
{
	struct queue *q = queue;
	void *value;

	(void)item_bytes;
	memcpy(&value, item, sizeof(value));
	return ck_ring_enqueue_spsc(&q->ring, q->slots, value) ? 0 : -EAGAIN;
}

static inline int pop(void *queue, void *item, size_t item_bytes)
{
	struct queue *q = queue;
	void *value;

	(void)item_bytes;
	if (!ck_ring_dequeue_spsc(&q->ring, q->slots, &value))
		return -EAGAIN;
	memcpy(item, &value, sizeof(value));
	return 0;
}

static int produce(void *queue, struct contender_run *run)
{
	return loops_produce(queue, run, push, loops_push_none);
}

static int consume(void *queue, struct contender_run *run)
{
	return loops_consume(queue, run, pop, loops_pop_none);
}

static int lead(void *there, void *back, struct contender_run *run)
{
	return loops_lead(there, back, run, push, pop);
}

static int follow(void *there, void *back, struct contender_run *run)
{
	return loops_follow(there, back, run, push, pop);
}

const struct contender peer_ck = {
	.name = "ck_ring",
	.title = "Concurrency Kit ring",
	.can = can,
	.bytes = bytes,
	.make = make,
	.produce = produce,
	.consume = consume,
	.lead = lead,
	.follow = follow,
};
