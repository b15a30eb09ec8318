/* Buckets are log-linear. The first SUB hold the values 0 … SUB-1 exactly;
 * from there on, each power of two is cut into SUB of equal width:
 *
 *	value	0 … 1023   1024 … 2047   2048 … 4095   4096 … 8191   …
 *	width	    1           1             2             4
 *
 * A bucket is never wider than 1/SUB of the values in it, which is what makes
 * three digits. */
#include "lib/stats.h"

#include <math.h>
#include <string.h>

#define SUB (UINT64_C(1) << STATS_SUB_BITS)

static size_t bucket_of(uint64_t value)
{
	unsigned int shift;

	if (value < SUB)
		return (size_t)value;
	if (value > INT64_MAX)
		value = INT64_MAX;
	shift = 63 - (unsigned int)__builtin_clzll(value) - STATS_SUB_BITS;
	return (size_t)((((uint64_t)shift + 1) << STATS_SUB_BITS) +
			(value >> shift) - SUB);
}

/* The largest value that lands in the bucket. */
static uint64_t upper_edge(size_t bucket)
{
	unsigned int shift;

	if (bucket < SUB)
		return bucket;
	shift = (unsigned int)(bucket >> STATS_SUB_BITS) - 1;
	return ((SUB + (bucket & (SUB - 1)) + 1) << shift) - 1;
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void stats_reset(struct stats_histogram *h)
{
	memset(h, 0, sizeof(*h));
}

void stats_record(struct stats_histogram *h, uint64_t value)
{
	h->bucket[bucket_of(value)]++;
	if (h->count++ == 0 || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->sum = add_saturated(h->sum, value);
}

void stats_merge(struct stats_histogram *into,
		 const struct stats_histogram *from)
{
	if (from->count == 0)
		return;
	for (size_t i = 0; i < STATS_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
	if (into->count == 0 || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->sum = add_saturated(into->sum, from->sum);
	into->count += from->count;
}

/* How many of n values have to lie at or below the answer: at least one. The
 * nudge keeps 99.9 % of 1000 at 999, whatever the rounding of 99.9. */
static uint64_t rank_of(double percent, uint64_t n)
{
	double exact = fmin(percent, 100) * (double)n / 100;
	double rank = ceil(exact - exact * 1e-15);

	if (!(rank >= 1))
		return 1;
	return rank >= (double)n ? n : (uint64_t)rank;
}

uint64_t stats_percentile(const struct stats_histogram *h, double percent)
{
	uint64_t rank = rank_of(percent, h->count), seen = 0;

	if (h->count == 0)
		return 0;
	for (size_t i = 0; i < STATS_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return upper_edge(i) < h->max ? upper_edge(i) : h->max;
	}
	return h->max;
}

double stats_mean(const struct stats_histogram *h)
{
	return h->count == 0 ? 0 : (double)h->sum / (double)h->count;
}

/* The value with k others in front of it in sorted order. Quadratic, and
 * therefore without a copy and without a way to fail: trials are few. */
static double kth_smallest(const double *values, size_t n, size_t k)
{
	for (size_t i = 0; i < n; i++) {
		size_t below = 0, same = 0;

		for (size_t j = 0; j < n; j++) {
			below += values[j] < values[i];
			same += values[j] == values[i];
		}
		if (below <= k && k < below + same)
			return values[i];
	}
	return NAN; /* one of them is */
}

double stats_median(const double *values, size_t n)
{
	if (n == 0)
		return 0;
	if (n % 2)
		return kth_smallest(values, n, n / 2);
	return (kth_smallest(values, n, n / 2 - 1) +
		kth_smallest(values, n, n / 2)) /
	       2;
}

double stats_spread(const double *values, size_t n)
{
	double median = stats_median(values, n);

	if (n == 0 || median == 0)
		return 0;
	return (kth_smallest(values, n, n - 1) - kth_smallest(values, n, 0)) /
	       fabs(median);
}
