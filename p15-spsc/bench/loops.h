/* loops.h - the loops that are timed, the same for every contender.
 *
 * The operations come as functions that the compiler sees, and everything here
 * is inlined, so that no call stands between loop and queue. An operation
 * returns 0, -EAGAIN (full, empty), or another -errno, which ends the run; a
 * batch returns how many it moved.
 *
 * An item is number, number * 3, number * 5 …, a word each, the first of them
 * 1: never 0, which some queues reserve. All words are written, and all are
 * compared on arrival. Also for C++.
 */
#ifndef UNIXIPC_P15_SPSC_BENCH_LOOPS_H
#define UNIXIPC_P15_SPSC_BENCH_LOOPS_H

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "lib/park.h"
#include "p15-spsc/bench/contender.h"

#define LOOPS_INLINE static inline __attribute__((always_inline))
#define LOOPS_YIELD 1024  /* tries; only matters where both share a CPU */
#define LOOPS_LOOK 4096   /* items between two looks at the stop flag */
#define LOOPS_WORDS 65536 /* room for an item, or for a batch */

typedef int (*loops_push)(void *queue, const void *item, size_t bytes);
typedef int (*loops_pop)(void *queue, void *item, size_t bytes);
typedef long (*loops_push_many)(void *queue, const void *items, size_t n);
typedef long (*loops_pop_many)(void *queue, void *items, size_t n);

LOOPS_INLINE void loops_write(uint64_t *item, size_t words, uint64_t number)
{
	for (size_t i = 0; i < words; i++)
		item[i] = number * (2 * i + 1);
}

LOOPS_INLINE bool loops_is_right(const uint64_t *item, size_t words,
				 uint64_t number)
{
	uint64_t wrong = 0;

	for (size_t i = 0; i < words; i++)
		wrong |= item[i] ^ number * (2 * i + 1);
	return wrong == 0;
}

/* After a try that came to nothing; whether to try again. */
LOOPS_INLINE bool loops_go_on(struct contender_run *run, unsigned int *tries)
{
	park_relax();
	if (++*tries % LOOPS_YIELD != 0)
		return true;
	sched_yield();
	return !__atomic_load_n(&run->stop, __ATOMIC_RELAXED);
}

LOOPS_INLINE bool loops_is_stopped(const struct contender_run *run,
				   uint64_t number)
{
	/* Relaxed: it may as well be seen a little later. */
	return __builtin_expect(number % LOOPS_LOOK == 0, 0) &&
	       __atomic_load_n(&run->stop, __ATOMIC_RELAXED);
}

LOOPS_INLINE int loops_push_one(void *queue, const void *item, size_t words,
				loops_push push, struct contender_run *run)
{
	unsigned int tries = 0;
	int error;

	while (__builtin_expect(
		(error = push(queue, item, 8 * words)) == -EAGAIN, 0))
		if (!loops_go_on(run, &tries))
			return -EINTR;
	return error;
}

LOOPS_INLINE int loops_pop_one(void *queue, void *item, size_t words,
			       loops_pop pop, struct contender_run *run)
{
	unsigned int tries = 0;
	int error;

	while (__builtin_expect(
		(error = pop(queue, item, 8 * words)) == -EAGAIN, 0))
		if (!loops_go_on(run, &tries))
			return -EINTR;
	return error;
}

LOOPS_INLINE int loops_note_wrong(struct contender_run *run, uint64_t number)
{
	run->failed = number;
	__atomic_store_n(&run->stop, 1, __ATOMIC_RELAXED);
	return -EBADMSG;
}

/* For queues without batches. */
static inline long loops_push_none(void *queue, const void *items, size_t n)
{
	(void)queue, (void)items, (void)n;
	return -ENOTSUP;
}

static inline long loops_pop_none(void *queue, void *items, size_t n)
{
	(void)queue, (void)items, (void)n;
	return -ENOTSUP;
}

/* words is a constant where the caller knows it. */
LOOPS_INLINE int loops_produce_words(void *queue, struct contender_run *run,
				     size_t words, loops_push push)
{
	const uint64_t items = run->plan.items;
	uint64_t item[LOOPS_WORDS];

	for (uint64_t number = 1; number <= items; number++) {
		int error;

		loops_write(item, words, number);
		error = loops_push_one(queue, item, words, push, run);
		if (error)
			return error;
		if (loops_is_stopped(run, number))
			return -EINTR;
	}
	return 0;
}

LOOPS_INLINE int loops_consume_words(void *queue, struct contender_run *run,
				     size_t words, loops_pop pop)
{
	const uint64_t items = run->plan.items;
	uint64_t item[LOOPS_WORDS];

	for (uint64_t number = 1; number <= items; number++) {
		int error = loops_pop_one(queue, item, words, pop, run);

		if (error)
			return error;
		if (__builtin_expect(!loops_is_right(item, words, number), 0))
			return loops_note_wrong(run, number);
	}
	return 0;
}

LOOPS_INLINE int loops_produce_batches(void *queue, struct contender_run *run,
				       size_t words, loops_push_many push)
{
	const uint64_t items = run->plan.items;
	uint64_t batch[LOOPS_WORDS];
	uint64_t number = 1;

	while (number <= items) {
		size_t n = run->plan.batch, done = 0;
		unsigned int tries = 0;

		if (n > items - number + 1)
			n = (size_t)(items - number + 1);
		for (size_t i = 0; i < n; i++)
			loops_write(batch + i * words, words, number + i);
		while (done < n) {
			long moved =
				push(queue, batch + done * words, n - done);

			if (moved > 0)
				done += (size_t)moved;
			else if (moved != -EAGAIN && moved != 0)
				return (int)moved;
			else if (!loops_go_on(run, &tries))
				return -EINTR;
		}
		number += n;
		/* Relaxed: as in loops_is_stopped(). */
		if (__atomic_load_n(&run->stop, __ATOMIC_RELAXED))
			return -EINTR;
	}
	return 0;
}

LOOPS_INLINE int loops_consume_batches(void *queue, struct contender_run *run,
				       size_t words, loops_pop_many pop)
{
	const uint64_t items = run->plan.items;
	uint64_t batch[LOOPS_WORDS];
	unsigned int tries = 0;
	uint64_t number = 1;

	while (number <= items) {
		long moved = pop(queue, batch, run->plan.batch);

		if (moved <= 0) {
			if (moved != -EAGAIN && moved != 0)
				return (int)moved;
			if (!loops_go_on(run, &tries))
				return -EINTR;
			continue;
		}
		for (long i = 0; i < moved; i++, number++)
			if (__builtin_expect(
				    !loops_is_right(batch + (size_t)i * words,
						    words, number),
				    0))
				return loops_note_wrong(run, number);
	}
	return 0;
}

/* The whole of produce() and consume(): a loop for each common size. */
LOOPS_INLINE int loops_produce(void *queue, struct contender_run *run,
			       loops_push push, loops_push_many many)
{
	const size_t words = run->plan.item_bytes / 8;

	if (run->plan.batch > 1) {
		if (words == 1)
			return loops_produce_batches(queue, run, 1, many);
		return words == 8
			       ? loops_produce_batches(queue, run, 8, many)
			       : loops_produce_batches(queue, run, words, many);
	}
	if (words == 1)
		return loops_produce_words(queue, run, 1, push);
	return words == 8 ? loops_produce_words(queue, run, 8, push)
			  : loops_produce_words(queue, run, words, push);
}

LOOPS_INLINE int loops_consume(void *queue, struct contender_run *run,
			       loops_pop pop, loops_pop_many many)
{
	const size_t words = run->plan.item_bytes / 8;

	if (run->plan.batch > 1) {
		if (words == 1)
			return loops_consume_batches(queue, run, 1, many);
		return words == 8
			       ? loops_consume_batches(queue, run, 8, many)
			       : loops_consume_batches(queue, run, words, many);
	}
	if (words == 1)
		return loops_consume_words(queue, run, 1, pop);
	return words == 8 ? loops_consume_words(queue, run, 8, pop)
			  : loops_consume_words(queue, run, words, pop);
}

/* In harness.c: the clock, and a sample of one round trip. */
#ifdef __cplusplus
extern "C" {
#endif
int64_t harness_now(void);
void harness_record(struct contender_run *run, int64_t ns);
#ifdef __cplusplus
}
#endif

LOOPS_INLINE int loops_lead(void *there, void *back, struct contender_run *run,
			    loops_push push, loops_pop pop)
{
	const size_t words = run->plan.item_bytes / 8;
	uint64_t item[LOOPS_WORDS];
	int64_t start = harness_now();

	for (uint64_t number = 1; number <= run->plan.items; number++) {
		int64_t now;
		int error;

		loops_write(item, words, number);
		error = loops_push_one(there, item, words, push, run);
		if (!error)
			error = loops_pop_one(back, item, words, pop, run);
		if (error)
			return error;
		now = harness_now();
		harness_record(run, now - start);
		start = now;
		if (!loops_is_right(item, words, number))
			return loops_note_wrong(run, number);
		if (__atomic_load_n(&run->stop, __ATOMIC_RELAXED))
			return -EINTR;
	}
	return 0;
}

LOOPS_INLINE int loops_follow(void *there, void *back,
			      struct contender_run *run, loops_push push,
			      loops_pop pop)
{
	const size_t words = run->plan.item_bytes / 8;
	uint64_t item[LOOPS_WORDS];

	for (uint64_t number = 1; number <= run->plan.items; number++) {
		int error = loops_pop_one(there, item, words, pop, run);

		if (!error && !loops_is_right(item, words, number))
			return loops_note_wrong(run, number);
		if (!error)
			error = loops_push_one(back, item, words, push, run);
		if (error)
			return error;
	}
	return 0;
}

#endif
