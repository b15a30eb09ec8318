/* What test_myrwlock is made of: the load, the check that it excludes, and whether
 * anybody starved. */
#include "p08-rwlock/cmd/load.h"

#include <errno.h>
#include <string.h>

#include "lib/tick.h"
#include "p08-rwlock/cmd/exclusion.h"
#include "p08-rwlock/cmd/starvation.h"
#include "tests/p08/clocklock.h"
#include "tests/support/support.h"

/* ---- exclusion ---- */

static void readers_may_be_there_together(void **state)
{
	struct exclusion exclusion = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(exclusion_enter(&exclusion, false));
	for (int i = 0; i < 3; i++)
		assert_true(exclusion_leave(&exclusion, false));
	assert_int_equal(atomic_load(&exclusion.readers_most), 3);
	for (int i = 0; i < 3; i++) {
		assert_true(exclusion_enter(&exclusion, true));
		assert_true(exclusion_leave(&exclusion, true));
	}
}

static void writer_that_is_not_alone_is_seen(void **state)
{
	struct exclusion exclusion = {0};

	(void)state;
	assert_true(exclusion_enter(&exclusion, false));
	assert_false(exclusion_enter(&exclusion, true));
	assert_false(exclusion_leave(&exclusion, false));

	exclusion = (struct exclusion){0};
	assert_true(exclusion_enter(&exclusion, true));
	assert_false(exclusion_enter(&exclusion, false));
	assert_false(exclusion_leave(&exclusion, true));

	exclusion = (struct exclusion){0};
	assert_true(exclusion_enter(&exclusion, true));
	assert_false(exclusion_enter(&exclusion, true));
	assert_false(exclusion_leave(&exclusion, true));
}

static void write_that_is_half_done_is_seen(void **state)
{
	/* As if the writer's other half were not yet visible here. */
	struct exclusion exclusion = {.half = 1};

	(void)state;
	assert_false(exclusion_enter(&exclusion, false));
}

/* ---- the load ---- */

static const struct load_plan plan = {
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
	unsigned int reads, writes; /* that were begun */
	bool is_fair;
};

static void note(void *arg, const struct load_event *event)
{
	struct log *log = arg;
	unsigned int *own = event->is_writer ? &log->writers : &log->readers;

	pthread_mutex_lock(&log->mutex);
	log->events++;
	if (event->kind == LOAD_ACQUIRED) {
		log->wrong += log->writers > 0;
		log->wrong += event->is_writer && log->readers > 0;
		log->reads += !event->is_writer;
		log->writes += event->is_writer;
		++*own;
	} else if (event->kind == LOAD_RELEASED) {
		log->wrong += *own == 0;
		--*own;
	}
	pthread_mutex_unlock(&log->mutex);
}

/* Under a policy that lets some starve they need not have been there. */
static bool has_seen_many(void *arg)
{
	struct log *log = arg;
	bool is_so;

	pthread_mutex_lock(&log->mutex);
	is_so = log->reads + log->writes >= 100 &&
		(!log->is_fair || (log->reads >= 10 && log->writes >= 10));
	pthread_mutex_unlock(&log->mutex);
	return is_so;
}

static void load_reads_and_writes_and_tells_in_order(void **state)
{
	(void)state;
	for (int policy = 0; policy < 3; policy++) {
		struct myrwlock lock =
			MYRWLOCK_INITIALIZER_OF((uint16_t)policy);
		struct log log = {.mutex = PTHREAD_MUTEX_INITIALIZER,
				  .is_fair = policy == MYRWLOCK_FAIR};
		struct load_sum readers, writers;
		struct load load;

		assert_int_equal(load_init(&load, &plan, &lock), 0);
		load.listener = note;
		load.arg = &log;
		assert_int_equal(load_start(&load, 60 * TICK_S), 0);
		assert_true(support_wait_until(has_seen_many, &log, 30000));
		assert_int_equal(load_end(&load), 0);
		readers = load_sum(&load, false);
		writers = load_sum(&load, true);
		assert_int_equal(readers.wrong + writers.wrong, 0);
		assert_int_equal(log.wrong, 0);
		assert_int_equal(log.reads, readers.entries);
		assert_int_equal(log.writes, writers.entries);
		assert_true(log.events >=
			    2 * (readers.entries + writers.entries));
		assert_int_equal(load.exclusion.half, writers.entries);
		load_fini(&load);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
}

static bool all_wait(void *arg)
{
	struct load *load = arg;

	for (unsigned int i = 0; i < plan.readers + plan.writers; i++)
		if (atomic_load(&load->members[i].doing) != LOAD_WAITS)
			return false;
	return true;
}

static void deadlock_is_told_with_who_waits(void **state)
{
	struct load_plan soon = plan;
	struct myrwlock lock = MYRWLOCK_INITIALIZER;
	struct load load;
	char text[200];

	(void)state;
	soon.timeout_ns = 50 * TICK_MS;
	assert_int_equal(load_init(&load, &soon, &lock), 0);
	assert_int_equal(myrwlock_wrlock(&lock), 0);
	assert_int_equal(load_start(&load, TICK_MS), 0);
	assert_true(support_wait_until(all_wait, &load, 30000));
	assert_int_equal(load_end(&load), -ETIMEDOUT);
	assert_string_equal(load_describe(&load, text, sizeof(text)),
			    "waiting: Reader 1, Reader 2, Reader 3, Writer 1, "
			    "Writer 2; inside: nobody");
	atomic_store(&load.members[1].doing, LOAD_INSIDE);
	assert_non_null(strstr(load_describe(&load, text, sizeof(text)),
			       "inside: Reader 2"));
	/* Cut off, and ended. */
	assert_string_equal(load_describe(&load, text, 10), "waiting: ");
	load_fini(&load);
	assert_int_equal(myrwlock_unlock(&lock), 0);
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

/* ---- starvation ---- */

/* A load of ten seconds, in which nobody waited. */
static void pretend(struct load *load, struct myrwlock *lock)
{
	assert_int_equal(load_init(load, &plan, lock), 0);
	load->ended_ns = load->begun_ns + 10 * TICK_S;
	for (unsigned int i = 0; i < plan.readers + plan.writers; i++) {
		load->members[i].entries = 10;
		load->members[i].longest_hold_ns = TICK_MS;
	}
}

static void who_waited_longer_than_the_bound_has_starved(void **state)
{
	struct myrwlock lock = MYRWLOCK_INITIALIZER;
	struct starvation starvation;
	struct load load;

	(void)state;
	pretend(&load, &lock);
	starvation = starvation_check(&load, 0);
	assert_true(starvation.is_pass);
	assert_int_equal(starvation.readers.sum.entries, 30);
	assert_int_equal(starvation.writers.sum.entries, 20);
	/* At least what the lock promises; with some room for the machine. */
	assert_true(starvation.writers.bound_ns >=
		    myrwlock_bound_ns(true, 2, TICK_MS, TICK_MS));
	assert_true(starvation.writers.bound_ns < TICK_S);

	load.members[4].longest_wait_ns = starvation.writers.bound_ns;
	assert_true(starvation_check(&load, 0).is_pass);
	load.members[4].longest_wait_ns++;
	starvation = starvation_check(&load, 0);
	assert_false(starvation.is_pass);
	assert_true(starvation.writers.has_starved);
	assert_false(starvation.readers.has_starved);
	assert_int_equal(starvation.writers.sum.waited_longest, 2);
	/* On a machine that is that slow it means nothing. */
	assert_true(starvation_check(&load, 100 * TICK_MS).is_pass);
	/* Half of the run is too long on any. */
	load.members[0].longest_wait_ns = 6 * TICK_S;
	assert_true(starvation_check(&load, 60 * TICK_S).readers.has_starved);
	load_fini(&load);
}

/* Longer than half of the run, when it is meant to be so. */
static void long_sections_may_be_waited_for(void **state)
{
	struct myrwlock lock = MYRWLOCK_INITIALIZER;
	struct load_plan slow = plan;
	struct load load;

	(void)state;
	pretend(&load, &lock);
	load.members[3].longest_hold_ns = 3 * TICK_S;
	load.members[0].longest_wait_ns = 6 * TICK_S;
	assert_true(starvation_check(&load, 0).readers.has_starved);
	slow.write_hold_ns = 3 * TICK_S;
	load.plan = &slow;
	assert_true(starvation_check(&load, 0).is_pass);
	load_fini(&load);
}

/* A lock with a bypass limit of 50 ms instead of 1 is another lock. */
static void fifty_milliseconds_too_many_are_seen(void **state)
{
	struct myrwlock lock = MYRWLOCK_INITIALIZER;
	struct load load;

	(void)state;
	pretend(&load, &lock);
	load.members[0].longest_wait_ns = 50 * TICK_MS;
	assert_true(starvation_check(&load, TICK_MS).readers.has_starved);
	/* Unless they all are woken that late. */
	load.members[3].latest_ns = 10 * TICK_MS;
	assert_true(starvation_check(&load, TICK_MS).is_pass);
	load.members[3].latest_ns = 0;
	load.members[1].latest_ns = 10 * TICK_MS;
	assert_true(starvation_check(&load, TICK_MS).is_pass);
	load_fini(&load);
}

static void one_wrong_entry_fails(void **state)
{
	struct myrwlock lock = MYRWLOCK_INITIALIZER;
	struct load load;

	(void)state;
	pretend(&load, &lock);
	load.members[2].wrong = 1;
	assert_false(starvation_check(&load, 0).is_pass);
	assert_int_equal(starvation_check(&load, 0).wrong, 1);
	load_fini(&load);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_may_be_there_together),
		cmocka_unit_test(writer_that_is_not_alone_is_seen),
		cmocka_unit_test(write_that_is_half_done_is_seen),
		cmocka_unit_test(load_reads_and_writes_and_tells_in_order),
		cmocka_unit_test(deadlock_is_told_with_who_waits),
		cmocka_unit_test(who_waited_longer_than_the_bound_has_starved),
		cmocka_unit_test(long_sections_may_be_waited_for),
		cmocka_unit_test(fifty_milliseconds_too_many_are_seen),
		cmocka_unit_test(one_wrong_entry_fails),
	};
	return SUPPORT_MAIN(tests);
}
