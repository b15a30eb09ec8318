/* pivot.h - the pivot table of a run: its rows by placement, message size and
 * mechanism.
 *
 * A run is a flat list of rows; tables and curves need it the other way
 * round: which sizes are there, and which mechanisms, and the row of each.
 */
#ifndef UNIXIPC_SUITE_PIVOT_H
#define UNIXIPC_SUITE_PIVOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/measure/results.h"

#define PIVOT_PLACEMENTS 3
#define PIVOT_SIZES 64
#define PIVOT_MECHANISMS 64

struct pivot {
	const struct results *results; /* must outlive it */
	size_t n_placements, n_sizes, n_mechanisms;
	enum measure_placement placement[PIVOT_PLACEMENTS];
	uint64_t size[PIVOT_SIZES];     /* ascending */
	size_t first[PIVOT_MECHANISMS]; /* the first row of each mechanism */
};

/* Returns 0, or -E2BIG when results have more sizes or mechanisms than any
 * run of ours: a file may have, and would keep us busy for hours. */
int pivot_make(struct pivot *pivot, const struct results *results);

/* A mechanism's name and title, in the order of their first rows. */
const char *pivot_name(const struct pivot *pivot, size_t mechanism);
const char *pivot_title(const struct pivot *pivot, size_t mechanism);

/* The row with figures of that placement, size and mechanism, or NULL. */
const struct results_row *pivot_good(const struct pivot *pivot,
				     size_t placement, size_t size,
				     size_t mechanism);

/* The rows of one placement and size, as a run of their own for print.h: its
 * row array is new (free() it), the rows' contents stay the results'. Returns
 * 0 or -ENOMEM. */
int pivot_slice(const struct pivot *pivot, size_t placement, size_t size,
		struct results *slice);

#endif
