/* Deaths at the points that matter, each of them met on purpose: whatever a
 * killed process left, the others go on. Where a child can die is in
 * death_points.h. */
#include "p07-prodcons/bounded.h"

#include "tests/p07/fixture.h"

#include <linux/futex.h>
#include <stdatomic.h>

#include "tests/p07/death_points.h"

enum { ITEM = 4096, WAITERS = 8 };

/* Longer than its parent waits: at a deadline everybody looks. */
#define CHILD_LIMIT (10 * LIMIT)

/* ---- what children do ---- */

static void *page_that_ends_early(void)
{
	/* Half an item, and then nothing that may be touched. */
	char *pages = fixture_share(2 * ITEM);

	munmap(pages + ITEM, ITEM);
	return pages + ITEM / 2;
}

static void on_fault(int signal)
{
	(void)signal;
	raise(SIGKILL);
}

static char item[ITEM];

/* These die while they copy. */
static int put_and_fault(void *arg)
{
	sigaction(SIGSEGV, &(struct sigaction){.sa_handler = on_fault}, NULL);
	bounded_put(arg, page_that_ends_early(), tick_after(LIMIT));
	return 0;
}

static int take_and_fault(void *arg)
{
	sigaction(SIGSEGV, &(struct sigaction){.sa_handler = on_fault}, NULL);
	bounded_take(arg, page_that_ends_early(), tick_after(LIMIT));
	return 0;
}

static int put_one(void *arg)
{
	memset(item, 'n', sizeof(item));
	return bounded_put(arg, item, tick_after(CHILD_LIMIT)) ? 1 : 0;
}

static int take_one(void *arg)
{
	return bounded_take(arg, item, tick_after(CHILD_LIMIT)) ? 1 : 0;
}

/* ---- what is left ---- */

static void put(struct bounded *buffer, char text)
{
	memset(item, text, sizeof(item));
	assert_int_equal(bounded_put(buffer, item, tick_after(LIMIT)), 0);
}

static void take(struct bounded *buffer, char text)
{
	char expected[ITEM];

	memset(expected, text, sizeof(expected));
	assert_int_equal(bounded_take(buffer, item, tick_after(LIMIT)), 0);
	assert_memory_equal(item, expected, sizeof(item));
}

struct sleeper {
	pid_t pid;
	int where; /* it is to die */
};

/* Having announced it, there is nothing else that it would wait for. */
static bool is_asleep(void *arg)
{
	const struct sleeper *sleeper = arg;

	return atomic_load(&announced[sleeper->where]) > 0 &&
	       fixture_is_asleep(sleeper->pid);
}

static void expect_asleep(pid_t pid, int where)
{
	struct sleeper sleeper = {pid, where};

	assert_true(support_wait_until(is_asleep, &sleeper, 10000));
}

/* ---- holding the lock ---- */

static void producer_that_dies_while_copying_leaves_no_item(void **state)
{
	struct bounded buffer = fixture_make(3, ITEM, true);

	(void)state;
	put(&buffer, 'a');
	assert_int_equal(fixture_end(fixture_start(put_and_fault, &buffer)),
			 128 + SIGKILL);
	put(&buffer, 'b');
	take(&buffer, 'a');
	take(&buffer, 'b');
	assert_int_equal(bounded_take(&buffer, item, PAST), -ETIMEDOUT);
	assert_int_equal(fixture_look(&buffer).mended, 1);
	fixture_drop(&buffer);
}

static void consumer_that_dies_while_copying_leaves_its_item(void **state)
{
	struct bounded buffer = fixture_make(3, ITEM, true);

	(void)state;
	put(&buffer, 'a');
	put(&buffer, 'b');
	assert_int_equal(fixture_end(fixture_start(take_and_fault, &buffer)),
			 128 + SIGKILL);
	take(&buffer, 'a');
	take(&buffer, 'b');
	assert_int_equal(fixture_look(&buffer).mended, 1);
	fixture_drop(&buffer);
}

static void what_was_counted_before_the_death_stays(void **state)
{
	struct bounded buffer = fixture_make(1, ITEM, true);
	pid_t pid;

	(void)state;
	pid = start_to_die(&buffer, put_one, BEFORE_UNLOCK);
	assert_int_equal(fixture_end(pid), 128 + SIGKILL);
	take(&buffer, 'n');
	put(&buffer, 'a');
	pid = start_to_die(&buffer, take_one, BEFORE_UNLOCK);
	assert_int_equal(fixture_end(pid), 128 + SIGKILL);
	assert_int_equal(bounded_take(&buffer, item, PAST), -ETIMEDOUT);
	put(&buffer, 'b');
	take(&buffer, 'b');
	assert_int_equal(fixture_look(&buffer).mended, 2);
	fixture_drop(&buffer);
}

static void one_death_after_another_is_mended(void **state)
{
	struct bounded buffer = fixture_make(2, ITEM, true);

	(void)state;
	for (int i = 0; i < 20; i++) {
		pid_t pid = start_to_die(&buffer, put_one, BEFORE_UNLOCK);

		assert_int_equal(fixture_end(pid), 128 + SIGKILL);
		assert_true(fixture_end(fixture_start(put_and_fault, &buffer)) >
			    0);
		take(&buffer, 'n');
	}
	assert_int_equal(fixture_look(&buffer).mended, 40);
	fixture_drop(&buffer);
}

/* ---- wake-ups ---- */

/* The dead one had claimed it, perhaps: nobody can tell any more. */
static void who_mends_wakes_both_sides_at_once(void **state)
{
	struct bounded buffer = fixture_make(2, ITEM, true);
	pid_t pid = start_to_die(&buffer, put_one, BEFORE_UNLOCK);

	(void)state;
	assert_int_equal(fixture_end(pid), 128 + SIGKILL);
	wakes = 0;
	assert_int_equal(fixture_look(&buffer).mended, 1);
	assert_int_equal(wakes, 2);
	/* And once is enough. */
	assert_int_equal(fixture_look(&buffer).put, 1);
	assert_int_equal(wakes, 2);
	fixture_drop(&buffer);
}

static bool is_taken(void *arg)
{
	return fixture_look(arg).taken > 0;
}

/* Rounds of which each gets a buffer, and says whether it was a wake-up that
 * died, as sleepers look for themselves from time to time. */
static void repeat(bool (*round)(struct bounded *buffer))
{
	bool has_died;

	do {
		struct bounded buffer = fixture_make(2, ITEM, true);

		announced = fixture_share(POINTS * sizeof(*announced));
		has_died = round(&buffer);
		munmap(announced, POINTS * sizeof(*announced));
		announced = NULL;
		fixture_drop(&buffer);
	} while (!has_died);
}

static bool sender_dies(struct bounded *buffer)
{
	pid_t waiter = fixture_start(take_one, buffer), pid;
	int status;

	expect_asleep(waiter, NOWHERE);
	pid = start_to_die(buffer, put_one, BEFORE_WAKE);
	status = fixture_end(pid);
	assert_true(status == 0 || status == 128 + SIGKILL);
	assert_int_equal(fixture_end(waiter), 0);
	return status != 0;
}

static void wake_up_that_died_with_its_sender_is_made_up_for(void **state)
{
	(void)state;
	repeat(sender_dies);
}

static bool receiver_dies(struct bounded *buffer)
{
	pid_t dying = start_to_die(buffer, take_one, WHEN_WOKEN), waiter;
	int status, rc;
	bool is_dead;

	expect_asleep(dying, WHEN_WOKEN);
	waiter = fixture_start(take_one, buffer);
	expect_asleep(waiter, NOWHERE);
	put(buffer, 'a');
	assert_true(support_wait_until(is_taken, buffer, 10000));
	rc = child_wait(dying, PAST, &status);
	is_dead = rc == 0 && child_exit_code(status) == 128 + SIGKILL;
	if (!is_dead)
		put(buffer, 'b'); /* for whoever has got none */
	if (rc == -ETIMEDOUT)
		assert_true(fixture_end(dying) >= 0);
	assert_int_equal(fixture_end(waiter), 0);
	return is_dead;
}

static void wake_up_that_died_with_its_receiver_is_made_up_for(void **state)
{
	(void)state;
	repeat(receiver_dies);
}

static void waiters_that_die_asleep_hinder_nobody(void **state)
{
	struct bounded buffer = fixture_make(2, ITEM, true);
	pid_t pid[WAITERS];
	int status;

	(void)state;
	for (int i = 0; i < WAITERS; i++)
		pid[i] = start_to_die(&buffer, take_one,
				      i % 2 ? ON_THE_WAY : NOWHERE);
	while (fixture_look(&buffer).empty_waits < WAITERS)
		tick_sleep_until(tick_after(TICK_MS));
	for (int i = 0; i < WAITERS; i++) {
		kill(pid[i], SIGKILL);
		assert_int_equal(child_wait(pid[i], tick_after(LIMIT), &status),
				 0);
	}
	for (int i = 0; i < 1000; i++) {
		put(&buffer, 'a');
		take(&buffer, 'a');
	}
	/* And one that lives is still woken. */
	pid[0] = fixture_start(take_one, &buffer);
	put(&buffer, 'a');
	assert_int_equal(fixture_end(pid[0]), 0);
	fixture_drop(&buffer);
}

/* ---- the lock ---- */

/* The word of a robust mutex: the owner's id, and whether others wait. */
static _Atomic uint32_t *word_of(struct bounded *buffer)
{
	return (_Atomic uint32_t *)&buffer->state->lock;
}

static bool has_waiters(void *arg)
{
	return atomic_load(word_of(arg)) & FUTEX_WAITERS;
}

/* A process that waits for the lock is woken and dies, another takes the lock
 * first, and does not know of a second that waits: this is what the word looks
 * like then. */
static void who_is_forgotten_at_the_lock_looks_for_itself(void **state)
{
	struct bounded buffer = fixture_make(2, ITEM, true);
	pid_t pid;

	(void)state;
	assert_int_equal(pthread_mutex_trylock(&buffer.state->lock), 0);
	pid = fixture_start(put_one, &buffer);
	assert_true(support_wait_until(has_waiters, &buffer, 10000));
	atomic_fetch_and(word_of(&buffer), ~FUTEX_WAITERS);
	pthread_mutex_unlock(&buffer.state->lock);
	assert_int_equal(fixture_end(pid), 0);
	take(&buffer, 'n');
	fixture_drop(&buffer);
}

/* The C library says EINVAL of a kind that it does not know. */
static void what_is_no_mutex_is_damage(void **state)
{
	struct bounded buffer = fixture_make(2, ITEM, true);

	(void)state;
	buffer.state->lock.__data.__kind = 0x7f;
	assert_int_equal(bounded_put(&buffer, item, tick_after(LIMIT)),
			 -EBADMSG);
	assert_int_equal(bounded_take(&buffer, item, tick_after(LIMIT)),
			 -EBADMSG);
	fixture_drop(&buffer);
}

/* Though each sleeper looks again, that is not to make it late. */
static void last_look_is_not_behind_the_deadline(void **state)
{
	struct bounded buffer = fixture_make(2, ITEM, true);
	int64_t deadline;

	(void)state;
	slept_until = 0;
	do {
		deadline = tick_after(20 * TICK_MS);
		assert_int_equal(bounded_take(&buffer, item, deadline),
				 -ETIMEDOUT);
	} while (slept_until == 0); /* it came too late to sleep */
	assert_int_equal(slept_until, deadline);
	fixture_drop(&buffer);
}

static bool is_locked(void *arg)
{
	struct bounded_figures figures;

	return bounded_look(arg, &figures, PAST) == -ETIMEDOUT;
}

static void stopped_holder_of_the_lock_is_waited_for_until_the_deadline(
	void **state)
{
	struct bounded buffer = fixture_make(2, ITEM, true);
	pid_t pid = start_to_die(&buffer, put_one, STOPPED);
	struct bounded_figures figures;

	(void)state;
	assert_true(support_wait_until(is_locked, &buffer, 10000));
	assert_int_equal(bounded_put(&buffer, item, tick_after(TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(bounded_take(&buffer, item, tick_after(TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(bounded_finish(&buffer, tick_after(TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(bounded_look(&buffer, &figures, tick_after(TICK_MS)),
			 -ETIMEDOUT);
	kill(pid, SIGKILL);
	assert_int_equal(fixture_end(pid), 128 + SIGKILL);
	take(&buffer, 'n');
	fixture_drop(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			producer_that_dies_while_copying_leaves_no_item),
		cmocka_unit_test(
			consumer_that_dies_while_copying_leaves_its_item),
		cmocka_unit_test(what_was_counted_before_the_death_stays),
		cmocka_unit_test(one_death_after_another_is_mended),
		cmocka_unit_test(who_mends_wakes_both_sides_at_once),
		cmocka_unit_test(
			wake_up_that_died_with_its_sender_is_made_up_for),
		cmocka_unit_test(
			wake_up_that_died_with_its_receiver_is_made_up_for),
		cmocka_unit_test(waiters_that_die_asleep_hinder_nobody),
		cmocka_unit_test(who_is_forgotten_at_the_lock_looks_for_itself),
		cmocka_unit_test(what_is_no_mutex_is_damage),
		cmocka_unit_test(last_look_is_not_behind_the_deadline),
		cmocka_unit_test(
			stopped_holder_of_the_lock_is_waited_for_until_the_deadline),
	};

	return SUPPORT_MAIN(tests);
}
