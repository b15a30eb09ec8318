/* The other side: its end, its death, waiting for it, and its nonsense. */
#include "p15-spsc/spsc.h"

#include "tests/support/support.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "p15-spsc/internal.h"
#include "tests/p15/fixture.h"

#define LONG (20 * TICK_S) /* more than anything here takes */

/* ---- ends ----------------------------------------------------------------------- */

static void end_is_told_to_the_other_side_until_somebody_attaches(void **state)
{
	struct fixture f;
	uint64_t item = 1;

	(void)state;
	make_both(&f, 8, 4);
	assert_int_equal(spsc_try_put(&f.p, &item, 8), 0);
	spsc_producer_close(&f.p);
	assert_int_equal(spsc_pop(&f.c, &item, 8), 0);
	assert_int_equal(spsc_pop(&f.c, &item, 8), -EPIPE);
	assert_int_equal(spsc_producer_attach(&f.p, f.memory, f.bytes, 8), 0);
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), -EAGAIN);
	item = 2;
	assert_int_equal(spsc_try_push(&f.p, &item, 8), 0);
	assert_int_equal(spsc_pop(&f.c, &item, 8), 0);
	assert_int_equal(item, 2);

	spsc_consumer_close(&f.c);
	assert_int_equal(spsc_push(&f.p, &item, 8), -EPIPE);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8), 0);
	assert_int_equal(spsc_push(&f.p, &item, 8), 0);
	unmake(&f);
}

static void what_was_refused_is_not_in_and_the_rest_is_the_next_ones(
	void **state)
{
	uint64_t items[] = {1, 2, 3, 4}, item = 0;
	struct fixture f;
	void *slot;

	(void)state;
	make_both(&f, 8, 4);
	assert_int_equal(spsc_try_push(&f.p, &items[0], 8), 0);
	assert_int_equal(spsc_try_put(&f.p, &items[1], 8), 0);
	spsc_consumer_close(&f.c);
	assert_int_equal(spsc_try_push(&f.p, &items[2], 8), -EPIPE);
	assert_int_equal(spsc_try_put(&f.p, &items[2], 8), -EPIPE);
	assert_int_equal(spsc_push(&f.p, &items[2], 8), -EPIPE);
	assert_int_equal(spsc_try_reserve(&f.p, &slot), -EPIPE);
	assert_int_equal(spsc_try_push_many(&f.p, &items[2], 2), -EPIPE);
	assert_int_equal(spsc_push_many_until(&f.p, &items[2], 2, INT64_MAX),
			 -EPIPE);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8), 0);
	assert_int_equal(spsc_try_push(&f.p, &items[3], 8), 0);
	for (int i = 0; i < 4; i++) {
		if (i == 2)
			continue;
		assert_int_equal(spsc_try_pop(&f.c, &item, 8), 0);
		assert_int_equal(item, items[i]);
	}
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), -EAGAIN);
	unmake(&f);
}

static void closing_tells_of_what_was_kept_back(void **state)
{
	uint64_t items[64], item = 0;
	struct fixture f;

	(void)state;
	for (uint64_t i = 0; i < 64; i++)
		items[i] = i;
	make_both(&f, 8, 64);
	assert_int_equal(spsc_try_push_many(&f.p, items, 63), 63);
	assert_int_equal(spsc_try_put(&f.p, &items[63], 8), 0);
	assert_int_equal(spsc_count(f.memory), 63);
	spsc_producer_close(&f.p);
	assert_int_equal(spsc_count(f.memory), 64);
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), 0);
	assert_int_equal(spsc_count(f.memory), 64);
	spsc_consumer_close(&f.c);
	assert_int_equal(spsc_count(f.memory), 63);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8), 0);
	for (uint64_t i = 1; i < 64; i++) {
		assert_int_equal(spsc_try_pop(&f.c, &item, 8), 0);
		assert_int_equal(item, i);
	}
	unmake(&f);
}

static void closing_a_closed_handle_is_nothing(void **state)
{
	struct spsc_producer p = {0};
	struct spsc_consumer c = {0};
	struct fixture f;

	(void)state;
	make_both(&f, 8, 4);
	for (int i = 0; i < 2; i++) {
		spsc_producer_close(&f.p);
		spsc_consumer_close(&f.c);
	}
	/* Whoever has the role by now keeps it. */
	assert_int_equal(spsc_producer_attach(&p, f.memory, f.bytes, 8), 0);
	assert_int_equal(spsc_consumer_attach(&c, f.memory, f.bytes, 8), 0);
	spsc_producer_close(&f.p);
	spsc_consumer_close(&f.c);
	assert_int_equal(spsc_producer_attach(&f.p, f.memory, f.bytes, 8),
			 -EBUSY);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8),
			 -EBUSY);
	spsc_producer_forget(&p);
	spsc_consumer_forget(&c);
	for (int i = 0; i < 2; i++) {
		spsc_producer_forget(&p);
		spsc_consumer_forget(&c);
		spsc_producer_close(&p);
		spsc_consumer_close(&c);
	}
	unmake(&f);
}

/* What the child of a test does with the queue before it dies. */
static int push_three_and_die(void *arg)
{
	struct fixture *f = arg;
	struct spsc_producer p;

	if (spsc_producer_attach(&p, f->memory, f->bytes, 8))
		return 1;
	for (uint64_t i = 1; i <= 3; i++)
		if (spsc_try_push(&p, &i, 8))
			return 2;
	for (uint64_t i = 100; i <= 101; i++) /* not published */
		if (spsc_try_put(&p, &i, 8))
			return 3;
	raise(SIGKILL);
	return 4;
}

static void what_a_dead_producer_published_is_there(void **state)
{
	struct fixture f;
	uint64_t item;

	(void)state;
	make(&f, 8, 16);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8), 0);
	assert_int_equal(support_child_status(push_three_and_die, &f, 20000),
			 128 + SIGKILL);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(spsc_pop(&f.c, &item, 8), 0);
		assert_int_equal(item, i);
	}
	assert_int_equal(spsc_pop(&f.c, &item, 8), -EOWNERDEAD);
	/* The next takes over where it had published. */
	assert_int_equal(spsc_producer_attach(&f.p, f.memory, f.bytes, 8), 0);
	item = 4;
	assert_int_equal(spsc_push(&f.p, &item, 8), 0);
	assert_int_equal(spsc_pop(&f.c, &item, 8), 0);
	assert_int_equal(item, 4);
	unmake(&f);
}

static int pop_two_and_die(void *arg)
{
	struct fixture *f = arg;
	struct spsc_consumer c;
	uint64_t item;

	if (spsc_consumer_attach(&c, f->memory, f->bytes, 8))
		return 1;
	for (int i = 0; i < 2; i++)
		if (spsc_try_pop(&c, &item, 8))
			return 2;
	raise(SIGKILL);
	return 3;
}

static void what_a_dead_consumer_had_not_released_comes_again(void **state)
{
	struct fixture f;
	uint64_t item = 0;

	(void)state;
	make(&f, 8, 32); /* room is told of by fours */
	assert_int_equal(spsc_producer_attach(&f.p, f.memory, f.bytes, 8), 0);
	for (uint64_t i = 0; i < 32; i++)
		assert_int_equal(spsc_push(&f.p, &i, 8), 0);
	assert_int_equal(support_child_status(pop_two_and_die, &f, 20000),
			 128 + SIGKILL);
	assert_int_equal(spsc_push(&f.p, &item, 8), -EOWNERDEAD);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8), 0);
	for (uint64_t i = 0; i < 32; i++) {
		assert_int_equal(spsc_pop(&f.c, &item, 8), 0);
		assert_int_equal(item, i);
	}
	unmake(&f);
}

/* ---- waiting -------------------------------------------------------------------- */

static void waits_end_at_their_deadline(void **state)
{
	struct fixture f;
	uint64_t item = 1, items[4] = {0};

	(void)state;
	make_both(&f, 8, 2);
	assert_int_equal(spsc_pop_until(&f.c, &item, 8, tick_after(TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(
		spsc_pop_many_until(&f.c, items, 4, tick_after(TICK_MS)),
		-ETIMEDOUT);
	assert_int_equal(spsc_push_many_until(&f.p, items, 4, tick_after(LONG)),
			 2);
	assert_int_equal(spsc_push_until(&f.p, &item, 8, tick_after(TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(
		spsc_push_many_until(&f.p, items, 4, tick_after(TICK_MS)),
		-ETIMEDOUT);
	assert_int_equal(spsc_pop_many_until(&f.c, items, 4, 0), 2);
	unmake(&f);
}

static bool consumer_sleeps(void *arg)
{
	return __atomic_load_n(&((struct spsc *)arg)->consumer_flags,
			       __ATOMIC_SEQ_CST) &
	       SPSC_SLEEPS;
}

static bool producer_sleeps(void *arg)
{
	return __atomic_load_n(&((struct spsc *)arg)->producer_flags,
			       __ATOMIC_SEQ_CST) &
	       SPSC_SLEEPS;
}

static int pop_one_from_sleep(void *arg)
{
	struct fixture *f = arg;
	struct spsc_consumer c;
	uint64_t item = 0;

	if (spsc_consumer_attach(&c, f->memory, f->bytes, 8) ||
	    spsc_pop_until(&c, &item, 8, tick_after(LONG)))
		return 1;
	spsc_consumer_close(&c);
	return item == 42 ? 0 : 2;
}

static void sleeping_consumer_in_another_process_is_woken(void **state)
{
	struct fixture f;
	uint64_t item = 42;
	pid_t pid;
	int status;

	(void)state;
	make(&f, 8, 4);
	assert_int_equal(spsc_producer_attach(&f.p, f.memory, f.bytes, 8), 0);
	assert_int_equal(child_fork(pop_one_from_sleep, &f, &pid), 0);
	assert_true(support_wait_until(consumer_sleeps, f.memory, 20000));
	assert_int_equal(spsc_try_push(&f.p, &item, 8), 0);
	assert_int_equal(child_wait(pid, tick_after(LONG), &status), 0);
	assert_int_equal(status, 0);
	unmake(&f);
}

static int push_three_from_sleep(void *arg)
{
	struct fixture *f = arg;
	struct spsc_producer p;

	if (spsc_producer_attach(&p, f->memory, f->bytes, 8))
		return 1;
	for (uint64_t i = 0; i < 3; i++) /* the third does not fit */
		if (spsc_push_until(&p, &i, 8, tick_after(LONG)))
			return 2;
	spsc_producer_close(&p);
	return 0;
}

static void sleeping_producer_in_another_process_is_woken(void **state)
{
	struct fixture f;
	uint64_t item;
	pid_t pid;
	int status;

	(void)state;
	make(&f, 8, 2);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8), 0);
	assert_int_equal(child_fork(push_three_from_sleep, &f, &pid), 0);
	assert_true(support_wait_until(producer_sleeps, f.memory, 20000));
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(
			spsc_pop_until(&f.c, &item, 8, tick_after(LONG)), 0);
		assert_int_equal(item, i);
	}
	assert_int_equal(child_wait(pid, tick_after(LONG), &status), 0);
	assert_int_equal(status, 0);
	unmake(&f);
}

static atomic_bool is_interrupted;

static void do_nothing(int signo)
{
	(void)signo;
}

/* Again and again, as the first signal may come before it sleeps. */
static void *send_signals(void *arg)
{
	while (!atomic_load(&is_interrupted)) {
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
		tick_sleep_until(tick_after(TICK_MS));
	}
	return NULL;
}

static void signal_handler_ends_a_wait(void **state)
{
	struct sigaction action = {.sa_handler = do_nothing};
	pthread_t self = pthread_self(), sender;
	struct fixture f;
	uint64_t item;

	(void)state;
	make_both(&f, 8, 2);
	sigaction(SIGUSR1, &action, NULL);
	atomic_store(&is_interrupted, false);
	assert_int_equal(pthread_create(&sender, NULL, send_signals, &self), 0);
	assert_int_equal(spsc_pop_until(&f.c, &item, 8, tick_after(LONG)),
			 -EINTR);
	atomic_store(&is_interrupted, true);
	pthread_join(sender, NULL);
	unmake(&f);
}

/* Or who sleeps would not know that it has the waker's processor. */
static void who_wakes_says_where_it_is(void **state)
{
	struct fixture f;
	struct spsc *shared;
	uint64_t item = 1;

	(void)state;
	make_both(&f, 8, 8);
	shared = f.memory;
	__atomic_store_n(&shared->cpu[SPSC_PRODUCER], 0, __ATOMIC_SEQ_CST);
	assert_int_equal(spsc_try_push(&f.p, &item, 8), 0);
	assert_int_equal(
		__atomic_load_n(&shared->cpu[SPSC_PRODUCER], __ATOMIC_SEQ_CST),
		0);
	__atomic_store_n(&shared->consumer_flags, SPSC_SLEEPS,
			 __ATOMIC_SEQ_CST);
	assert_int_equal(spsc_try_push(&f.p, &item, 8), 0);
	assert_true(__atomic_load_n(&shared->cpu[SPSC_PRODUCER],
				    __ATOMIC_SEQ_CST) > 0);
	unmake(&f);
}

/* ---- others' nonsense ------------------------------------------------------------ */

static void nonsense_of_the_other_side_is_noticed(void **state)
{
	struct fixture f;
	struct spsc *shared;
	uint64_t item = 1, items[16];

	(void)state;
	make_both(&f, 8, 8);
	shared = f.memory;
	__atomic_store_n(&shared->tail,
			 __atomic_load_n(&shared->head, __ATOMIC_SEQ_CST) + 9,
			 __ATOMIC_SEQ_CST);
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), -EBADMSG);
	assert_int_equal(spsc_try_pop_many(&f.c, items, 16), -EBADMSG);
	assert_int_equal(spsc_pop(&f.c, &item, 8), -EBADMSG);
	__atomic_store_n(&shared->tail,
			 __atomic_load_n(&shared->head, __ATOMIC_SEQ_CST) - 1,
			 __ATOMIC_SEQ_CST);
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), -EBADMSG);

	for (int i = 0; i < 8; i++)
		assert_int_equal(spsc_try_push(&f.p, &item, 8), 0);
	__atomic_store_n(&shared->head, f.p.tail + 1,
			 __ATOMIC_SEQ_CST); /* more than was put */
	assert_int_equal(spsc_try_push(&f.p, &item, 8), -EBADMSG);
	assert_int_equal(spsc_try_push_many(&f.p, items, 3), -EBADMSG);
	assert_int_equal(spsc_push(&f.p, &item, 8), -EBADMSG);
	__atomic_store_n(&shared->head, f.p.tail - 9, /* more than fit */
			 __ATOMIC_SEQ_CST);
	assert_int_equal(spsc_try_push(&f.p, &item, 8), -EBADMSG);
	unmake(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			end_is_told_to_the_other_side_until_somebody_attaches),
		cmocka_unit_test(
			what_was_refused_is_not_in_and_the_rest_is_the_next_ones),
		cmocka_unit_test(closing_tells_of_what_was_kept_back),
		cmocka_unit_test(closing_a_closed_handle_is_nothing),
		cmocka_unit_test(what_a_dead_producer_published_is_there),
		cmocka_unit_test(
			what_a_dead_consumer_had_not_released_comes_again),
		cmocka_unit_test(waits_end_at_their_deadline),
		cmocka_unit_test(sleeping_consumer_in_another_process_is_woken),
		cmocka_unit_test(sleeping_producer_in_another_process_is_woken),
		cmocka_unit_test(signal_handler_ends_a_wait),
		cmocka_unit_test(who_wakes_says_where_it_is),
		cmocka_unit_test(nonsense_of_the_other_side_is_noticed),
	};

	return SUPPORT_MAIN(tests);
}
