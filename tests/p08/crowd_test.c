/* What test_myrwlock is made of: the crowd, its scene, the verdict. */
#include "p08-rwlock/cmd/crowd.h"

#include <errno.h>
#include <string.h>

#include "lib/tick.h"
#include "p08-rwlock/cmd/scene.h"
#include "p08-rwlock/cmd/verdict.h"
#include "tests/p08/clocklock.h"
#include "tests/support/support.h"

/* ---- the scene ---- */

static void readers_may_be_there_together(void **state)
{
	struct scene scene = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(scene_enter(&scene, false));
	for (int i = 0; i < 3; i++)
		assert_true(scene_leave(&scene, false));
	assert_int_equal(atomic_load(&scene.readers_most), 3);
	for (int i = 0; i < 3; i++) {
		assert_true(scene_enter(&scene, true));
		assert_true(scene_leave(&scene, true));
	}
}

static void writer_that_is_not_alone_is_seen(void **state)
{
	struct scene scene = {0};

	(void)state;
	assert_true(scene_enter(&scene, false));
	assert_false(scene_enter(&scene, true));
	assert_false(scene_leave(&scene, false));

	scene = (struct scene){0};
	assert_true(scene_enter(&scene, true));
	assert_false(scene_enter(&scene, false));
	assert_false(scene_leave(&scene, true));

	scene = (struct scene){0};
	assert_true(scene_enter(&scene, true));
	assert_false(scene_enter(&scene, true));
	assert_false(scene_leave(&scene, true));
}

static void write_that_is_half_done_is_seen(void **state)
{
	/* As if the writer's other half were not yet visible here. */
	struct scene scene = {.half = 1};

	(void)state;
	assert_false(scene_enter(&scene, false));
}

/* ---- the crowd ---- */

static const struct crowd_plan plan = {
	.readers = 3,
	.writers = 2,
	.read_hold_ns = 200 * TICK_US,
	.write_hold_ns = 100 * TICK_US,
	.jitter_ns = 100 * TICK_US,
	.timeout_ns = 30 * TICK_S,
};

/* What is inside according to the events, which come one at a time in an order
 * that the lock gave them, or at once when they are of readers. */
struct log {
	pthread_mutex_t mutex;
	unsigned int readers, writers, events, wrong;
};

static void note(void *arg, const struct crowd_event *event)
{
	struct log *log = arg;
	unsigned int *own = event->is_writer ? &log->writers : &log->readers;

	pthread_mutex_lock(&log->mutex);
	log->events++;
	if (event->kind == CROWD_ACQUIRED) {
		log->wrong += log->writers > 0;
		log->wrong += event->is_writer && log->readers > 0;
		++*own;
	} else if (event->kind == CROWD_RELEASED) {
		log->wrong += *own == 0;
		--*own;
	}
	pthread_mutex_unlock(&log->mutex);
}

static void crowd_reads_and_writes_and_tells_in_order(void **state)
{
	(void)state;
	for (int policy = 0; policy < 3; policy++) {
		struct myrwlock lock =
			MYRWLOCK_INITIALIZER_OF((uint16_t)policy);
		struct log log = {.mutex = PTHREAD_MUTEX_INITIALIZER};
		struct crowd_sum readers, writers;
		struct crowd crowd;

		assert_int_equal(crowd_init(&crowd, &plan, &lock), 0);
		crowd.listener = note;
		crowd.arg = &log;
		assert_int_equal(crowd_start(&crowd, 60 * TICK_S), 0);
		tick_sleep_until(tick_after(100 * TICK_MS));
		assert_int_equal(crowd_end(&crowd), 0);
		readers = crowd_sum(&crowd, false);
		writers = crowd_sum(&crowd, true);
		assert_int_equal(readers.wrong + writers.wrong, 0);
		assert_int_equal(log.wrong, 0);
		assert_true(log.events >=
			    2 * (readers.entries + writers.entries));
		assert_int_equal(crowd.scene.half, writers.entries);
		crowd_fini(&crowd);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
}

static bool all_wait(void *arg)
{
	struct crowd *crowd = arg;

	for (unsigned int i = 0; i < plan.readers + plan.writers; i++)
		if (atomic_load(&crowd->members[i].doing) != CROWD_WAITS)
			return false;
	return true;
}

static void deadlock_is_told_with_who_waits(void **state)
{
	struct crowd_plan soon = plan;
	struct myrwlock lock = MYRWLOCK_INITIALIZER;
	struct crowd crowd;
	char text[200];

	(void)state;
	soon.timeout_ns = 50 * TICK_MS;
	assert_int_equal(crowd_init(&crowd, &soon, &lock), 0);
	assert_int_equal(myrwlock_wrlock(&lock), 0);
	assert_int_equal(crowd_start(&crowd, TICK_MS), 0);
	assert_true(support_wait_until(all_wait, &crowd, 30000));
	assert_int_equal(crowd_end(&crowd), -ETIMEDOUT);
	assert_string_equal(crowd_describe(&crowd, text, sizeof(text)),
			    "waiting: Reader 1, Reader 2, Reader 3, Writer 1, "
			    "Writer 2; inside: nobody");
	atomic_store(&crowd.members[1].doing, CROWD_INSIDE);
	assert_non_null(strstr(crowd_describe(&crowd, text, sizeof(text)),
			       "inside: Reader 2"));
	/* Cut off, and ended. */
	assert_string_equal(crowd_describe(&crowd, text, 10), "waiting: ");
	crowd_fini(&crowd);
	assert_int_equal(myrwlock_unlock(&lock), 0);
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

/* ---- the verdict ---- */

/* A crowd that has been there for ten seconds, nobody waited. */
static void pretend(struct crowd *crowd, struct myrwlock *lock)
{
	assert_int_equal(crowd_init(crowd, &plan, lock), 0);
	crowd->ended_ns = crowd->begun_ns + 10 * TICK_S;
	for (unsigned int i = 0; i < plan.readers + plan.writers; i++) {
		crowd->members[i].entries = 10;
		crowd->members[i].longest_hold_ns = TICK_MS;
	}
}

static void who_waited_longer_than_the_bound_has_starved(void **state)
{
	struct myrwlock lock = MYRWLOCK_INITIALIZER;
	struct verdict verdict;
	struct crowd crowd;

	(void)state;
	pretend(&crowd, &lock);
	verdict = verdict_of(&crowd, 0);
	assert_true(verdict.is_pass);
	assert_int_equal(verdict.readers.sum.entries, 30);
	assert_int_equal(verdict.writers.sum.entries, 20);
	/* At least what the lock promises; with some room for the machine. */
	assert_true(verdict.writers.bound_ns >=
		    myrwlock_bound_ns(true, 2, TICK_MS, TICK_MS));
	assert_true(verdict.writers.bound_ns < TICK_S);

	crowd.members[4].longest_wait_ns = verdict.writers.bound_ns;
	assert_true(verdict_of(&crowd, 0).is_pass);
	crowd.members[4].longest_wait_ns++;
	verdict = verdict_of(&crowd, 0);
	assert_false(verdict.is_pass);
	assert_true(verdict.writers.has_starved);
	assert_false(verdict.readers.has_starved);
	assert_int_equal(verdict.writers.sum.waited_longest, 2);
	/* On a machine that is that slow it means nothing. */
	assert_true(verdict_of(&crowd, 100 * TICK_MS).is_pass);
	/* Half of the run is too long on any. */
	crowd.members[0].longest_wait_ns = 6 * TICK_S;
	assert_true(verdict_of(&crowd, 60 * TICK_S).readers.has_starved);
	crowd_fini(&crowd);
}

/* Longer than half of the run, when it is meant to be so. */
static void long_sections_may_be_waited_for(void **state)
{
	struct myrwlock lock = MYRWLOCK_INITIALIZER;
	struct crowd_plan slow = plan;
	struct crowd crowd;

	(void)state;
	pretend(&crowd, &lock);
	crowd.members[3].longest_hold_ns = 3 * TICK_S;
	crowd.members[0].longest_wait_ns = 6 * TICK_S;
	assert_true(verdict_of(&crowd, 0).readers.has_starved);
	slow.write_hold_ns = 3 * TICK_S;
	crowd.plan = &slow;
	assert_true(verdict_of(&crowd, 0).is_pass);
	crowd_fini(&crowd);
}

/* A lock that is patient for 50 ms instead of 1 is another lock. */
static void fifty_milliseconds_too_many_are_seen(void **state)
{
	struct myrwlock lock = MYRWLOCK_INITIALIZER;
	struct crowd crowd;

	(void)state;
	pretend(&crowd, &lock);
	crowd.members[0].longest_wait_ns = 50 * TICK_MS;
	assert_true(verdict_of(&crowd, TICK_MS).readers.has_starved);
	/* Unless they all are woken that late. */
	crowd.members[3].latest_ns = 10 * TICK_MS;
	assert_true(verdict_of(&crowd, TICK_MS).is_pass);
	crowd.members[3].latest_ns = 0;
	crowd.members[1].latest_ns = 10 * TICK_MS;
	assert_true(verdict_of(&crowd, TICK_MS).is_pass);
	crowd_fini(&crowd);
}

static void one_wrong_entry_fails(void **state)
{
	struct myrwlock lock = MYRWLOCK_INITIALIZER;
	struct crowd crowd;

	(void)state;
	pretend(&crowd, &lock);
	crowd.members[2].wrong = 1;
	assert_false(verdict_of(&crowd, 0).is_pass);
	assert_int_equal(verdict_of(&crowd, 0).wrong, 1);
	crowd_fini(&crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_may_be_there_together),
		cmocka_unit_test(writer_that_is_not_alone_is_seen),
		cmocka_unit_test(write_that_is_half_done_is_seen),
		cmocka_unit_test(crowd_reads_and_writes_and_tells_in_order),
		cmocka_unit_test(deadlock_is_told_with_who_waits),
		cmocka_unit_test(who_waited_longer_than_the_bound_has_starved),
		cmocka_unit_test(long_sections_may_be_waited_for),
		cmocka_unit_test(fifty_milliseconds_too_many_are_seen),
		cmocka_unit_test(one_wrong_entry_fails),
	};
	return SUPPORT_MAIN(tests);
}
