/* steps_sides.h - the queue's own code, to be run step by step (see
 * explore.h), and what the two sides do in the cases of steps_test.c. */
#ifndef UNIXIPC_TESTS_P15_STEPS_SIDES_H
#define UNIXIPC_TESTS_P15_STEPS_SIDES_H

#include "tests/p15/explore.h"

#include "p15-spsc/internal.h"

/* Who has a role is not the question here: whoever comes has it, and lives. */
static inline int take_any(struct spsc *shared, enum spsc_role role,
			   uint64_t *owner)
{
	(void)shared, (void)role;
	*owner = 0;
	return 0;
}

static inline int see_all_alive(struct spsc *shared, enum spsc_role other,
				uint64_t seen, struct spsc_seat *seat,
				uint64_t *peer)
{
	(void)shared, (void)other, (void)seen, (void)seat, (void)peer;
	return 0;
}

#define spsc_role_note_place(shared) ((void)(shared))
#define spsc_role_claim take_any
#define spsc_role_look see_all_alive

/* The library itself, with its atomics, copies and futexes replaced. */
#include "p15-spsc/spsc.c"      /* NOLINT(bugprone-suspicious-include) */
#include "p15-spsc/spsc_wait.c" /* NOLINT(bugprone-suspicious-include) */

#define FIRST (UINT64_MAX - 1) /* so that the third item has index 0 */
#define MEMORY_BYTES 2048

/* What the case at hand does. */
static struct {
	uint64_t capacity;
	uint32_t items, batch;
} plan;

static _Alignas(SPSC_LINE) unsigned char memory[MEMORY_BYTES];
static struct spsc_producer producer;
static struct spsc_consumer consumer;
static uint32_t arrived; /* items, all of them right */

/* ---- sides: what they return is checked at the end of every run --------------- */

static int push_one_by_one(void)
{
	int error;

	for (uint32_t item = 1; item <= plan.items; item++) {
		explore_try();
		while ((error = spsc_try_push(&producer, &item, 4))) {
			if (error != -EAGAIN)
				return error;
			explore_await();
			explore_try();
		}
	}
	return 0;
}

/* Looking up, and claiming lines, before the room ends. */
static int push_in_strides(void)
{
	producer.stride = 2;
	return push_one_by_one();
}

static void take(uint32_t item)
{
	if (item != arrived + 1)
		explore_fail(
			"an item is lost, doubled, spoilt or out of order");
	arrived++;
}

static int pop_one_by_one(void)
{
	uint32_t item;
	int error;

	while (arrived < plan.items) {
		explore_try();
		error = spsc_try_pop(&consumer, &item, 4);
		if (error == -EAGAIN)
			explore_await();
		else if (error)
			return error;
		else
			take(item);
	}
	return 0;
}

/* Telling of the room as late as it may. */
static int pop_lazily(void)
{
	consumer.slack = plan.capacity;
	return pop_one_by_one();
}

static int write_in_place(void)
{
	void *slot;

	for (uint32_t item = 1; item <= plan.items; item++) {
		explore_try();
		while (spsc_try_reserve(&producer, &slot)) {
			explore_await();
			explore_try();
		}
		memcpy(slot, &item, 4);
		spsc_commit(&producer);
	}
	return 0;
}

static int read_in_place(void)
{
	const void *slot;
	uint32_t item;

	while (arrived < plan.items) {
		explore_try();
		if (spsc_try_front(&consumer, &slot)) {
			explore_await();
			continue;
		}
		memcpy(&item, slot, 4);
		spsc_release(&consumer);
		take(item);
	}
	return 0;
}

static int push_batches(void)
{
	uint32_t items[8], done = 0;

	for (uint32_t i = 0; i < plan.items; i++)
		items[i] = i + 1;
	while (done < plan.items) {
		uint32_t n = plan.items - done;
		ssize_t moved;

		explore_try();
		moved = spsc_try_push_many(&producer, items + done,
					   n < plan.batch ? n : plan.batch);
		if (moved < 0)
			explore_await();
		else
			done += (uint32_t)moved;
	}
	return 0;
}

static int pop_batches(void)
{
	uint32_t items[8] = {0};

	while (arrived < plan.items) {
		ssize_t n;

		explore_try();
		n = spsc_try_pop_many(&consumer, items, plan.batch);
		if (n < 0)
			explore_await();
		for (ssize_t i = 0; i < n; i++)
			take(items[i]);
	}
	return 0;
}

static int put_and_flush(void)
{
	producer.defer = 2;
	for (uint32_t item = 1; item <= plan.items; item++) {
		explore_try();
		while (spsc_try_put(&producer, &item, 4)) {
			explore_await();
			explore_try();
		}
	}
	spsc_flush(&producer);
	return 0;
}

static int push_and_wait(void)
{
	int error = 0;

	for (uint32_t item = 1; item <= plan.items && !error; item++) {
		explore_forget(3);
		error = spsc_push(&producer, &item, 4);
	}
	return error;
}

/* What was refused is not in, and all else is. */
static int push_until_refused(void)
{
	uint32_t item = 0;
	int error;

	do {
		explore_forget(3);
		item++;
		error = spsc_push(&producer, &item, 4);
	} while (!error);
	if (producer.published != FIRST + item - 1)
		explore_fail("an item that was refused is in");
	return error;
}

static int push_and_close(void)
{
	int error = push_and_wait();

	spsc_producer_close(&producer);
	return error;
}

static int pop_and_wait(void)
{
	uint32_t item;
	int error = 0;

	while (arrived < plan.items && !error) {
		explore_forget(3);
		error = spsc_pop(&consumer, &item, 4);
		if (!error)
			take(item);
	}
	return error;
}

static int pop_to_the_end(void)
{
	uint32_t item;
	int error = pop_and_wait();

	if (!error)
		error = spsc_pop(&consumer, &item, 4);
	if (arrived != plan.items)
		explore_fail("the end came before the last item");
	return error;
}

static int pop_one_and_close(void)
{
	uint32_t item;
	int error = spsc_pop(&consumer, &item, 4);

	if (!error)
		take(item);
	spsc_consumer_close(&consumer);
	return error;
}

static int close_at_once(void)
{
	spsc_consumer_close(&consumer);
	return 0;
}

static int attach_and_push(void)
{
	int error = spsc_producer_attach(&producer, memory, sizeof(memory), 4);

	return error ? error : push_and_wait();
}

#endif
