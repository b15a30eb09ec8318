/* lib/park: who waits for whom, and who does not. */
#include "lib/park.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "tests/support/interrupt.h"
#include "tests/support/support.h"

enum { MS = 30000 };

/* A count that is guarded by a lock, and those who wait for more. */
struct shelf {
	pthread_mutex_t lock;
	struct park more;
	unsigned int items, taken;
	unsigned int asleep; /* announced, and not awake yet */
	bool is_shared;
};

static struct shelf *make_shelf(bool is_shared)
{
	struct shelf *shelf = mmap(NULL, sizeof(*shelf), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;

	assert_ptr_not_equal(shelf, MAP_FAILED);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, is_shared
						    ? PTHREAD_PROCESS_SHARED
						    : PTHREAD_PROCESS_PRIVATE);
	assert_int_equal(pthread_mutex_init(&shelf->lock, &attr), 0);
	pthread_mutexattr_destroy(&attr);
	shelf->is_shared = is_shared;
	return shelf;
}

static void remove_shelf(struct shelf *shelf)
{
	munmap(shelf, sizeof(*shelf));
}

/* As the header says it; who has taken one passes on what is left. Whom only its
 * deadline has woken says so, whatever it finds then. */
static int take(struct shelf *shelf, int64_t deadline)
{
	int error = 0;
	bool wakes;

	pthread_mutex_lock(&shelf->lock);
	while (shelf->items == 0 && !error) {
		uint32_t ticket = park_announce(&shelf->more);

		shelf->asleep++;
		pthread_mutex_unlock(&shelf->lock);
		error = park_sleep(&shelf->more, ticket, deadline,
				   shelf->is_shared);
		pthread_mutex_lock(&shelf->lock);
		shelf->asleep--;
		park_awake(&shelf->more);
	}
	if (shelf->items > 0) {
		shelf->items--;
		shelf->taken++;
	}
	wakes = shelf->items > 0 && park_claim(&shelf->more);
	pthread_mutex_unlock(&shelf->lock);
	if (wakes)
		park_wake(&shelf->more, shelf->is_shared);
	return error;
}

static void put(struct shelf *shelf, unsigned int items)
{
	bool wakes;

	pthread_mutex_lock(&shelf->lock);
	shelf->items += items;
	wakes = park_claim(&shelf->more);
	pthread_mutex_unlock(&shelf->lock);
	if (wakes)
		park_wake(&shelf->more, shelf->is_shared);
}

struct sleepers {
	struct shelf *shelf;
	unsigned int n;
};

static bool are_asleep(void *arg)
{
	struct sleepers *sleepers = arg;
	bool are;

	pthread_mutex_lock(&sleepers->shelf->lock);
	are = sleepers->shelf->asleep == sleepers->n;
	pthread_mutex_unlock(&sleepers->shelf->lock);
	return are;
}

static void wait_until_asleep(struct shelf *shelf, unsigned int n)
{
	struct sleepers sleepers = {shelf, n};

	assert_true(support_wait_until(are_asleep, &sleepers, MS));
}

static int take_one(void *shelf)
{
	return -take(shelf, tick_after(MS * TICK_MS));
}

static void *run_take_one(void *shelf)
{
	return (void *)(intptr_t)take_one(shelf);
}

/* ---- */

static void one_wake_up_at_a_time_reaches_everybody(void **state)
{
	enum { THREADS = 8 };
	struct shelf *shelf = make_shelf(false);
	pthread_t threads[THREADS];
	void *result;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, run_take_one, shelf),
			0);
	wait_until_asleep(shelf, THREADS);
	put(shelf, THREADS / 2);
	for (int i = 0; i < THREADS / 2; i++)
		put(shelf, 1);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		assert_null(result);
	}
	assert_int_equal(shelf->taken, THREADS);
	remove_shelf(shelf);
}

/* pthread_cond_broadcast would wait for the one that is gone, or stands still,
 * for ever. */
static void waking_waits_for_nobody(void **state)
{
	static const int signals[] = {SIGKILL, SIGSTOP};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct shelf *shelf = make_shelf(true);
		pid_t victim, other;
		int status;

		assert_int_equal(child_fork(take_one, shelf, &victim), 0);
		assert_int_equal(child_fork(take_one, shelf, &other), 0);
		wait_until_asleep(shelf, 2);
		kill(victim, signals[i]);
		if (signals[i] == SIGSTOP)
			assert_int_equal(waitpid(victim, NULL, WUNTRACED),
					 victim);
		for (int n = 0; n < 100; n++) {
			pthread_mutex_lock(&shelf->lock);
			park_awake(&shelf->more);
			pthread_mutex_unlock(&shelf->lock);
			put(shelf, 1);
		}
		assert_int_equal(
			child_wait(other, tick_after(MS * TICK_MS), &status),
			0);
		assert_int_equal(status, 0);
		kill(victim, SIGKILL);
		assert_int_equal(
			child_wait(victim, tick_after(MS * TICK_MS), &status),
			0);
		remove_shelf(shelf);
	}
}

static void who_is_on_the_way_to_sleep_does_not(void **state)
{
	struct park park = {0};
	uint32_t ticket = park_announce(&park);

	(void)state;
	assert_true(park_claim(&park));
	assert_int_equal(park_sleep(&park, ticket, TICK_NEVER, false), 0);
	ticket = park_announce(&park);
	park_alarm(&park, true);
	assert_int_equal(park_sleep(&park, ticket, TICK_NEVER, true), 0);
}

static void wake_up_is_claimed_once(void **state)
{
	struct park park = {0};

	(void)state;
	assert_false(park_claim(&park));
	park_announce(&park);
	assert_true(park_claim(&park));
	assert_false(park_claim(&park));
	park_awake(&park);
	assert_true(park_claim(&park));
}

static void sleep_ends_at_its_deadline_and_by_a_handler(void **state)
{
	struct park park = {0};

	(void)state;
	for (int is_shared = 0; is_shared < 2; is_shared++) {
		int64_t until = tick_after(5 * TICK_MS);

		assert_int_equal(park_sleep(&park, park_announce(&park), until,
					    is_shared),
				 -ETIMEDOUT);
		assert_true(tick_is_over(until));
		/* Now, and for ever ago. */
		assert_int_equal(park_word_sleep(&park.wakeups, park.wakeups, 0,
						 is_shared),
				 -ETIMEDOUT);
	}
	interrupt_start();
	assert_int_equal(
		park_sleep(&park, park_announce(&park), TICK_NEVER, false),
		-EINTR);
	interrupt_stop();
}

struct dozer {
	const uint32_t *word;
	uint32_t bits;
	bool has_ended;
	pthread_t thread;
};

static void *doze_as(void *arg)
{
	struct dozer *dozer = arg;
	int error = park_word_sleep_as(dozer->word, 0, dozer->bits,
				       tick_after(MS * TICK_MS), false);

	__atomic_store_n(&dozer->has_ended, true, __ATOMIC_RELEASE);
	return (void *)(intptr_t)-error;
}

/* Wakes its kind again and again, as it may not sleep yet. */
static bool is_woken(void *arg)
{
	struct dozer *dozer = arg;

	park_word_wake_those(dozer->word, dozer->bits, false);
	return __atomic_load_n(&dozer->has_ended, __ATOMIC_ACQUIRE);
}

static void wake_up_reaches_those_who_have_its_bit(void **state)
{
	uint32_t word = 0;
	struct dozer dozers[] = {{.word = &word, .bits = 1},
				 {.word = &word, .bits = 2},
				 {.word = &word, .bits = 4}};
	void *result;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&dozers[i].thread, NULL,
						doze_as, &dozers[i]),
				 0);
	for (int i = 2; i >= 0; i--) {
		assert_true(support_wait_until(is_woken, &dozers[i], MS));
		pthread_join(dozers[i].thread, &result);
		assert_null(result);
		for (int k = 0; k < i; k++)
			assert_false(__atomic_load_n(&dozers[k].has_ended,
						     __ATOMIC_ACQUIRE));
	}
	assert_int_equal(park_word_sleep_as(&word, 0, 1, 0, true), -ETIMEDOUT);
	assert_int_equal(park_word_sleep_as(&word, 1, 1, TICK_NEVER, true), 0);
}

static void memory_that_is_gone_is_no_harm(void **state)
{
	struct shelf *shelf;

	(void)state;
	support_need_no_valgrind("it looks at the word itself");
	shelf = make_shelf(true);
	remove_shelf(shelf);
	park_wake(&shelf->more, true);
	park_wake_all(&shelf->more, false);
	assert_int_equal(park_sleep(&shelf->more, 0, TICK_NEVER, true),
			 -EFAULT);
}

/* ---- two sides without a lock ---- */

struct sides {
	uint32_t asleep, index;
	bool is_fenced; /* the publisher fences, as nobody can do it for it */
	int rounds;
};

/* Wait until the other side has published the next one. */
static void *follow(void *arg)
{
	struct sides *sides = arg;
	int rc = 0;

	for (uint32_t n = 1; (int)n <= sides->rounds && !rc; n++)
		while (__atomic_load_n(&sides->index, __ATOMIC_ACQUIRE) != n &&
		       !rc) {
			__atomic_store_n(&sides->asleep, 1, __ATOMIC_SEQ_CST);
			if (!sides->is_fenced && park_fence_others())
				rc = 1;
			if (__atomic_load_n(&sides->index, __ATOMIC_ACQUIRE) !=
			    n)
				rc = -park_word_sleep(&sides->asleep, 1,
						      tick_after(MS * TICK_MS),
						      false);
			__atomic_store_n(&sides->asleep, 0, __ATOMIC_RELAXED);
		}
	__atomic_store_n(&sides->asleep, 2, __ATOMIC_SEQ_CST);
	return (void *)(intptr_t)rc;
}

static bool is_followed(const struct sides *sides, int64_t deadline)
{
	/* Let it come to the very moment of its falling asleep. */
	while (__atomic_load_n(&sides->asleep, __ATOMIC_RELAXED) == 0)
		if (tick_is_over(deadline))
			return false;
	return true;
}

static void publish(struct sides *sides)
{
	__atomic_store_n(&sides->index, sides->index + 1, __ATOMIC_RELEASE);
	if (sides->is_fenced)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	else
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&sides->asleep, __ATOMIC_RELAXED) == 1 &&
	    __atomic_exchange_n(&sides->asleep, 0, __ATOMIC_RELAXED) == 1)
		park_word_wake(&sides->asleep, 1, false);
}

static void no_wake_up_is_missed_without_a_lock(void **state)
{
	const int rounds = support_is_stress() ? 200000 : 2000;

	(void)state;
	for (int is_fenced = 0; is_fenced < 2; is_fenced++) {
		struct sides sides = {.is_fenced = is_fenced, .rounds = rounds};
		pthread_t thread;
		void *result;

		if (!is_fenced && park_fence_accept())
			continue; /* a kernel that cannot */
		assert_int_equal(pthread_create(&thread, NULL, follow, &sides),
				 0);
		for (int i = 0; i < rounds; i++) {
			assert_true(
				is_followed(&sides, tick_after(MS * TICK_MS)));
			publish(&sides);
		}
		pthread_join(thread, &result);
		assert_null(result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_wake_up_at_a_time_reaches_everybody),
		cmocka_unit_test(waking_waits_for_nobody),
		cmocka_unit_test(who_is_on_the_way_to_sleep_does_not),
		cmocka_unit_test(wake_up_is_claimed_once),
		cmocka_unit_test(sleep_ends_at_its_deadline_and_by_a_handler),
		cmocka_unit_test(wake_up_reaches_those_who_have_its_bit),
		cmocka_unit_test(memory_that_is_gone_is_no_harm),
		cmocka_unit_test(no_wake_up_is_missed_without_a_lock),
	};
	return SUPPORT_MAIN(tests);
}
