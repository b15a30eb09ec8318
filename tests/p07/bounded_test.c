/* The contract of p07-prodcons/bounded.h, with threads. */
#include "p07-prodcons/bounded.h"

#include "tests/p07/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/interrupt.h"

enum { WAITERS = 4 };

/* ---- one thread ---- */

static void put(struct bounded *buffer, uint32_t item)
{
	assert_int_equal(bounded_put(buffer, &item, tick_after(LIMIT)), 0);
}

static uint32_t take(struct bounded *buffer)
{
	uint32_t item = 0;

	assert_int_equal(bounded_take(buffer, &item, tick_after(LIMIT)), 0);
	return item;
}

static void items_come_out_as_they_went_in(void **state)
{
	struct bounded buffer = fixture_make(3, sizeof(uint32_t), false);
	uint32_t in = 0, out = 0;

	(void)state;
	/* Around the end of the ring in all positions. */
	for (int held = 1; held <= 3; held++)
		for (int round = 0; round < 7; round++) {
			for (int i = 0; i < held; i++)
				put(&buffer, ++in);
			for (int i = 0; i < held; i++)
				assert_int_equal(take(&buffer), ++out);
		}
	assert_int_equal(fixture_look(&buffer).put, in);
	assert_int_equal(fixture_look(&buffer).taken, out);
	fixture_drop(&buffer);
}

static void items_of_odd_sizes_do_not_touch_each_other(void **state)
{
	struct bounded buffer = fixture_make(5, 7, false);
	unsigned char item[7], expected[7];

	(void)state;
	for (int i = 0; i < 5; i++) {
		memset(item, i, sizeof(item));
		assert_int_equal(bounded_put(&buffer, item, PAST), 0);
	}
	for (int i = 0; i < 5; i++) {
		memset(expected, i, sizeof(expected));
		assert_int_equal(bounded_take(&buffer, item, PAST), 0);
		assert_memory_equal(item, expected, sizeof(item));
	}
	fixture_drop(&buffer);
}

static void full_one_takes_no_more_and_empty_one_gives_nothing(void **state)
{
	struct bounded buffer = fixture_make(2, sizeof(uint32_t), false);
	uint32_t item = 9;

	(void)state;
	assert_int_equal(bounded_take(&buffer, &item, PAST), -ETIMEDOUT);
	assert_int_equal(item, 9);
	put(&buffer, 1);
	put(&buffer, 2);
	assert_int_equal(bounded_put(&buffer, &item, PAST), -ETIMEDOUT);
	assert_int_equal(take(&buffer), 1);
	assert_int_equal(take(&buffer), 2);
	/* Who only tries, does not wait. */
	assert_int_equal(fixture_look(&buffer).full_waits, 0);
	assert_int_equal(fixture_look(&buffer).empty_waits, 0);
	fixture_drop(&buffer);
}

static void sizes_beyond_the_limits_are_refused(void **state)
{
	struct bounded buffer;
	char memory[64];

	(void)state;
	assert_int_equal(bounded_bytes(0, 1), 0);
	assert_int_equal(bounded_bytes(1, 0), 0);
	assert_int_equal(bounded_bytes(BOUNDED_CAPACITY_MAX + 1, 1), 0);
	assert_int_equal(bounded_bytes(1, BOUNDED_ITEM_MAX + 1), 0);
	assert_int_equal(bounded_bytes(BOUNDED_CAPACITY_MAX, BOUNDED_ITEM_MAX),
			 0);
	/* The slots alone would be as much as all may be. */
	assert_int_equal(bounded_bytes(BOUNDED_BYTES_MAX / BOUNDED_ITEM_MAX,
				       BOUNDED_ITEM_MAX),
			 0);
	assert_true(bounded_bytes(BOUNDED_BYTES_MAX / BOUNDED_ITEM_MAX - 1,
				  BOUNDED_ITEM_MAX) > 0);
	assert_true(bounded_bytes(BOUNDED_CAPACITY_MAX, 16) > 0);
	assert_true(bounded_bytes(1, BOUNDED_ITEM_MAX) > BOUNDED_ITEM_MAX);
	assert_int_equal(bounded_init(&buffer, memory, 0, 4, false), -EINVAL);
}

static void what_was_in_its_memory_before_does_not_matter(void **state)
{
	size_t size = bounded_bytes(2, sizeof(uint32_t));
	void *memory = malloc(size);
	struct bounded_figures figures;
	struct bounded buffer;

	(void)state;
	memset(memory, 0xff, size);
	assert_int_equal(
		bounded_init(&buffer, memory, 2, sizeof(uint32_t), false), 0);
	figures = fixture_look(&buffer);
	assert_int_equal(figures.put + figures.taken + figures.mended, 0);
	assert_int_equal(figures.full_waits + figures.empty_waits, 0);
	assert_false(figures.is_finished);
	put(&buffer, 1);
	assert_int_equal(take(&buffer), 1);
	bounded_fini(&buffer);
	free(memory);
}

static void waits_end_at_the_deadline_and_use_no_processor(void **state)
{
	(void)state;
	for (int is_shared = 0; is_shared < 2; is_shared++) {
		struct bounded buffer =
			fixture_make(1, sizeof(uint32_t), is_shared);
		struct rusage before, after;
		int64_t deadline = tick_after(TICK_S / 2);
		uint32_t item = 1;

		getrusage(RUSAGE_THREAD, &before);
		assert_int_equal(bounded_take(&buffer, &item, deadline),
				 -ETIMEDOUT);
		assert_true(tick_is_over(deadline));
		put(&buffer, 1);
		deadline = tick_after(TICK_S / 2);
		assert_int_equal(bounded_put(&buffer, &item, deadline),
				 -ETIMEDOUT);
		assert_true(tick_is_over(deadline));
		getrusage(RUSAGE_THREAD, &after);
		/* Asleep, but for a look every 100 ms in a shared one. */
		assert_true(after.ru_nvcsw - before.ru_nvcsw < 40);
		assert_int_equal(fixture_look(&buffer).empty_waits, 1);
		assert_int_equal(fixture_look(&buffer).full_waits, 1);
		fixture_drop(&buffer);
	}
}

static void signal_handler_ends_a_wait(void **state)
{
	struct bounded buffer = fixture_make(1, sizeof(uint32_t), false);
	uint32_t item = 1;

	(void)state;
	interrupt_start();
	assert_int_equal(bounded_take(&buffer, &item, tick_after(LIMIT)),
			 -EINTR);
	while (bounded_put(&buffer, &item, tick_after(LIMIT)) == -EINTR)
		;
	assert_int_equal(bounded_put(&buffer, &item, tick_after(LIMIT)),
			 -EINTR);
	interrupt_stop();
	fixture_drop(&buffer);
}

static void what_somebody_has_written_over_is_noticed(void **state)
{
	struct bounded buffer = fixture_make(4, sizeof(uint32_t), false);
	struct bounded_figures figures;
	uint32_t item = 1;

	(void)state;
	atomic_store(&buffer.state->put, 5); /* of four, and none taken */
	assert_int_equal(bounded_put(&buffer, &item, PAST), -EBADMSG);
	assert_int_equal(bounded_take(&buffer, &item, PAST), -EBADMSG);
	assert_int_equal(bounded_finish(&buffer, PAST), -EBADMSG);
	assert_int_equal(bounded_look(&buffer, &figures, PAST), -EBADMSG);
	fixture_drop(&buffer);
}

/* ---- those who wait ---- */

struct waiter {
	struct bounded *buffer;
	int64_t deadline;
	_Atomic pid_t tid;
	int rc;
	uint32_t item;
	atomic_bool has_ended;
};

/* Static ones below: threads that a failure leaves behind use them. */
struct waiters {
	struct waiter one[WAITERS];
	pthread_t thread[WAITERS];
};

static void *wait_for_item(void *arg)
{
	struct waiter *waiter = arg;

	atomic_store(&waiter->tid, (pid_t)syscall(SYS_gettid));
	waiter->rc =
		bounded_take(waiter->buffer, &waiter->item, waiter->deadline);
	atomic_store(&waiter->has_ended, true);
	return NULL;
}

static void *wait_for_room(void *arg)
{
	struct waiter *waiter = arg;

	atomic_store(&waiter->tid, (pid_t)syscall(SYS_gettid));
	waiter->rc =
		bounded_put(waiter->buffer, &waiter->item, waiter->deadline);
	atomic_store(&waiter->has_ended, true);
	return NULL;
}

/* All have counted as waiting, and after that been seen asleep twenty times
 * in a row: not only at the lock. */
static bool are_asleep(void *arg)
{
	struct waiters *waiters = arg;
	struct bounded_figures figures = fixture_look(waiters->one[0].buffer);

	if (figures.empty_waits + figures.full_waits < WAITERS)
		return false;
	for (int look = 0; look < 20; look++) {
		for (int i = 0; i < WAITERS; i++)
			if (!fixture_is_asleep(
				    atomic_load(&waiters->one[i].tid)))
				return false;
		tick_sleep_until(tick_after(TICK_MS / 2));
	}
	return true;
}

static void start_waiters(struct waiters *waiters, struct bounded *buffer,
			  void *(*body)(void *))
{
	for (int i = 0; i < WAITERS; i++) {
		waiters->one[i] = (struct waiter){
			.buffer = buffer,
			.deadline = tick_after(10 * LIMIT),
			.item = 100 + (uint32_t)i,
		};
		assert_int_equal(pthread_create(&waiters->thread[i], NULL, body,
						&waiters->one[i]),
				 0);
	}
	assert_true(support_wait_until(are_asleep, waiters, 20000));
}

static bool have_ended(void *arg)
{
	struct waiters *waiters = arg;

	for (int i = 0; i < WAITERS; i++)
		if (!atomic_load(&waiters->one[i].has_ended))
			return false;
	return true;
}

/* Long before their deadline, when they would look for themselves. */
static void end_waiters(struct waiters *waiters, int expected)
{
	assert_true(support_wait_until(have_ended, waiters, 10000));
	for (int i = 0; i < WAITERS; i++)
		pthread_join(waiters->thread[i], NULL);
	for (int i = 0; i < WAITERS; i++)
		assert_int_equal(waiters->one[i].rc, expected);
}

static void finish_tells_all_who_wait(void **state)
{
	struct bounded buffer = fixture_make(1, sizeof(uint32_t), false);
	static struct waiters waiters;

	(void)state;
	start_waiters(&waiters, &buffer, wait_for_item);
	assert_int_equal(bounded_finish(&buffer, tick_after(LIMIT)), 0);
	end_waiters(&waiters, -EPIPE);
	fixture_drop(&buffer);

	buffer = fixture_make(1, sizeof(uint32_t), false);
	put(&buffer, 1);
	start_waiters(&waiters, &buffer, wait_for_room);
	assert_int_equal(bounded_finish(&buffer, tick_after(LIMIT)), 0);
	end_waiters(&waiters, -EPIPE);
	/* What was in it is still to be had. */
	assert_int_equal(take(&buffer), 1);
	assert_int_equal(
		bounded_take(&buffer, &(uint32_t){0}, tick_after(LIMIT)),
		-EPIPE);
	assert_int_equal(bounded_finish(&buffer, PAST), 0);
	assert_true(fixture_look(&buffer).is_finished);
	fixture_drop(&buffer);
}

static void who_sleeps_in_a_damaged_one_is_told(void **state)
{
	struct bounded buffer = fixture_make(4, sizeof(uint32_t), false);
	static struct waiters waiters;
	uint32_t item = 1;

	(void)state;
	start_waiters(&waiters, &buffer, wait_for_item);
	atomic_store(&buffer.state->put, 5);
	assert_int_equal(bounded_put(&buffer, &item, PAST), -EBADMSG);
	end_waiters(&waiters, -EBADMSG);
	fixture_drop(&buffer);
}

static void every_item_wakes_somebody(void **state)
{
	struct bounded buffer = fixture_make(WAITERS, sizeof(uint32_t), false);
	static struct waiters waiters;
	bool seen[WAITERS] = {false};

	(void)state;
	start_waiters(&waiters, &buffer, wait_for_item);
	for (uint32_t i = 0; i < WAITERS; i++)
		put(&buffer, i);
	end_waiters(&waiters, 0);
	for (int i = 0; i < WAITERS; i++) {
		assert_in_range(waiters.one[i].item, 0, WAITERS - 1);
		assert_false(seen[waiters.one[i].item]);
		seen[waiters.one[i].item] = true;
	}
	fixture_drop(&buffer);
}

static void all_room_wakes_somebody(void **state)
{
	struct bounded buffer = fixture_make(WAITERS, sizeof(uint32_t), false);
	static struct waiters waiters;
	uint32_t sum = 0;

	(void)state;
	for (uint32_t i = 0; i < WAITERS; i++)
		put(&buffer, i);
	start_waiters(&waiters, &buffer, wait_for_room);
	for (uint32_t i = 0; i < WAITERS; i++)
		assert_int_equal(take(&buffer), i);
	end_waiters(&waiters, 0);
	for (uint32_t i = 0; i < WAITERS; i++)
		sum += take(&buffer);
	assert_int_equal(sum, 100 + 101 + 102 + 103);
	fixture_drop(&buffer);
}

static void start_waiter(struct waiters *waiters, int i, struct bounded *buffer,
			 int64_t deadline)
{
	struct bounded_figures figures;
	int asleep = 0;

	waiters->one[i] =
		(struct waiter){.buffer = buffer, .deadline = deadline};
	assert_int_equal(pthread_create(&waiters->thread[i], NULL,
					wait_for_item, &waiters->one[i]),
			 0);
	while (asleep < 20 && !tick_is_over(deadline)) {
		figures = fixture_look(buffer);
		asleep = figures.empty_waits > (uint64_t)i &&
					 fixture_is_asleep(atomic_load(
						 &waiters->one[i].tid))
				 ? asleep + 1
				 : 0;
		tick_sleep_until(tick_after(TICK_MS / 2));
	}
}

static bool has_ended(void *arg)
{
	return atomic_load(&((struct waiter *)arg)->has_ended);
}

/* The first of two sleepers is woken for an item, and cannot have the lock until
 * its deadline: then the item is for the second. */
static void who_gives_up_at_the_lock_passes_its_wake_up_on(void **state)
{
	struct bounded buffer = fixture_make(1, sizeof(uint32_t), false);
	static struct waiters waiters;
	uint32_t item = 7;

	(void)state;
	start_waiter(&waiters, 0, &buffer, tick_after(TICK_S / 2));
	start_waiter(&waiters, 1, &buffer, tick_after(10 * LIMIT));
	fixture_lock(&buffer);
	memcpy(buffer.slots, &item, sizeof(item));
	atomic_store(&buffer.state->put, 1);
	if (park_claim(&buffer.state->not_empty))
		park_wake(&buffer.state->not_empty, false);
	assert_true(support_wait_until(has_ended, &waiters.one[0], 10000));
	pthread_mutex_unlock(&buffer.state->lock);
	assert_true(support_wait_until(has_ended, &waiters.one[1], 10000));
	for (int i = 0; i < 2; i++)
		pthread_join(waiters.thread[i], NULL);
	assert_int_equal(waiters.one[0].rc, -ETIMEDOUT);
	assert_int_equal(waiters.one[1].rc, 0);
	assert_int_equal(waiters.one[1].item, item);
	fixture_drop(&buffer);
}

/* Woken for nothing, again and again, by what is no item. */
static void waking_up_for_no_reason_takes_no_item(void **state)
{
	struct bounded buffer = fixture_make(1, sizeof(uint32_t), true);
	static struct waiters waiters;

	(void)state;
	/* Of a shared one, each sleeper looks every 100 ms. */
	start_waiters(&waiters, &buffer, wait_for_item);
	tick_sleep_until(tick_after(5 * BOUNDED_LOOK_AGAIN_NS));
	assert_int_equal(fixture_look(&buffer).taken, 0);
	for (uint32_t i = 0; i < WAITERS; i++)
		put(&buffer, i);
	end_waiters(&waiters, 0);
	assert_int_equal(fixture_look(&buffer).taken, WAITERS);
	fixture_drop(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_come_out_as_they_went_in),
		cmocka_unit_test(items_of_odd_sizes_do_not_touch_each_other),
		cmocka_unit_test(
			full_one_takes_no_more_and_empty_one_gives_nothing),
		cmocka_unit_test(sizes_beyond_the_limits_are_refused),
		cmocka_unit_test(what_was_in_its_memory_before_does_not_matter),
		cmocka_unit_test(
			waits_end_at_the_deadline_and_use_no_processor),
		cmocka_unit_test(signal_handler_ends_a_wait),
		cmocka_unit_test(what_somebody_has_written_over_is_noticed),
		cmocka_unit_test(finish_tells_all_who_wait),
		cmocka_unit_test(who_sleeps_in_a_damaged_one_is_told),
		cmocka_unit_test(every_item_wakes_somebody),
		cmocka_unit_test(all_room_wakes_somebody),
		cmocka_unit_test(
			who_gives_up_at_the_lock_passes_its_wake_up_on),
		cmocka_unit_test(waking_up_for_no_reason_takes_no_item),
	};
	return SUPPORT_MAIN(tests);
}
