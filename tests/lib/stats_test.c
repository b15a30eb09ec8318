#include "lib/stats.h"

#include "tests/support/support.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rng.h"

static struct stats_histogram *new_histogram(void)
{
	struct stats_histogram *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	return h;
}

static int compare_values(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* At or above the exact value, and at most 0.1 % above. */
static void assert_close(uint64_t got, uint64_t exact)
{
	if (got < exact || got - exact > exact / 1000)
		fail_msg("wanted %ju and at most 0.1 %% more, got %ju",
			 (uintmax_t)exact, (uintmax_t)got);
}

static void nothing_recorded_gives_zero(void **state)
{
	struct stats_histogram *h = new_histogram();

	(void)state;
	assert_int_equal(stats_percentile(h, 50), 0);
	assert_true(stats_mean(h) == 0);
	free(h);
}

static void values_below_1024_are_exact(void **state)
{
	struct stats_histogram *h = new_histogram();

	(void)state;
	for (uint64_t v = 0; v < 1024; v++)
		stats_record(h, v);
	for (int percent = 1; percent <= 100; percent++)
		assert_int_equal(stats_percentile(h, percent),
				 (1024 * percent + 99) / 100 - 1);
	free(h);
}

/* Every power of two with its neighbours: first and last values of buckets. */
static void bucket_edges_are_known_to_three_digits(void **state)
{
	struct stats_histogram *h = new_histogram();

	(void)state;
	for (int bits = 0; bits < 63; bits++) {
		for (int around = -2; around <= 2; around++) {
			int64_t value = (INT64_C(1) << bits) + around;

			if (value < 0)
				continue;
			stats_reset(h);
			stats_record(h, (uint64_t)value);
			assert_int_equal(stats_percentile(h, 50), value);
			/* A larger one, so that max does not help. */
			stats_record(h, INT64_MAX);
			assert_close(stats_percentile(h, 50), (uint64_t)value);
			assert_int_equal(stats_percentile(h, 100), INT64_MAX);
		}
	}
	free(h);
}

static void percentiles_agree_with_a_sorted_array_at_every_magnitude(
	void **state)
{
	enum { N = 20000 };
	static const double percents[] = {0,  0.01, 1,     10,     50, 90,
					  99, 99.9, 99.99, 99.999, 100};
	struct stats_histogram *h = new_histogram();
	uint64_t *values = calloc(N, sizeof(*values));
	struct rng rng;

	(void)state;
	assert_non_null(values);
	rng_seed(&rng, 1);
	for (int bits = 1; bits <= 63; bits += 2) {
		stats_reset(h);
		for (size_t i = 0; i < N; i++) {
			values[i] = rng_next(&rng) >> (64 - bits);
			stats_record(h, values[i]);
		}
		qsort(values, N, sizeof(*values), compare_values);
		for (size_t p = 0; p < sizeof(percents) / sizeof(*percents);
		     p++) {
			/* In 1/1000 %, so that the test has no rounding. */
			uint64_t milli = (uint64_t)(percents[p] * 1000 + 0.5);
			uint64_t rank = (milli * N + 99999) / 100000;

			assert_close(stats_percentile(h, percents[p]),
				     values[rank == 0 ? 0 : rank - 1]);
		}
		assert_int_equal(stats_percentile(h, 100), values[N - 1]);
		assert_int_equal(h->min, values[0]);
	}
	free(values);
	free(h);
}

static void percentile_of_a_round_count_is_not_one_too_far(void **state)
{
	struct stats_histogram *h = new_histogram();

	(void)state;
	for (uint64_t v = 1; v <= 1000; v++)
		stats_record(h, v);
	assert_int_equal(stats_percentile(h, 99.9), 999);
	assert_int_equal(stats_percentile(h, 99.0), 990);
	assert_int_equal(stats_percentile(h, 50.0), 500);
	assert_int_equal(stats_percentile(h, 0.1), 1);
	free(h);
}

static void percent_out_of_range_gives_the_ends(void **state)
{
	struct stats_histogram *h = new_histogram();

	(void)state;
	stats_record(h, 5);
	stats_record(h, 7);
	assert_int_equal(stats_percentile(h, -1), 5);
	assert_int_equal(stats_percentile(h, 1000), 7);
	assert_int_equal(stats_percentile(h, DBL_MAX), 7);
	assert_int_equal(stats_percentile(h, -DBL_MAX), 5);
	free(h);
}

static void value_beyond_the_last_bucket_lands_in_it(void **state)
{
	struct stats_histogram *h = new_histogram();

	(void)state;
	stats_record(h, UINT64_MAX);
	stats_record(h, (uint64_t)INT64_MAX + 1);
	assert_int_equal(h->bucket[STATS_BUCKETS - 1], 2);
	assert_int_equal(h->max, UINT64_MAX);
	assert_int_equal(h->sum, UINT64_MAX); /* saturated */
	free(h);
}

static void mean_is_exact(void **state)
{
	struct stats_histogram *h = new_histogram();

	(void)state;
	stats_record(h, 1000000);
	stats_record(h, 2000001);
	assert_true(stats_mean(h) == 1500000.5);
	free(h);
}

static void merging_equals_recording_into_one(void **state)
{
	struct stats_histogram *a = new_histogram(), *b = new_histogram();
	struct stats_histogram *all = new_histogram();
	struct rng rng;

	(void)state;
	rng_seed(&rng, 2);
	for (int i = 0; i < 10000; i++) {
		uint64_t value = rng_next(&rng) >> rng_below(&rng, 64);

		stats_record(i % 3 ? a : b, value);
		stats_record(all, value);
	}
	stats_merge(a, b);
	assert_memory_equal(a, all, sizeof(*a));
	free(a), free(b), free(all);
}

static void merging_an_empty_one_changes_nothing(void **state)
{
	struct stats_histogram *a = new_histogram(), *b = new_histogram();

	(void)state;
	stats_record(a, 7);
	stats_merge(a, b);
	assert_int_equal(a->min, 7);
	assert_int_equal(a->count, 1);
	stats_merge(b, a); /* and into an empty one */
	assert_memory_equal(a, b, sizeof(*a));
	free(a), free(b);
}

static void reset_forgets_everything(void **state)
{
	struct stats_histogram *h = new_histogram(), *fresh = new_histogram();

	(void)state;
	stats_record(h, 12345678);
	stats_reset(h);
	assert_memory_equal(h, fresh, sizeof(*h));
	free(h), free(fresh);
}

static void median_is_the_middle_or_the_mean_of_two(void **state)
{
	const double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 2};
	const double same[] = {2, 2, 2, 1}, one[] = {-3.5};

	(void)state;
	assert_true(stats_median(odd, 3) == 5);
	assert_true(stats_median(even, 4) == 2.5);
	assert_true(stats_median(same, 4) == 2);
	assert_true(stats_median(one, 1) == -3.5);
	assert_true(stats_median(NULL, 0) == 0);
	assert_true(odd[0] == 9 && odd[1] == 1 && odd[2] == 5);
}

static void spread_is_relative_to_the_median(void **state)
{
	const double values[] = {110, 90, 100}, negative[] = {-90, -110, -100};
	const double around_zero[] = {-1, 0, 1};

	(void)state;
	assert_true(stats_spread(values, 3) == 0.2);
	assert_true(stats_spread(negative, 3) == 0.2);
	assert_true(stats_spread(values, 1) == 0);
	assert_true(stats_spread(around_zero, 3) == 0);
	assert_true(stats_spread(NULL, 0) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_recorded_gives_zero),
		cmocka_unit_test(values_below_1024_are_exact),
		cmocka_unit_test(bucket_edges_are_known_to_three_digits),
		cmocka_unit_test(
			percentiles_agree_with_a_sorted_array_at_every_magnitude),
		cmocka_unit_test(
			percentile_of_a_round_count_is_not_one_too_far),
		cmocka_unit_test(percent_out_of_range_gives_the_ends),
		cmocka_unit_test(value_beyond_the_last_bucket_lands_in_it),
		cmocka_unit_test(mean_is_exact),
		cmocka_unit_test(merging_equals_recording_into_one),
		cmocka_unit_test(merging_an_empty_one_changes_nothing),
		cmocka_unit_test(reset_forgets_everything),
		cmocka_unit_test(median_is_the_middle_or_the_mean_of_two),
		cmocka_unit_test(spread_is_relative_to_the_median),
	};

	return SUPPORT_MAIN(tests);
}
