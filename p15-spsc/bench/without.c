/* The queue with one technique switched off at a time, for the bench: what each
 * of them is worth. */
#include "p15-spsc/bench/without.h"

#include "p15-spsc/bench/loops.h"
#include "p15-spsc/spsc.h"

enum technique { INDEX_CACHE, CLAIMS, LAZY_ROOM, LAG, REMOTE_FENCE };

static size_t bytes(const struct contender_plan *plan)
{
	return spsc_bytes(plan->item_bytes, plan->capacity);
}

static int make(void *queue, const struct contender_plan *plan)
{
	return spsc_init(queue, bytes(plan), plan->item_bytes, plan->capacity);
}

LOOPS_INLINE int push(void *p, const void *item, size_t item_bytes)
{
	return spsc_try_push(p, item, item_bytes);
}

LOOPS_INLINE int pop(void *c, void *item, size_t item_bytes)
{
	return spsc_try_pop(c, item, item_bytes);
}

/* Who remembers nothing has to fetch the other side's index each time. */
LOOPS_INLINE int push_uncached(void *p, const void *item, size_t item_bytes)
{
	struct spsc_producer *producer = p;

	producer->limit = producer->room = producer->tail;
	return spsc_try_push(p, item, item_bytes);
}

LOOPS_INLINE int pop_uncached(void *c, void *item, size_t item_bytes)
{
	struct spsc_consumer *consumer = c;

	consumer->limit = consumer->head;
	return spsc_try_pop(c, item, item_bytes);
}

LOOPS_INLINE int produce(void *queue, struct contender_run *run,
			 enum technique without)
{
	struct spsc_producer p, local;
	int error = spsc_producer_attach(&p, queue, bytes(&run->plan),
					 run->plan.item_bytes);

	if (error)
		return error;
	if (without == CLAIMS)
		p.ahead = 0;
	if (without == REMOTE_FENCE)
		p.is_fenced = 1;
	local = p; /* see ours.c */
	error = loops_produce(&local, run,
			      without == INDEX_CACHE ? push_uncached : push,
			      loops_push_none);
	p = local;
	spsc_producer_close(&p);
	return error;
}

LOOPS_INLINE int consume(void *queue, struct contender_run *run,
			 enum technique without)
{
	struct spsc_consumer c, local;
	int error = spsc_consumer_attach(&c, queue, bytes(&run->plan),
					 run->plan.item_bytes);

	if (error)
		return error;
	if (without == LAZY_ROOM)
		c.slack = 1;
	if (without == LAG)
		c.lag = 0;
	if (without == REMOTE_FENCE)
		c.is_fenced = 1;
	local = c;
	error = loops_consume(&local, run,
			      without == INDEX_CACHE ? pop_uncached : pop,
			      loops_pop_none);
	c = local;
	spsc_consumer_close(&c);
	return error;
}

#define WITHOUT(variable, technique, called)                                  \
	static int produce_##variable(void *queue, struct contender_run *run) \
	{                                                                     \
		return produce(queue, run, technique);                        \
	}                                                                     \
	static int consume_##variable(void *queue, struct contender_run *run) \
	{                                                                     \
		return consume(queue, run, technique);                        \
	}                                                                     \
	const struct contender variable = {                                   \
		.name = (called),                                             \
		.bytes = bytes,                                               \
		.make = make,                                                 \
		.produce = produce_##variable,                                \
		.consume = consume_##variable,                                \
	}

WITHOUT(without_cache, INDEX_CACHE, "no cached index");
WITHOUT(without_claims, CLAIMS, "no claims");
WITHOUT(without_lazy_room, LAZY_ROOM, "room at once");
WITHOUT(without_lag, LAG, "no lag");
WITHOUT(without_remote_fence, REMOTE_FENCE, "fence in each push");
