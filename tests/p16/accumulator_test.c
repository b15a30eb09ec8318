#include "p16-rpc-calc/accumulator.h"

#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>

enum { CLIENTS = 3, KEEP = 1000 };

static struct accumulator *sum;
static int64_t total;

static int open_sum(void **state)
{
	(void)state;
	total = -1;
	return accumulator_open(&sum, CLIENTS, KEEP);
}

static int close_sum(void **state)
{
	(void)state;
	accumulator_close(sum);
	return 0;
}

static int add_at(int64_t now, uint64_t client, uint64_t sequence,
		  int64_t amount)
{
	return accumulator_add(sum, 0, client, sequence, amount, now, &total);
}

static int add_by(uint64_t owner, uint64_t client)
{
	return accumulator_add(sum, owner, client, 1, 1, 0, &total);
}

static int add(uint64_t client, uint64_t sequence, int64_t amount)
{
	return add_at(0, client, sequence, amount);
}

static void requests_of_all_clients_add_up(void **state)
{
	(void)state;
	assert_int_equal(add(7, 1, 10), 0);
	assert_int_equal(total, 10);
	assert_int_equal(add(8, 1, -3), 0);
	assert_int_equal(total, 7);
	assert_int_equal(add(7, 2, 100), 0);
	assert_int_equal(total, 107);
}

static void request_that_comes_again_has_its_old_answer(void **state)
{
	struct accumulator_counts counts;

	(void)state;
	add(7, 1, 10);
	add(8, 1, 5);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(add(7, 1, 10), 0);
		assert_int_equal(total, 10);
	}
	add(8, 2, 0);
	assert_int_equal(total, 15);
	counts = accumulator_counts(sum);
	assert_int_equal(counts.added, 3);
	assert_int_equal(counts.repeated, 3);
	assert_int_equal(counts.clients, 2);
}

static void request_out_of_order_is_not_done(void **state)
{
	(void)state;
	assert_int_equal(add(7, 0, 1), -ESTALE);
	assert_int_equal(add(7, 2, 1), -ESTALE);
	add(7, 1, 10);
	add(7, 2, 10);
	assert_int_equal(add(7, 1, 10), -ESTALE);
	assert_int_equal(add(7, 4, 10), -ESTALE);
	assert_int_equal(add(7, UINT64_MAX, 10), -ESTALE);
	assert_int_equal(add(7, 3, 10), 0);
	assert_int_equal(total, 30);
	assert_int_equal(accumulator_counts(sum).clients, 1);
}

static void overflow_is_an_answer_and_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(add(7, 1, INT64_MAX), 0);
	assert_int_equal(add(7, 2, 1), -EOVERFLOW);
	assert_int_equal(add(8, 1, -1), 0);
	assert_true(total == INT64_MAX - 1);
	/* Now it would fit, but that was not its answer. */
	assert_int_equal(add(7, 2, 1), -EOVERFLOW);
	assert_int_equal(add(7, 3, 1), 0);
	assert_true(total == INT64_MAX);
}

static void new_client_is_refused_while_all_are_young(void **state)
{
	(void)state;
	for (uint64_t client = 1; client <= CLIENTS; client++)
		assert_int_equal(add_at(100, client, 1, 1), 0);
	assert_int_equal(add_at(100 + KEEP - 1, 99, 1, 1), -EBUSY);
	/* And those who are there go on. */
	assert_int_equal(add_at(100 + KEEP - 1, 1, 2, 1), 0);
	assert_int_equal(total, CLIENTS + 1);
	assert_int_equal(accumulator_counts(sum).clients, CLIENTS);
}

static void silent_longest_is_forgotten_for_a_new_one(void **state)
{
	(void)state;
	add_at(1, 1, 1, 1);
	add_at(2, 2, 1, 1);
	add_at(3, 3, 1, 1);
	add_at(4, 1, 1, 1); /* the same again counts as a sign of life */
	assert_int_equal(add_at(2 + KEEP, 99, 1, 1), 0);
	assert_int_equal(total, 4);
	assert_int_equal(accumulator_counts(sum).clients, 3);
	/* 2 is gone: what it had asked for is unknown now. */
	assert_int_equal(add_at(2 + KEEP, 2, 2, 1), -ESTALE);
	assert_int_equal(add_at(2 + KEEP, 1, 2, 1), 0);
	assert_int_equal(add_at(2 + KEEP, 3, 2, 1), 0);
	assert_int_equal(total, 6);
}

/* Always a place more than the one with the most has. */
static void one_owner_leaves_a_share_to_others(void **state)
{
	(void)state;
	assert_int_equal(add_by(100, 1), 0);
	assert_int_equal(add_by(100, 2), 0);
	assert_int_equal(add_by(100, 3), -EBUSY);
	/* Those who are there go on, and come again. */
	assert_int_equal(accumulator_add(sum, 100, 2, 2, 1, 0, &total), 0);
	assert_int_equal(add_by(200, 4), 0);
	assert_int_equal(add_by(300, 5), -EBUSY);
	/* Those who are silent make room for the same owner as well. */
	assert_int_equal(accumulator_add(sum, 100, 6, 1, 1, KEEP, &total), 0);
	assert_int_equal(total, 5);
}

static void no_clients_at_all_is_refused(void **state)
{
	struct accumulator *none = NULL;

	(void)state;
	assert_int_equal(accumulator_open(&none, 0, KEEP), -EINVAL);
	assert_int_equal(accumulator_open(&none, SIZE_MAX / 8, KEEP), -EINVAL);
	accumulator_close(none);
}

/* Each sends every request twice, and two threads speak for one client, as a
 * retry on a second connection does. */
enum { REQUESTS = 500 };

static void *send_all(void *client)
{
	int64_t at;

	for (uint64_t sequence = 1; sequence <= REQUESTS;) {
		int r = accumulator_add(sum, 0, *(uint64_t *)client, sequence,
					1, 0, &at);

		/* Late by one or more: the other thread is ahead. */
		if (r == 0 || r == -ESTALE)
			sequence++;
	}
	return NULL;
}

static void same_request_from_two_threads_is_done_once(void **state)
{
	uint64_t clients[CLIENTS] = {11, 12, 13};
	pthread_t threads[2 * CLIENTS];

	(void)state;
	for (int i = 0; i < 2 * CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_all,
						&clients[i % CLIENTS]),
				 0);
	for (int i = 0; i < 2 * CLIENTS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(accumulator_counts(sum).added, CLIENTS * REQUESTS);
	assert_int_equal(add(11, REQUESTS + 1, 0), 0);
	assert_int_equal(total, CLIENTS * REQUESTS);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_sum, close_sum)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(requests_of_all_clients_add_up),
		CASE(request_that_comes_again_has_its_old_answer),
		CASE(request_out_of_order_is_not_done),
		CASE(overflow_is_an_answer_and_changes_nothing),
		CASE(new_client_is_refused_while_all_are_young),
		CASE(silent_longest_is_forgotten_for_a_new_one),
		CASE(one_owner_leaves_a_share_to_others),
		cmocka_unit_test(no_clients_at_all_is_refused),
		CASE(same_request_from_two_threads_is_done_once),
	};

	return SUPPORT_MAIN(tests);
}
