/* stats.h - a latency histogram, and medians of a few trials.
 *
 * The histogram holds counts of values 0 … 2^63-1 in log-linear buckets: 1024
 * to each power of two, so that a value is known to 3 significant digits
 * (0.1 %), and recording is a shift and an increment. One histogram belongs
 * to one thread or process; merge them afterwards. No pointers inside: it
 * may lie in shared memory.
 */
#ifndef UNIXIPC_LIB_STATS_H
#define UNIXIPC_LIB_STATS_H

#include <stddef.h>
#include <stdint.h>

#define STATS_SUB_BITS 10
#define STATS_BUCKETS ((64 - STATS_SUB_BITS) << STATS_SUB_BITS)

/* About 430 KB: allocate it (calloc is a valid empty histogram), do not put
 * it on a stack. */
struct stats_histogram {
	uint64_t count;
	uint64_t sum; /* saturates */
	uint64_t min; /* meaningless while count is 0 */
	uint64_t max;
	uint64_t bucket[STATS_BUCKETS];
};

void stats_reset(struct stats_histogram *h);
void stats_record(struct stats_histogram *h, uint64_t value);
void stats_merge(struct stats_histogram *into,
		 const struct stats_histogram *from);

/* The value below or at which percent (0 … 100) of the recorded ones lie: the
 * upper edge of its bucket, never beyond max. 0 when nothing was recorded. */
uint64_t stats_percentile(const struct stats_histogram *h, double percent);
double stats_mean(const struct stats_histogram *h);

/* Median of n values (not changed); 0 for n = 0. */
double stats_median(const double *values, size_t n);

/* (largest - smallest) / median of n values; 0 when the median is 0. */
double stats_spread(const double *values, size_t n);

#endif
