/* outcome.h - all that `ipc_suite benchmark` has found: the results of the
 * mechanisms (lib/measure/results.h, which has that name), and beside them those
 * of synchronisation and storage; printed, written, read back. */
#ifndef UNIXIPC_SUITE_OUTCOME_H
#define UNIXIPC_SUITE_OUTCOME_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/measure/results.h"
#include "suite/sync/syncs.h"

struct outcome {
	struct results results;
	struct syncs syncs, stores; /* none: n is 0 */
};

enum outcome_format { OUTCOME_TABLE, OUTCOME_CSV, OUTCOME_JSON };

/* Tables: one for each size and placement, then synchronisation, then storage.
 * CSV has the mechanisms only, JSON everything. Returns 0 or -errno. */
int outcome_print(const struct outcome *outcome, enum outcome_format format,
		  FILE *to);

/* The same to a file (lib/cmd/outfile). */
int outcome_write(const struct outcome *outcome, enum outcome_format format,
		  const char *path);

/* Read what outcome_write() wrote as JSON, or ipc_benchmark; as
 * results_read(). */
int outcome_read(const char *path, struct outcome *outcome, char *why);
void outcome_free(struct outcome *outcome);

/* Whether any row has figures: without, the run has failed. */
bool outcome_is_good(const struct outcome *outcome);

#endif
