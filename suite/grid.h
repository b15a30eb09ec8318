/* grid.h - the rows of a run, by placement, message size and mechanism.
 *
 * A run is a flat list of rows; tables and curves need it the other way
 * round: which sizes are there, and which mechanisms, and the row of each.
 */
#ifndef UNIXIPC_SUITE_GRID_H
#define UNIXIPC_SUITE_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/measure/results.h"

#define GRID_PLACEMENTS 3
#define GRID_SIZES 64
#define GRID_MECHANISMS 64

struct grid {
	const struct results *results; /* must outlive the grid */
	size_t n_placements, n_sizes, n_mechanisms;
	enum measure_placement placement[GRID_PLACEMENTS];
	uint64_t size[GRID_SIZES];     /* ascending */
	size_t first[GRID_MECHANISMS]; /* the first row of each mechanism */
};

/* Returns 0, or -E2BIG when results have more sizes or mechanisms than any
 * run of ours: a file may have, and would keep us busy for hours. */
int grid_make(struct grid *grid, const struct results *results);

/* A mechanism's name and title, in the order of their first rows. */
const char *grid_name(const struct grid *grid, size_t mechanism);
const char *grid_title(const struct grid *grid, size_t mechanism);

/* The row with figures of that place in the grid, or NULL. */
const struct results_row *grid_good(const struct grid *grid, size_t placement,
				    size_t size, size_t mechanism);

/* The rows of one placement and size, as a run of their own for print.h: its
 * row array is new (free() it), the rows' contents stay the results'. Returns
 * 0 or -ENOMEM. */
int grid_slice(const struct grid *grid, size_t placement, size_t size,
	       struct results *slice);

#endif
