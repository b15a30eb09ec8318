/* Whose turn it is: the policies of p08-rwlock/myrwlock.h, and the bound. */
#include "tests/p08_fixture.h"

/* ---- whose turn it is ---- */

/* Both when the readers inside are counted, and when it is a lone one. */
static void fair_reader_waits_behind_a_writer_that_has_waited(void **state)
{
	(void)state;
	for (int is_counted = 0; is_counted < 2; is_counted++) {
		struct helper holder = {.stays = true}, writer = {0},
			      reader = {0};
		atomic_int order = 0;
		struct myrwlock lock;

		make(&lock, MYRWLOCK_FAIR);
		if (is_counted) {
			hold_counted(&lock, &holder);
		} else {
			start(&holder, &lock, READ);
			assert_gets_in(&holder);
		}
		writer.order = reader.order = &order;
		start(&writer, &lock, WRITE);
		wait_for_line(&lock, 0, 1);
		wait_until_due(&lock);
		assert_int_equal(by_another(&lock, TRY_READ), EBUSY);
		start(&reader, &lock, READ);
		wait_for_line(&lock, 1, 1);
		assert_int_equal(finish(&holder), 0);
		assert_int_equal(finish(&writer), 0);
		assert_int_equal(finish(&reader), 0);
		assert_int_equal(writer.place, 0);
		assert_int_equal(reader.place, 1);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
}

/* Line up behind the main thread, which writes, each after the other is out
 * of patience; then see who comes when. */
static void line_up(struct myrwlock *lock, struct helper *helpers,
		    const enum act *acts, int n)
{
	static atomic_int order;
	unsigned int readers = 0, writers = 0;

	atomic_store(&order, 0);
	assert_int_equal(myrwlock_wrlock(lock), 0);
	for (int i = 0; i < n; i++) {
		helpers[i].order = &order;
		start(&helpers[i], lock, acts[i]);
		readers += acts[i] == READ;
		writers += acts[i] == WRITE;
		wait_for_line(lock, readers, writers);
		wait_until_due(lock);
	}
	assert_int_equal(myrwlock_unlock(lock), 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(finish(&helpers[i]), 0);
}

static void each_policy_has_its_order(void **state)
{
	static const enum act acts[] = {WRITE, READ};
	/* Whether the writer, who came first, is first. */
	static const bool is_writer_first[] = {true, false, true};

	(void)state;
	for (int i = 0; i < POLICIES; i++) {
		struct helper helpers[2] = {0};
		struct myrwlock lock;

		make(&lock, policies[i]);
		line_up(&lock, helpers, acts, 2);
		assert_int_equal(helpers[0].place, !is_writer_first[i]);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
}

static void fair_readers_that_came_first_go_in_together(void **state)
{
	static const enum act acts[] = {READ, READ, READ, WRITE};
	struct helper helpers[4] = {0};
	struct myrwlock lock;

	(void)state;
	make(&lock, MYRWLOCK_FAIR);
	line_up(&lock, helpers, acts, 4);
	assert_int_equal(helpers[3].place, 3);
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

static void writer_policy_keeps_readers_out_at_once(void **state)
{
	struct helper writer = {0};
	struct myrwlock lock;

	(void)state;
	make(&lock, MYRWLOCK_WRITER);
	assert_int_equal(myrwlock_rdlock(&lock), 0);
	start(&writer, &lock, WRITE);
	wait_for_line(&lock, 0, 1);
	assert_int_equal(by_another(&lock, TRY_READ), EBUSY);
	assert_int_equal(myrwlock_unlock(&lock), 0);
	assert_int_equal(finish(&writer), 0);
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

static void reader_policy_lets_readers_past_a_writer(void **state)
{
	struct helper writer = {0};
	struct myrwlock lock;

	(void)state;
	make(&lock, MYRWLOCK_READER);
	assert_int_equal(myrwlock_rdlock(&lock), 0);
	start(&writer, &lock, WRITE);
	wait_for_line(&lock, 0, 1);
	wait_until_due(&lock);
	assert_int_equal(by_another(&lock, READ), 0);
	assert_false(is_done(&writer));
	assert_int_equal(myrwlock_unlock(&lock), 0);
	assert_int_equal(finish(&writer), 0);
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

static void reading_again_does_not_wait_for_a_writer(void **state)
{
	(void)state;
	for (int i = 0; i < POLICIES; i++) {
		struct helper writer = {0};
		struct myrwlock lock;

		make(&lock, policies[i]);
		assert_int_equal(myrwlock_rdlock(&lock), 0);
		start(&writer, &lock, WRITE);
		wait_for_line(&lock, 0, 1);
		wait_until_due(&lock);
		for (int again = 0; again < 10; again++)
			assert_int_equal(myrwlock_rdlock(&lock), 0);
		for (int again = 0; again < 10; again++)
			assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_false(is_done(&writer));
		assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_int_equal(finish(&writer), 0);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
}

/* ---- the bound ---- */

/* Readers and writers that come again at once, and one of them, the victim,
 * that waits: how often do others get in from the moment when it is out of
 * patience? That moment is seen in the lock itself, so the answer does not
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

/* Whether all of the victim's side are in line and out of patience. With the
 * lock's mutex held. */
static bool is_victim_due(const struct rush *rush)
{
	const struct myrwlock *lock = &rush->lock;

	if (!rush->is_victim_writer)
		return lock->reading.waiting == rush->readers &&
		       lock->reading.is_due;
	if (rush->writers == 1 && lock->is_entering)
		return true;
	return lock->writing[0].waiting + lock->writing[1].waiting ==
		       rush->writers &&
	       is_due_or_empty(&lock->writing[0]) &&
	       is_due_or_empty(&lock->writing[1]);
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
	/* Readers: who was inside, one batch, and lone ones. */
	assert_in_range(reads, 0, 2 * rush.readers + MYRWLOCK_PASSES);
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

static void lone_reader_comes_again_within_the_bound(void **state)
{
	struct rush rush = {
		.readers = 1,
		.writers = 1,
		.is_victim_writer = true,
		.hold_ns = 100 * TICK_US,
	};
	unsigned int reads, writes;

	(void)state;
	measure_overtaking(&rush, &reads, &writes);
	assert_in_range(reads, 0, MYRWLOCK_PASSES + 1);
}

static void lone_reader_asks_again_after_so_many_passes(void **state)
{
	struct myrwlock lock = MYRWLOCK_INITIALIZER;

	(void)state;
	for (int i = 0; i < 3; i++)
		for (int left = MYRWLOCK_PASSES; left >= 0; left--) {
			assert_int_equal(myrwlock_rdlock(&lock), 0);
			assert_int_equal(lock.passes, left);
			assert_int_equal(myrwlock_unlock(&lock), 0);
		}
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

static void bound_is_what_the_header_says(void **state)
{
	(void)state;
	/* No section takes any time: patience alone. */
	assert_int_equal(myrwlock_bound_ns(false, 5, 0, 0),
			 MYRWLOCK_PATIENCE_NS);
	assert_int_equal(
		myrwlock_bound_ns(true, 3, 10, 1000) - MYRWLOCK_PATIENCE_NS,
		(2 + MYRWLOCK_PASSES) * 10 + 6000);
	assert_int_equal(
		myrwlock_bound_ns(false, 3, 10, 1000) - MYRWLOCK_PATIENCE_NS,
		(1 + MYRWLOCK_PASSES) * 10 + 6000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			fair_reader_waits_behind_a_writer_that_has_waited),
		cmocka_unit_test(each_policy_has_its_order),
		cmocka_unit_test(fair_readers_that_came_first_go_in_together),
		cmocka_unit_test(writer_policy_keeps_readers_out_at_once),
		cmocka_unit_test(reader_policy_lets_readers_past_a_writer),
		cmocka_unit_test(reading_again_does_not_wait_for_a_writer),
		cmocka_unit_test(due_writer_is_overtaken_within_the_bound),
		cmocka_unit_test(due_reader_is_overtaken_within_the_bound),
		cmocka_unit_test(lone_reader_comes_again_within_the_bound),
		cmocka_unit_test(lone_reader_asks_again_after_so_many_passes),
		cmocka_unit_test(bound_is_what_the_header_says),
	};
	return SUPPORT_MAIN(tests);
}
