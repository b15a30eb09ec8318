/* A ring behind a mutex, with a condition for each side: what most programs
 * would write. It is not a straw man: who changes something signals only when
 * the other side waits, and after it has let the mutex go, so that nobody wakes
 * just to find it held; and a batch takes the mutex once. */
#include "p15-spsc/bench/contenders.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "p15-spsc/bench/loops.h"

struct mutex_queue {
	pthread_mutex_t mutex;
	pthread_cond_t has_items, has_room;
	uint64_t tail, head;
	size_t capacity, item_bytes;
	bool producer_waits, consumer_waits, is_over;
	_Alignas(64) unsigned char slots[];
};

static size_t bytes(const struct contender_plan *plan)
{
	return sizeof(struct mutex_queue) + plan->capacity * plan->item_bytes;
}

static int make(void *queue, const struct contender_plan *plan)
{
	struct mutex_queue *q = queue;
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;
	const int scope = plan->is_shared ? PTHREAD_PROCESS_SHARED
					  : PTHREAD_PROCESS_PRIVATE;
	int error;

	q->capacity = plan->capacity;
	q->item_bytes = plan->item_bytes;
	pthread_mutexattr_init(&mutex);
	pthread_condattr_init(&cond);
	error = pthread_mutexattr_setpshared(&mutex, scope);
	if (!error)
		error = pthread_condattr_setpshared(&cond, scope);
	if (!error)
		error = pthread_mutex_init(&q->mutex, &mutex);
	if (!error)
		error = pthread_cond_init(&q->has_items, &cond);
	if (!error)
		error = pthread_cond_init(&q->has_room, &cond);
	pthread_mutexattr_destroy(&mutex);
	pthread_condattr_destroy(&cond);
	return -error;
}

/* Of n items from this index on, how many lie before the ring's end. */
static inline size_t before_end(const struct mutex_queue *q, uint64_t index,
				size_t n)
{
	const size_t left = q->capacity - (index & (q->capacity - 1));

	return n < left ? n : left;
}

static inline void copy_in(struct mutex_queue *q, const char *items, size_t n)
{
	const size_t first = before_end(q, q->tail, n);

	memcpy(q->slots + (q->tail & (q->capacity - 1)) * q->item_bytes, items,
	       first * q->item_bytes);
	memcpy(q->slots, items + first * q->item_bytes,
	       (n - first) * q->item_bytes);
}

static inline void copy_out(struct mutex_queue *q, char *items, size_t n)
{
	const size_t first = before_end(q, q->head, n);

	memcpy(items, q->slots + (q->head & (q->capacity - 1)) * q->item_bytes,
	       first * q->item_bytes);
	memcpy(items + first * q->item_bytes, q->slots,
	       (n - first) * q->item_bytes);
}

static long push_many(void *queue, const void *items, size_t n)
{
	struct mutex_queue *q = queue;
	bool is_waited_for;

	pthread_mutex_lock(&q->mutex);
	while (q->tail - q->head == q->capacity && !q->is_over) {
		q->producer_waits = true;
		pthread_cond_wait(&q->has_room, &q->mutex);
	}
	if (q->is_over) {
		pthread_mutex_unlock(&q->mutex);
		return -EPIPE;
	}
	if (n > q->capacity - (q->tail - q->head))
		n = q->capacity - (q->tail - q->head);
	copy_in(q, items, n);
	q->tail += n;
	is_waited_for = q->consumer_waits;
	q->consumer_waits = false;
	pthread_mutex_unlock(&q->mutex);
	if (is_waited_for)
		pthread_cond_signal(&q->has_items);
	return (long)n;
}

static long pop_many(void *queue, void *items, size_t n)
{
	struct mutex_queue *q = queue;
	bool is_waited_for;

	pthread_mutex_lock(&q->mutex);
	while (q->tail == q->head && !q->is_over) {
		q->consumer_waits = true;
		pthread_cond_wait(&q->has_items, &q->mutex);
	}
	if (q->tail == q->head) {
		pthread_mutex_unlock(&q->mutex);
		return -EPIPE;
	}
	if (n > q->tail - q->head)
		n = q->tail - q->head;
	copy_out(q, items, n);
	q->head += n;
	is_waited_for = q->producer_waits;
	q->producer_waits = false;
	pthread_mutex_unlock(&q->mutex);
	if (is_waited_for)
		pthread_cond_signal(&q->has_room);
	return (long)n;
}

static int push(void *queue, const void *item, size_t item_bytes)
{
	long moved = push_many(queue, item, 1);

	(void)item_bytes;

	return moved < 0 ? (int)moved : 0;
}

static int pop(void *queue, void *item, size_t item_bytes)
{
	long moved = pop_many(queue, item, 1);

	(void)item_bytes;

	return moved < 0 ? (int)moved : 0;
}

/* A side that gives up lets the other know. */
static int leave(struct mutex_queue *q, int error)
{
	if (error) {
		pthread_mutex_lock(&q->mutex);
		q->is_over = true;
		pthread_mutex_unlock(&q->mutex);
		pthread_cond_broadcast(&q->has_items);
		pthread_cond_broadcast(&q->has_room);
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

const struct contender contender_mutex = {
	.name = "mutex",
	.title = "Mutex-based queue",
	.bytes = bytes,
	.make = make,
	.produce = produce,
	.consume = consume,
	.lead = lead,
	.follow = follow,
};
