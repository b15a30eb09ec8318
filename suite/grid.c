#include "suite/grid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_placement(struct grid *grid, enum measure_placement placement)
{
	for (size_t i = 0; i < grid->n_placements; i++)
		if (grid->placement[i] == placement)
			return 0;
	if (grid->n_placements == GRID_PLACEMENTS)
		return -E2BIG;
	grid->placement[grid->n_placements++] = placement;
	return 0;
}

static int add_size(struct grid *grid, uint64_t size)
{
	size_t at = 0;

	while (at < grid->n_sizes && grid->size[at] < size)
		at++;
	if (at < grid->n_sizes && grid->size[at] == size)
		return 0;
	if (grid->n_sizes == GRID_SIZES)
		return -E2BIG;
	memmove(&grid->size[at + 1], &grid->size[at],
		(grid->n_sizes - at) * sizeof(grid->size[0]));
	grid->size[at] = size;
	grid->n_sizes++;
	return 0;
}

const char *grid_name(const struct grid *grid, size_t mechanism)
{
	return grid->results->row[grid->first[mechanism]].name;
}

const char *grid_title(const struct grid *grid, size_t mechanism)
{
	return grid->results->row[grid->first[mechanism]].title;
}

static int add_mechanism(struct grid *grid, size_t row)
{
	const char *name = grid->results->row[row].name;

	for (size_t i = 0; i < grid->n_mechanisms; i++)
		if (strcmp(grid_name(grid, i), name) == 0)
			return 0;
	if (grid->n_mechanisms == GRID_MECHANISMS)
		return -E2BIG;
	grid->first[grid->n_mechanisms++] = row;
	return 0;
}

int grid_make(struct grid *grid, const struct results *results)
{
	int error = 0;

	*grid = (struct grid){.results = results};
	for (size_t i = 0; i < results->n && !error; i++) {
		const struct measure_options *options =
			&results->row[i].figures.options;

		error = add_placement(grid, options->placement);
		if (!error)
			error = add_size(grid, options->message_bytes);
		if (!error)
			error = add_mechanism(grid, i);
	}
	return error;
}

const struct results_row *grid_good(const struct grid *grid, size_t placement,
				    size_t size, size_t mechanism)
{
	const struct results_row *row =
		results_find(grid->results, grid_name(grid, mechanism),
			     grid->size[size], grid->placement[placement]);

	return row && results_row_is_good(row) ? row : NULL;
}

int grid_slice(const struct grid *grid, size_t placement, size_t size,
	       struct results *slice)
{
	const struct results *all = grid->results;

	*slice = *all;
	slice->n = 0;
	slice->row = calloc(all->n + 1, sizeof(*slice->row));
	if (!slice->row)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++) {
		const struct measure_options *options =
			&all->row[i].figures.options;

		if (options->placement == grid->placement[placement] &&
		    options->message_bytes == grid->size[size])
			slice->row[slice->n++] = all->row[i];
	}
	return 0;
}
