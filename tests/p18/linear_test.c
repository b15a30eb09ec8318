/* linear.c: histories that could have been, and broken ones. */
#include "tests/p18/linear.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rng.h"
#include "tests/support/support.h"

enum { STATES = 1 << 20, CLIENTS = 8, LONG = 300 };

#define PUT(v, call, ret)                                                 \
	{                                                                 \
		LINEAR_PUT, LINEAR_DONE, .value = (v), .call_ns = (call), \
					 .return_ns = (ret)               \
	}
#define PUT_UNKNOWN(v, call)                                                \
	{                                                                   \
		LINEAR_PUT, LINEAR_UNKNOWN, .value = (v), .call_ns = (call) \
	}
#define GET(v, call, ret)                                                  \
	{                                                                  \
		LINEAR_GET, LINEAR_DONE, .result = (v), .call_ns = (call), \
					 .return_ns = (ret)                \
	}
#define GET_NONE(call, ret)                                                  \
	{                                                                    \
		LINEAR_GET, LINEAR_NO, .call_ns = (call), .return_ns = (ret) \
	}
#define DEL(is_done, call, ret)                                  \
	{                                                        \
		LINEAR_DEL, (is_done) ? LINEAR_DONE : LINEAR_NO, \
			.call_ns = (call), .return_ns = (ret)    \
	}
#define CAS(is_done, from, to, call, ret)                                     \
	{                                                                     \
		LINEAR_CAS, (is_done) ? LINEAR_DONE : LINEAR_NO,              \
			.expected = (from), .value = (to), .call_ns = (call), \
			.return_ns = (ret)                                    \
	}
#define CREATE(is_done, v, call, ret)                                       \
	{                                                                   \
		LINEAR_CREATE, (is_done) ? LINEAR_DONE : LINEAR_NO,         \
			.value = (v), .call_ns = (call), .return_ns = (ret) \
	}
#define INCR(sum, call, ret)                                           \
	{                                                              \
		LINEAR_INCR, LINEAR_DONE, .value = 1, .result = (sum), \
					  .call_ns = (call),           \
					  .return_ns = (ret)           \
	}
#define INCR_UNKNOWN(call)                                                 \
	{                                                                  \
		LINEAR_INCR, LINEAR_UNKNOWN, .value = 1, .call_ns = (call) \
	}

static int check(const struct linear_request *history, size_t n)
{
	struct linear_report report;

	return linear_check(history, n, STATES, &report);
}

#define IS_GOOD(...) assert_int_equal(0, CHECK(__VA_ARGS__))
#define IS_BROKEN(...) assert_int_equal(-EILSEQ, CHECK(__VA_ARGS__))
#define CHECK(...)                                                   \
	check((const struct linear_request[]){__VA_ARGS__},          \
	      sizeof((const struct linear_request[]){__VA_ARGS__}) / \
		      sizeof(struct linear_request))

/* ---- by hand ------------------------------------------------------------------ */

static void one_after_the_other_is_accepted(void **state)
{
	(void)state;
	IS_GOOD(GET_NONE(0, 1), PUT(1, 2, 3), GET(1, 4, 5), DEL(true, 6, 7),
		DEL(false, 8, 9), CREATE(true, 2, 10, 11),
		CREATE(false, 3, 12, 13), CAS(true, 2, 4, 14, 15),
		CAS(false, 2, 5, 16, 17), GET(4, 18, 19), DEL(true, 20, 21),
		INCR(1, 22, 23), INCR(2, 24, 25));
	assert_int_equal(0, check(NULL, 0));
}

static void those_at_the_same_time_may_come_in_any_order(void **state)
{
	(void)state;
	IS_GOOD(PUT(1, 0, 10), PUT(2, 0, 10), GET(1, 11, 12));
	IS_GOOD(PUT(1, 0, 10), PUT(2, 0, 10), GET(2, 11, 12));
	IS_GOOD(PUT(1, 0, 10), GET_NONE(1, 2), GET(1, 3, 4));
	/* Returned at the moment when the other was called. */
	IS_GOOD(PUT(1, 0, 10), PUT(2, 10, 20), GET(1, 21, 22));
}

static void a_stale_read_is_found(void **state)
{
	(void)state;
	IS_BROKEN(PUT(1, 0, 1), PUT(2, 2, 3), GET(1, 4, 5));
	IS_BROKEN(PUT(1, 0, 1), GET_NONE(2, 3));
}

static void a_read_that_goes_back_is_found(void **state)
{
	(void)state;
	IS_BROKEN(PUT(1, 0, 1), PUT(2, 2, 20), GET(2, 3, 4), GET(1, 5, 6));
}

static void a_lost_write_is_found(void **state)
{
	(void)state;
	IS_BROKEN(PUT(1, 0, 1), PUT(2, 2, 3), GET(1, 10, 11), GET(1, 12, 13));
	IS_BROKEN(CREATE(true, 1, 0, 1), CREATE(true, 2, 2, 3));
	IS_BROKEN(INCR(1, 0, 1), INCR(1, 2, 3));
}

static void an_increment_done_twice_is_found(void **state)
{
	(void)state;
	IS_BROKEN(INCR(1, 0, 1), INCR(3, 2, 3));
	IS_BROKEN(INCR(1, 0, 10), INCR(3, 0, 10), GET(3, 11, 12));
	/* Unknown may be once, and not twice. */
	IS_GOOD(INCR(1, 0, 1), INCR_UNKNOWN(2), INCR(3, 4, 5));
	IS_BROKEN(INCR(1, 0, 1), INCR_UNKNOWN(2), INCR(4, 4, 5));
}

static void a_read_of_what_nobody_wrote_is_found(void **state)
{
	(void)state;
	IS_BROKEN(PUT(1, 0, 1), GET(2, 2, 3));
	/* Nor of what was written later. */
	IS_BROKEN(GET(1, 0, 1), PUT(1, 2, 3));
}

static void two_swaps_of_one_value_are_found(void **state)
{
	(void)state;
	IS_BROKEN(PUT(1, 0, 1), CAS(true, 1, 2, 2, 10), CAS(true, 1, 3, 2, 10));
	IS_GOOD(PUT(1, 0, 1), CAS(true, 1, 2, 2, 10), CAS(false, 1, 3, 2, 10));
	IS_BROKEN(PUT(1, 0, 1), CAS(false, 1, 2, 2, 3));
	IS_BROKEN(PUT(1, 0, 1), DEL(true, 2, 10), DEL(true, 2, 10));
}

static void an_unknown_outcome_stays_open(void **state)
{
	(void)state;
	IS_GOOD(PUT(1, 0, 1), PUT_UNKNOWN(2, 2), GET(1, 3, 4));
	IS_GOOD(PUT(1, 0, 1), PUT_UNKNOWN(2, 2), GET(1, 3, 4), GET(2, 50, 60));
	/* Done once: it does not come again, */
	IS_BROKEN(PUT(1, 0, 1), PUT_UNKNOWN(2, 2), GET(2, 3, 4), PUT(3, 5, 6),
		  GET(2, 7, 8));
	/* and not before it was called. */
	IS_BROKEN(PUT(1, 0, 1), GET(2, 2, 3), PUT_UNKNOWN(2, 4));
}

static void what_could_not_be_decided_is_said(void **state)
{
	struct linear_request many[LINEAR_MAX + 1] = {0};
	struct linear_report report;
	const struct linear_request two[] = {PUT(1, 0, 10), PUT(2, 0, 10),
					     GET(3, 11, 12)};

	(void)state;
	assert_int_equal(-E2BIG,
			 linear_check(many, LINEAR_MAX + 1, STATES, &report));
	assert_int_equal(-E2BIG, linear_check(two, 3, 2, &report));
	assert_int_equal(-EILSEQ, linear_check(two, 3, 4, &report));
	assert_int_equal(2, report.stuck);
}

/* ---- generated ---------------------------------------------------------------- */

/* Each client's request is done at a moment of its own between call and return;
 * what that gives is a good history. at[i] is the moment of request i. */
struct made {
	struct linear_request history[LONG];
	int64_t at[LONG];
	size_t n;
};

static int compare_moments(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void do_request(struct linear_request *r, struct rng *rng, size_t i,
		       int64_t *value, bool *exists)
{
	r->kind = (enum linear_kind)rng_below(rng, 5); /* no INCR: values are
							* to be unique */
	r->value = (int64_t)i + 1;
	r->outcome = LINEAR_DONE;
	switch (r->kind) {
	case LINEAR_GET:
		r->outcome = *exists ? LINEAR_DONE : LINEAR_NO;
		r->result = *value;
		return;
	case LINEAR_DEL:
		r->outcome = *exists ? LINEAR_DONE : LINEAR_NO;
		*exists = false;
		return;
	case LINEAR_CAS:
		r->expected = rng_below(rng, 4) ? *value : -1;
		if (!*exists || r->expected != *value)
			r->outcome = LINEAR_NO;
		break;
	case LINEAR_CREATE:
		if (*exists)
			r->outcome = LINEAR_NO;
		break;
	default:
		break;
	}
	if (r->outcome == LINEAR_NO)
		return;
	*value = r->value;
	*exists = true;
}

/* Client c has the requests c, c + CLIENTS, …; `unknown` of a hundred lose
 * their answers. */
static void make(struct made *made, size_t n, uint64_t seed, uint64_t unknown)
{
	int64_t moments[LONG], value = 0, clock[CLIENTS] = {0};
	bool exists = false;
	struct rng rng;

	rng_seed(&rng, seed);
	memset(made, 0, sizeof(*made));
	made->n = n;
	for (size_t i = 0; i < n; i++)
		moments[i] = 1 + (int64_t)rng_below(&rng, n * 100);
	/* cppcheck-suppress uninitvar */
	qsort(moments, n, sizeof(moments[0]), compare_moments);
	for (size_t i = 0; i < n; i++) {
		struct linear_request *r = &made->history[i];
		size_t c = i % CLIENTS;
		int64_t next = i + CLIENTS < n ? moments[i + CLIENTS]
					       : moments[i] + 1000;

		do_request(r, &rng, i, &value, &exists);
		made->at[i] = moments[i];
		r->call_ns =
			clock[c] +
			(int64_t)rng_below(
				&rng, (uint64_t)(moments[i] - clock[c]) + 1);
		r->return_ns = moments[i] +
			       (int64_t)rng_below(
				       &rng, (uint64_t)(next - moments[i]) + 1);
		clock[c] = r->return_ns;
		if (rng_below(&rng, 100) < unknown)
			r->outcome = LINEAR_UNKNOWN;
	}
}

static uint64_t how_many_seeds(void)
{
	if (support_is_stress())
		return 5000;
	return support_is_valgrind() || support_is_sanitized() ? 20 : 100;
}

static void good_histories_are_accepted(void **state)
{
	uint64_t seeds = how_many_seeds();
	struct made made;

	(void)state;
	for (uint64_t seed = 0; seed < seeds; seed++) {
		make(&made, LONG, seed, seed % 4);
		assert_int_equal(0, check(made.history, made.n));
	}
}

/* A put that another one came behind, both of them before the read was called. */
static const struct linear_request *find_overwritten(
	const struct made *made, const struct linear_request *get)
{
	for (size_t i = 0; i < made->n; i++)
		for (size_t j = 0; j < made->n; j++) {
			const struct linear_request *a = &made->history[i],
						    *b = &made->history[j];

			if (a->kind == LINEAR_PUT && b->kind == LINEAR_PUT &&
			    a->return_ns < b->call_ns &&
			    b->return_ns < get->call_ns)
				return a;
		}
	return NULL;
}

/* Let a read return what was overwritten. Returns whether there is such a one. */
static bool make_stale(struct made *made, struct rng *rng)
{
	size_t start = (size_t)rng_below(rng, made->n);

	for (size_t k = 0; k < made->n; k++) {
		struct linear_request *get =
			&made->history[(start + k) % made->n];
		const struct linear_request *old;

		if (get->kind != LINEAR_GET || get->outcome != LINEAR_DONE)
			continue;
		old = find_overwritten(made, get);
		if (old) {
			get->result = old->value;
			return true;
		}
	}
	return false;
}

static void each_stale_read_among_many_requests_is_found(void **state)
{
	uint64_t seeds = how_many_seeds(), found = 0;
	struct made made;
	struct rng rng;

	(void)state;
	for (uint64_t seed = 0; seed < seeds; seed++) {
		rng_seed(&rng, seed);
		make(&made, LONG, seed, 0);
		if (!make_stale(&made, &rng))
			continue;
		found++;
		assert_int_equal(-EILSEQ, check(made.history, made.n));
	}
	assert_true(found > seeds / 2);
}

/* A write that was acknowledged and is in no order: others go on from what was
 * there before it. */
static void each_lost_swap_among_many_requests_is_found(void **state)
{
	uint64_t seeds = how_many_seeds(), found = 0;
	struct made made;

	(void)state;
	for (uint64_t seed = 0; seed < seeds; seed++) {
		size_t last = LONG;

		make(&made, LONG, seed, 0);
		/* The last swap that was done: as if another value had been
		 * there. */
		while (last-- > 0)
			if (made.history[last].kind == LINEAR_CAS &&
			    made.history[last].outcome == LINEAR_DONE)
				break;
		if (last > LONG)
			continue;
		/* cppcheck-suppress arrayIndexOutOfBoundsCond */
		made.history[last].expected = -7;
		found++;
		assert_int_equal(-EILSEQ, check(made.history, made.n));
	}
	assert_true(found > seeds / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other_is_accepted),
		cmocka_unit_test(those_at_the_same_time_may_come_in_any_order),
		cmocka_unit_test(a_stale_read_is_found),
		cmocka_unit_test(a_read_that_goes_back_is_found),
		cmocka_unit_test(a_lost_write_is_found),
		cmocka_unit_test(an_increment_done_twice_is_found),
		cmocka_unit_test(a_read_of_what_nobody_wrote_is_found),
		cmocka_unit_test(two_swaps_of_one_value_are_found),
		cmocka_unit_test(an_unknown_outcome_stays_open),
		cmocka_unit_test(what_could_not_be_decided_is_said),
		cmocka_unit_test(good_histories_are_accepted),
		cmocka_unit_test(each_stale_read_among_many_requests_is_found),
		cmocka_unit_test(each_lost_swap_among_many_requests_is_found),
	};
	return SUPPORT_MAIN(tests);
}
