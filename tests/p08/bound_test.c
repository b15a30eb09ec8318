/* How often others get past who waits under the fair policy of
 * p08-rwlock/myrwlock.h: the bound that its header states. */
#include "p08-rwlock/fastpath.h"
#include "tests/p08/fixture.h"

/* Readers and writers that come again at once, and one of them, the victim,
 * that waits: how often do others get in from the moment when it is past the
 * bypass limit? That moment is seen in the lock itself, so the answer does not
 * depend on how fast anything is. */
struct rush {
	struct myrwlock lock;
	unsigned int readers, writers; /* the victim is one of them */
	bool is_victim_writer;
	int64_t hold_ns; /* of the others */
	atomic_bool is_over;
	atomic_uint reads, writes;
	/* The round that the victim is to go for, and the last one in which it
	 * got in; what it counted then. */
	atomic_int asked, got_in;
	unsigned int reads_then, writes_then;
};

struct rusher {
	struct rush *rush;
	bool is_writer;
	pthread_t thread;
};

static int take(struct rush *rush, bool is_writer)
{
	return is_writer ? myrwlock_wrlock(&rush->lock)
			 : myrwlock_rdlock(&rush->lock);
}

static void *run_other(void *arg)
{
	struct rusher *self = arg;
	struct rush *rush = self->rush;

	while (!atomic_load(&rush->is_over)) {
		if (take(rush, self->is_writer))
			return NULL;
		atomic_fetch_add(self->is_writer ? &rush->writes : &rush->reads,
				 1);
		tick_sleep_until(tick_after(rush->hold_ns));
		if (myrwlock_unlock(&rush->lock))
			return NULL;
	}
	return NULL;
}

static bool is_asked(void *arg)
{
	struct rush *rush = arg;

	return atomic_load(&rush->is_over) ||
	       atomic_load(&rush->asked) > atomic_load(&rush->got_in);
}

static void *run_victim(void *arg)
{
	struct rusher *self = arg;
	struct rush *rush = self->rush;

	while (support_wait_until(is_asked, rush, MS) &&
	       !atomic_load(&rush->is_over)) {
		if (take(rush, self->is_writer))
			return NULL;
		rush->reads_then = atomic_load(&rush->reads);
		rush->writes_then = atomic_load(&rush->writes);
		atomic_store(&rush->got_in, atomic_load(&rush->asked));
		if (myrwlock_unlock(&rush->lock))
			return NULL;
	}
	return NULL;
}

/* Whether all of the victim's side wait and are past the bypass limit. With the
 * lock's mutex held. */
static bool is_victim_due(const struct rush *rush)
{
	const struct myrwlock *lock = &rush->lock;

	if (!rush->is_victim_writer)
		return lock->reading.waiting == rush->readers &&
		       lock->reading.is_expired;
	return lock->writing[0].waiting + lock->writing[1].waiting ==
		       rush->writers &&
	       is_expired_or_empty(&lock->writing[0]) &&
	       is_expired_or_empty(&lock->writing[1]);
}

static bool has_got_in(void *arg)
{
	struct rush *rush = arg;

	return atomic_load(&rush->got_in) == atomic_load(&rush->asked);
}

/* Or so many others have, that it makes no sense to wait on. */
struct round {
	struct rush *rush;
	unsigned int entries_before;
};

static bool is_decided(void *arg)
{
	enum { FAR_BEYOND_ANY_BOUND = 1000 };
	struct round *round = arg;
	struct rush *rush = round->rush;

	return has_got_in(rush) || atomic_load(&rush->reads) +
						   atomic_load(&rush->writes) -
						   round->entries_before >
					   FAR_BEYOND_ANY_BOUND;
}

/* One round; whether it was seen when the victim was due. */
static bool count_overtaking(struct rush *rush, unsigned int *reads,
			     unsigned int *writes)
{
	struct round round = {.rush = rush};
	bool is_seen = false;

	atomic_fetch_add(&rush->asked, 1);
	while (!is_seen && !has_got_in(rush)) {
		pthread_mutex_lock(&rush->lock.mutex);
		is_seen = is_victim_due(rush) && !has_got_in(rush);
		*reads = atomic_load(&rush->reads);
		*writes = atomic_load(&rush->writes);
		pthread_mutex_unlock(&rush->lock.mutex);
		tick_sleep_until(tick_after(50 * TICK_US));
	}
	round.entries_before = *reads + *writes;
	support_wait_until(is_decided, &round, MS);
	assert_true(has_got_in(rush));
	*reads = rush->reads_then - *reads;
	*writes = rush->writes_then - *writes;
	return is_seen;
}

/* The most of some rounds. */
static void measure_overtaking(struct rush *rush, unsigned int *most_reads,
			       unsigned int *most_writes)
{
	enum { ROUNDS = 20, RUSHERS_MAX = 16 };
	struct rusher rushers[RUSHERS_MAX];
	unsigned int n = rush->readers + rush->writers;
	unsigned int reads = 0, writes = 0;
	int64_t deadline = tick_after(MS * TICK_MS);
	int rounds = 0;

	*most_reads = *most_writes = 0;
	make(&rush->lock, MYRWLOCK_FAIR);
	for (unsigned int i = 0; i < n; i++) {
		bool is_victim =
			i == (rush->is_victim_writer ? rush->readers : 0);

		rushers[i].rush = rush;
		rushers[i].is_writer = i >= rush->readers;
		assert_int_equal(
			pthread_create(&rushers[i].thread, NULL,
				       is_victim ? run_victim : run_other,
				       &rushers[i]),
			0);
	}
	while (rounds < ROUNDS) {
		assert_false(tick_is_over(deadline));
		if (!count_overtaking(rush, &reads, &writes))
			continue;
		rounds++;
		if (reads > *most_reads)
			*most_reads = reads;
		if (writes > *most_writes)
			*most_writes = writes;
	}
	atomic_store(&rush->is_over, true);
	for (unsigned int i = 0; i < n; i++)
		pthread_join(rushers[i].thread, NULL);
	assert_int_equal(myrwlock_destroy(&rush->lock), 0);
}

/* In each of the following, one more for each who was let in before we looked,
 * and had not been counted then. */

static void due_writer_is_overtaken_within_the_bound(void **state)
{
	struct rush rush = {
		.readers = 6,
		.writers = 3,
		.is_victim_writer = true,
		.hold_ns = 300 * TICK_US,
	};
	unsigned int reads, writes;

	(void)state;
	measure_overtaking(&rush, &reads, &writes);
	/* Readers: who was inside, and one batch. */
	assert_in_range(reads, 0, 2 * rush.readers);
	assert_in_range(writes, 0, 2 * rush.writers + 1);
}

static void due_reader_is_overtaken_within_the_bound(void **state)
{
	struct rush rush = {
		.readers = 4,
		.writers = 3,
		.hold_ns = 200 * TICK_US,
	};
	unsigned int reads, writes;

	(void)state;
	measure_overtaking(&rush, &reads, &writes);
	assert_in_range(writes, 0, 2 * rush.writers + 1);
}

/* One who reads alone, again and again, takes the fast path, and whoever wants
 * to wait shuts it. */
static void lone_reader_comes_again_within_the_bound(void **state)
{
	struct rush rush = {
		.readers = 1,
		.writers = 1,
		.is_victim_writer = true,
		.hold_ns = 300 * TICK_US,
	};
	unsigned int reads, writes;

	(void)state;
	measure_overtaking(&rush, &reads, &writes);
	assert_in_range(reads, 0, 1);
}

/* The lock is free, and who is first in the queue has been woken, but does not
 * run yet and so has not said that it is due. Whoever came after it is due. */
static void nobody_passes_those_who_are_due(void **state)
{
	struct myrwlock lock = MYRWLOCK_INITIALIZER;
	struct myrwlock_queue *due[] = {&lock.reading, &lock.writing[1]};

	(void)state;
	lock.writing[0].waiting = 1;
	lock.is_called = true;
	for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++) {
		due[i]->waiting = 1;
		due[i]->arrived = 1;
		/* Due or not decides, and nothing else that stands here. */
		assert_int_equal(myrwlock_trywrlock(&lock), 0);
		assert_int_equal(myrwlock_unlock(&lock), 0);
		due[i]->is_expired = true;
		lock.door = FASTPATH_SHUT; /* as who is due does first */
		assert_int_equal(myrwlock_trywrlock(&lock), EBUSY);
		assert_int_equal(myrwlock_tryrdlock(&lock), EBUSY);
		due[i]->is_expired = false;
		due[i]->waiting = 0;
	}
	lock.writing[0].waiting = 0;
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

static void bound_is_what_the_header_says(void **state)
{
	(void)state;
	/* No section takes any time: the bypass limit alone. */
	assert_int_equal(myrwlock_bound_ns(false, 5, 0, 0),
			 MYRWLOCK_BYPASS_LIMIT_NS);
	assert_int_equal(
		myrwlock_bound_ns(true, 3, 10, 1000) - MYRWLOCK_BYPASS_LIMIT_NS,
		2 * 10 + 6000);
	assert_int_equal(myrwlock_bound_ns(false, 3, 10, 1000) -
				 MYRWLOCK_BYPASS_LIMIT_NS,
			 10 + 6000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(due_writer_is_overtaken_within_the_bound),
		cmocka_unit_test(due_reader_is_overtaken_within_the_bound),
		cmocka_unit_test(lone_reader_comes_again_within_the_bound),
		cmocka_unit_test(nobody_passes_those_who_are_due),
		cmocka_unit_test(bound_is_what_the_header_says),
	};

	return SUPPORT_MAIN(tests);
}
