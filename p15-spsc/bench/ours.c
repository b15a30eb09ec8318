/* The queue of spsc.h as contenders: partners that spin, that sleep where they
 * would wait long, and with publishing deferred. */
#include "p15-spsc/bench/contenders.h"

#include "p15-spsc/bench/loops.h"
#include "p15-spsc/spsc.h"

static size_t bytes(const struct contender_plan *plan)
{
	return spsc_bytes(plan->item_bytes, plan->capacity);
}

static int make(void *queue, const struct contender_plan *plan)
{
	return spsc_init(queue, bytes(plan), plan->item_bytes, plan->capacity);
}

static int attach_producer(struct spsc_producer *p, void *queue,
			   const struct contender_run *run)
{
	return spsc_producer_attach(p, queue, bytes(&run->plan),
				    run->plan.item_bytes);
}

static int attach_consumer(struct spsc_consumer *c, void *queue,
			   const struct contender_run *run)
{
	return spsc_consumer_attach(c, queue, bytes(&run->plan),
				    run->plan.item_bytes);
}

/* ---- operations -------------------------------------------------------------- */

LOOPS_INLINE int push(void *p, const void *item, size_t item_bytes)
{
	return spsc_try_push(p, item, item_bytes);
}

LOOPS_INLINE int pop(void *c, void *item, size_t item_bytes)
{
	return spsc_try_pop(c, item, item_bytes);
}

LOOPS_INLINE int put(void *p, const void *item, size_t item_bytes)
{
	return spsc_try_put(p, item, item_bytes);
}

LOOPS_INLINE int push_waiting(void *p, const void *item, size_t item_bytes)
{
	return spsc_push(p, item, item_bytes);
}

LOOPS_INLINE int pop_waiting(void *c, void *item, size_t item_bytes)
{
	return spsc_pop(c, item, item_bytes);
}

LOOPS_INLINE long push_many(void *p, const void *items, size_t n)
{
	return spsc_try_push_many(p, items, n);
}

LOOPS_INLINE long pop_many(void *c, void *items, size_t n)
{
	return spsc_try_pop_many(c, items, n);
}

LOOPS_INLINE long push_many_waiting(void *p, const void *items, size_t n)
{
	return spsc_push_many_until(p, items, n, INT64_MAX);
}

LOOPS_INLINE long pop_many_waiting(void *c, void *items, size_t n)
{
	return spsc_pop_many_until(c, items, n, INT64_MAX);
}

/* ---- sides ------------------------------------------------------------------- */

/* Batches are functions of their own, so that single items can have a handle
 * whose address nobody gets: see the last words on top of spsc.h. */
LOOPS_INLINE int produce_by(void *queue, struct contender_run *run,
			    loops_push single, loops_push_many many)
{
	struct spsc_producer p, local;
	int error = attach_producer(&p, queue, run);

	if (error)
		return error;
	if (run->plan.batch > 1) {
		error = loops_produce(&p, run, NULL, many);
	} else {
		local = p;
		error = loops_produce(&local, run, single, NULL);
		p = local;
	}
	spsc_producer_close(&p);
	return error;
}

LOOPS_INLINE int consume_by(void *queue, struct contender_run *run,
			    loops_pop single, loops_pop_many many)
{
	struct spsc_consumer c, local;
	int error = attach_consumer(&c, queue, run);

	if (error)
		return error;
	if (run->plan.batch > 1) {
		error = loops_consume(&c, run, NULL, many);
	} else {
		local = c;
		error = loops_consume(&local, run, single, NULL);
		c = local;
	}
	spsc_consumer_close(&c);
	return error;
}

LOOPS_INLINE int bounce_by(void *in, void *out, struct contender_run *run,
			   bool is_leader, loops_push single, loops_pop take)
{
	struct spsc_producer p, to;
	struct spsc_consumer c, from;
	int error = attach_producer(&p, out, run);

	if (error)
		return error;
	error = attach_consumer(&c, in, run);
	if (!error) {
		to = p;
		from = c;
		error = is_leader ? loops_lead(&to, &from, run, single, take)
				  : loops_follow(&from, &to, run, single, take);
		p = to;
		c = from;
		spsc_consumer_close(&c);
	}
	spsc_producer_close(&p);
	return error;
}

static int produce(void *queue, struct contender_run *run)
{
	return produce_by(queue, run, push, push_many);
}

static int produce_deferred(void *queue, struct contender_run *run)
{
	return produce_by(queue, run, put, push_many);
}

static int produce_waiting(void *queue, struct contender_run *run)
{
	return produce_by(queue, run, push_waiting, push_many_waiting);
}

static int consume(void *queue, struct contender_run *run)
{
	return consume_by(queue, run, pop, pop_many);
}

static int consume_waiting(void *queue, struct contender_run *run)
{
	return consume_by(queue, run, pop_waiting, pop_many_waiting);
}

static int lead(void *there, void *back, struct contender_run *run)
{
	return bounce_by(back, there, run, true, push, pop);
}

static int follow(void *there, void *back, struct contender_run *run)
{
	return bounce_by(there, back, run, false, push, pop);
}

static int lead_waiting(void *there, void *back, struct contender_run *run)
{
	return bounce_by(back, there, run, true, push_waiting, pop_waiting);
}

static int follow_waiting(void *there, void *back, struct contender_run *run)
{
	return bounce_by(there, back, run, false, push_waiting, pop_waiting);
}

const struct contender contender_spsc = {
	.name = "spsc",
	.title = "Lock-free queue",
	.bytes = bytes,
	.make = make,
	.produce = produce,
	.consume = consume,
	.lead = lead,
	.follow = follow,
};

const struct contender contender_spsc_waiting = {
	.name = "spsc-waiting",
	.title = "Lock-free, sleeping",
	.is_extra = true,
	.bytes = bytes,
	.make = make,
	.produce = produce_waiting,
	.consume = consume_waiting,
	.lead = lead_waiting,
	.follow = follow_waiting,
};

const struct contender contender_spsc_deferred = {
	.name = "spsc-deferred",
	.title = "Lock-free, deferred",
	.is_extra = true,
	.bytes = bytes,
	.make = make,
	.produce = produce_deferred,
	.consume = consume,
	.lead = lead,
	.follow = follow,
};
