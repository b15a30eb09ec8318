/* Whose turn it is: the policies of p08-rwlock/myrwlock.h. The bound of the
 * fair one is in bound_test.c. */
#include "tests/p08/fixture.h"

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

/* Line up behind the main thread, which writes, each after the other is
 * past the bypass limit; then see who comes when. */
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

/* Also when the lock is free, and the writer that was woken is not here yet. It
 * is one that never comes, as one that does is due within a millisecond. */
static void writer_policy_keeps_readers_out_while_the_lock_is_free(void **state)
{
	/* By policy. */
	static const int wanted[] = {0, 0, EBUSY};

	(void)state;
	for (int i = 0; i < POLICIES; i++) {
		struct myrwlock lock;

		make(&lock, policies[i]);
		assert_int_equal(myrwlock_wrlock(&lock), 0);
		/* So that it is counted, and leaves by the mutex. */
		assert_int_equal(by_another(&lock, TRY_READ), EBUSY);
		lock.writing[lock.served].waiting = 1;
		assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_int_equal(by_another(&lock, TRY_READ), wanted[i]);
		lock.writing[lock.served].waiting = 0;
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			fair_reader_waits_behind_a_writer_that_has_waited),
		cmocka_unit_test(each_policy_has_its_order),
		cmocka_unit_test(fair_readers_that_came_first_go_in_together),
		cmocka_unit_test(writer_policy_keeps_readers_out_at_once),
		cmocka_unit_test(
			writer_policy_keeps_readers_out_while_the_lock_is_free),
		cmocka_unit_test(reader_policy_lets_readers_past_a_writer),
		cmocka_unit_test(reading_again_does_not_wait_for_a_writer),
	};

	return SUPPORT_MAIN(tests);
}
