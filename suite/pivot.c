#include "suite/pivot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_placement(struct pivot *pivot, enum measure_placement placement)
{
	for (size_t i = 0; i < pivot->n_placements; i++)
		if (pivot->placement[i] == placement)
			return 0;
	if (pivot->n_placements == PIVOT_PLACEMENTS)
		return -E2BIG;
	pivot->placement[pivot->n_placements++] = placement;
	return 0;
}

static int add_size(struct pivot *pivot, uint64_t size)
{
	size_t at = 0;

	while (at < pivot->n_sizes && pivot->size[at] < size)
		at++;
	if (at < pivot->n_sizes && pivot->size[at] == size)
		return 0;
	if (pivot->n_sizes == PIVOT_SIZES)
		return -E2BIG;
	memmove(&pivot->size[at + 1], &pivot->size[at],
		(pivot->n_sizes - at) * sizeof(pivot->size[0]));
	pivot->size[at] = size;
	pivot->n_sizes++;
	return 0;
}

const char *pivot_name(const struct pivot *pivot, size_t mechanism)
{
	return pivot->results->row[pivot->first[mechanism]].name;
}

const char *pivot_title(const struct pivot *pivot, size_t mechanism)
{
	return pivot->results->row[pivot->first[mechanism]].title;
}

static int add_mechanism(struct pivot *pivot, size_t row)
{
	const char *name = pivot->results->row[row].name;

	for (size_t i = 0; i < pivot->n_mechanisms; i++)
		if (strcmp(pivot_name(pivot, i), name) == 0)
			return 0;
	if (pivot->n_mechanisms == PIVOT_MECHANISMS)
		return -E2BIG;
	pivot->first[pivot->n_mechanisms++] = row;
	return 0;
}

int pivot_make(struct pivot *pivot, const struct results *results)
{
	int error = 0;

	*pivot = (struct pivot){.results = results};
	for (size_t i = 0; i < results->n && !error; i++) {
		const struct measure_options *options =
			&results->row[i].figures.options;

		error = add_placement(pivot, options->placement);
		if (!error)
			error = add_size(pivot, options->message_bytes);
		if (!error)
			error = add_mechanism(pivot, i);
	}
	return error;
}

const struct results_row *pivot_good(const struct pivot *pivot,
				     size_t placement, size_t size,
				     size_t mechanism)
{
	const struct results_row *row =
		results_find(pivot->results, pivot_name(pivot, mechanism),
			     pivot->size[size], pivot->placement[placement]);

	return row && results_row_is_good(row) ? row : NULL;
}

int pivot_slice(const struct pivot *pivot, size_t placement, size_t size,
		struct results *slice)
{
	const struct results *all = pivot->results;

	*slice = *all;
	slice->n = 0;
	slice->row = calloc(all->n + 1, sizeof(*slice->row));
	if (!slice->row)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++) {
		const struct measure_options *options =
			&all->row[i].figures.options;

		if (options->placement == pivot->placement[placement] &&
		    options->message_bytes == pivot->size[size])
			slice->row[slice->n++] = all->row[i];
	}
	return 0;
}
