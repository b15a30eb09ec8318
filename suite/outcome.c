#include "suite/outcome.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cmd/out.h"
#include "lib/cmd/outfile.h"
#include "p06-bench/cmd/print.h"
#include "suite/pivot.h"

static int print_tables(const struct outcome *outcome, FILE *to)
{
	struct pivot pivot;
	int error = pivot_make(&pivot, &outcome->results);

	for (size_t i = 0; i < pivot.n_placements * pivot.n_sizes && !error;
	     i++) {
		struct results slice;

		error = pivot_slice(&pivot, i / pivot.n_sizes,
				    i % pivot.n_sizes, &slice);
		if (error)
			break;
		if (i > 0)
			putc('\n', to);
		if (slice.n > 0)
			error = print_results(&slice, to);
		free(slice.row);
	}
	return error;
}

static int add_json(json_t *json, const struct syncs_kind *kind,
		    const struct syncs *syncs)
{
	if (syncs->n == 0)
		return 0;
	return json_object_set_new(json, kind->key, syncs_to_json(syncs));
}

static int print_json(const struct outcome *outcome, FILE *to)
{
	json_t *json = results_to_json(&outcome->results);

	if (json && (add_json(json, &syncs_kind_sync, &outcome->syncs) ||
		     add_json(json, &syncs_kind_storage, &outcome->stores))) {
		json_decref(json);
		json = NULL;
	}
	return out_json(json, to);
}

static int print_syncs(const struct syncs *syncs, const struct syncs_kind *kind,
		       FILE *to)
{
	if (syncs->n == 0)
		return 0;
	putc('\n', to);
	return syncs_print(syncs, kind, to);
}

int outcome_print(const struct outcome *outcome, enum outcome_format format,
		  FILE *to)
{
	int error;

	switch (format) {
	case OUTCOME_JSON:
		return print_json(outcome, to);
	case OUTCOME_CSV:
		return print_csv(&outcome->results, to);
	default:
		error = print_tables(outcome, to);
		if (!error)
			error = print_syncs(&outcome->syncs, &syncs_kind_sync,
					    to);
		if (!error)
			error = print_syncs(&outcome->stores,
					    &syncs_kind_storage, to);
		return error;
	}
}

int outcome_write(const struct outcome *outcome, enum outcome_format format,
		  const char *path)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	int error;

	if (!to)
		return -errno;
	error = outcome_print(outcome, format, to);
	if (fclose(to) == EOF && !error)
		error = -ENOMEM;
	if (!error)
		error = outfile_write(path, text, len);
	free(text);
	return error;
}

int outcome_read(const char *path, struct outcome *outcome, char *why)
{
	struct pivot pivot;
	json_t *json;
	int error;

	error = results_read(path, &outcome->results, why);
	if (error)
		return error;
	/* It is sound JSON of a bounded size, or was a moment ago. */
	json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	error = syncs_from_json(json, &syncs_kind_sync, &outcome->syncs, why);
	if (!error)
		error = syncs_from_json(json, &syncs_kind_storage,
					&outcome->stores, why);
	json_decref(json);
	if (!error && pivot_make(&pivot, &outcome->results)) {
		snprintf(why, RESULTS_WHY,
			 "rows have over %d sizes or %d mechanisms",
			 PIVOT_SIZES, PIVOT_MECHANISMS);
		error = -EBADMSG;
	}
	if (error)
		results_free(&outcome->results);
	return error;
}

void outcome_free(struct outcome *outcome)
{
	results_free(&outcome->results);
	outcome->syncs.n = outcome->stores.n = 0;
}

bool outcome_is_good(const struct outcome *outcome)
{
	for (size_t i = 0; i < outcome->results.n; i++)
		if (results_row_is_good(&outcome->results.row[i]))
			return true;
	return false;
}
