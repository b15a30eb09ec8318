/* The book's producer and consumer: one semaphore counts the items, one the
 * room. Decent: each side owns its index, so that no third semaphore guards
 * the ring; the C library enters the kernel only where a count is 0 or
 * somebody sleeps; and each count has a line of its own. */
#include "p15-spsc/bench/contenders.h"

#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <string.h>

#include "p15-spsc/bench/loops.h"

struct sem_queue {
	_Alignas(128) sem_t items;
	_Alignas(128) sem_t room;
	_Alignas(128) uint64_t tail; /* the producer's alone */
	_Alignas(128) uint64_t head; /* the consumer's alone */
	_Alignas(128) size_t capacity;
	size_t item_bytes;
	uint32_t is_over;
	_Alignas(128) unsigned char slots[];
};

static size_t bytes(const struct contender_plan *plan)
{
	return sizeof(struct sem_queue) + plan->capacity * plan->item_bytes;
}

static bool can(const struct contender_plan *plan)
{
	return plan->capacity <= SEM_VALUE_MAX / 2;
}

static int make(void *queue, const struct contender_plan *plan)
{
	struct sem_queue *q = queue;

	q->capacity = plan->capacity;
	q->item_bytes = plan->item_bytes;
	if (sem_init(&q->items, plan->is_shared, 0) < 0 ||
	    sem_init(&q->room, plan->is_shared, (unsigned)plan->capacity) < 0)
		return -errno;
	return 0;
}

static inline int wait_for(struct sem_queue *q, sem_t *sem)
{
	while (sem_wait(sem) < 0)
		if (errno != EINTR)
			return -errno;
	/* Relaxed: sem_wait orders. */
	return __atomic_load_n(&q->is_over, __ATOMIC_RELAXED) ? -EPIPE : 0;
}

static inline int push(void *queue, const void *item, size_t item_bytes)
{
	struct sem_queue *q = queue;
	int error = wait_for(q, &q->room);

	if (error)
		return error;
	memcpy(q->slots + (q->tail++ & (q->capacity - 1)) * item_bytes, item,
	       item_bytes);
	sem_post(&q->items);
	return 0;
}

static inline int pop(void *queue, void *item, size_t item_bytes)
{
	struct sem_queue *q = queue;
	int error = wait_for(q, &q->items);

	if (error)
		return error;
	memcpy(item, q->slots + (q->head++ & (q->capacity - 1)) * item_bytes,
	       item_bytes);
	sem_post(&q->room);
	return 0;
}

/* A semaphore is taken one by one. */
static long push_many(void *queue, const void *items, size_t n)
{
	struct sem_queue *q = queue;
	size_t done = 0;
	int error = 0;

	for (; done < n && !error; done += !error)
		error = push(q, (const char *)items + done * q->item_bytes,
			     q->item_bytes);
	return error ? error : (long)done;
}

static long pop_many(void *queue, void *items, size_t n)
{
	struct sem_queue *q = queue;
	int error = pop(q, items, q->item_bytes), there = 0;
	size_t done = 1;

	while (!error && done < n && sem_getvalue(&q->items, &there) == 0 &&
	       there > 0) {
		error = pop(q, (char *)items + done * q->item_bytes,
			    q->item_bytes);
		done += !error;
	}
	return error ? error : (long)done;
}

/* A side that gives up wakes the other, to tell it. */
static int leave(struct sem_queue *q, int error)
{
	if (error) {
		__atomic_store_n(&q->is_over, 1, __ATOMIC_RELAXED);
		sem_post(&q->items);
		sem_post(&q->room);
	}
	return error;
}

static int produce(void *queue, struct contender_run *run)
{
	return leave(queue, loops_produce(queue, run, push, push_many));
}

static int consume(void *queue, struct contender_run *run)
{
	return leave(queue, loops_consume(queue, run, pop, pop_many));
}

static int lead(void *there, void *back, struct contender_run *run)
{
	return leave(there, loops_lead(there, back, run, push, pop));
}

static int follow(void *there, void *back, struct contender_run *run)
{
	return leave(back, loops_follow(there, back, run, push, pop));
}

const struct contender contender_sem = {
	.name = "semaphore",
	.title = "Semaphore-based",
	.can = can,
	.bytes = bytes,
	.make = make,
	.produce = produce,
	.consume = consume,
	.lead = lead,
	.follow = follow,
};
