/* session.h - a whole benchmark: every mechanism, size and placement.
 *
 * Trials are interleaved: one of every row, then the next of every row. What
 * happens to the machine for a while then spreads over all rows instead of
 * flattering some, and shows as spread. The cache line is probed before each
 * round, unless all rows are of one CPU.
 */
#ifndef UNIXIPC_LIB_MEASURE_SESSION_H
#define UNIXIPC_LIB_MEASURE_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "lib/measure/results.h"

struct session_plan {
	const struct mechanism *const *mechanisms; /* ends in NULL */
	const size_t *sizes;
	size_t n_sizes;
	const enum measure_placement *placements;
	size_t n_placements;
	struct measure_options options; /* but for size and placement */

	/* Told before each step; NULL allowed. */
	void (*progress)(void *arg, uint64_t done, uint64_t total,
			 const char *what);
	void *arg;
};

/* Run it. Rows are in order of placement, size, mechanism. Returns 0, -EINTR
 * on a stop, -ETIMEDOUT past the deadline, or -errno; then results is empty.
 * results_free() is due only after 0. */
int session_run(const struct session_plan *plan, struct results *results);

#endif
