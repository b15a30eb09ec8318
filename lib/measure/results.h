/* results.h - the figures of one run: kept, written as JSON, read back,
 * compared with an earlier run's.
 *
 * A run is the machine, what was asked for, the physical limit that was
 * measured beside it, and a row for each mechanism, message size and
 * placement. Everything that shows figures (print.h, the suite's report)
 * takes a struct results, whether they were measured a moment ago or read
 * from a file; a file is never trusted: every field is checked.
 *
 * As JSON, schema "unixipc-benchmark/1" (all times ns, sizes bytes):
 *
 *	{"schema": …, "created": "2024-05-01T12:00:00Z",
 *	 "machine": {"cpu", "cpus", "kernel", "limits": {NAME: number|null}},
 *	 "options": {"iterations", "warmup", "trials", "cpus": [A, B],
 *	             "max_ns"},
 *	 "line_rtt_ns": {"median", "min", "max"} or null,
 *	 "rows": [{"mechanism", "title", "spins", "cost": {…},
 *	           "message_bytes", "placement": "two"|"one"|"unpinned",
 *	           "error": null or {"errno", "why"},
 *	           "median": {a trial} or null, "spread_throughput",
 *	           "spread_rtt", "unstable", "trials": [{a trial}, …]}, …]}
 *
 * A trial holds the fields of struct measure_trial under their own names.
 */
#ifndef UNIXIPC_LIB_MEASURE_RESULTS_H
#define UNIXIPC_LIB_MEASURE_RESULTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/measure/machine.h"
#include "lib/measure/measure.h"
#include "lib/measure/mechanism.h"

#define RESULTS_SCHEMA "unixipc-benchmark/1"
#define RESULTS_FILE_MAX (64 << 20)
#define RESULTS_ROWS_MAX 10000

/* One row. The names are copies, because a row may come from a file whose
 * mechanisms this program does not have. */
struct results_row {
	char name[32];  /* "posix-mq" */
	char title[64]; /* "POSIX Message Queue" */
	bool spins;
	struct mechanism_cost cost;
	struct measure_result figures; /* .mechanism is NULL after reading */
};

struct results {
	struct machine machine;
	int64_t created;                /* seconds since the epoch */
	struct measure_options options; /* sizes and placements: see rows */
	/* The line round trips before each round of trials; 0: not known. */
	double line_rtt_ns, line_rtt_min_ns, line_rtt_max_ns;
	size_t n;
	struct results_row *row;
};

/* Empty results of this machine, now. */
void results_init(struct results *results,
		  const struct measure_options *options);
void results_free(struct results *results);

/* Append a row; takes over what figures owns (it is empty afterwards), also
 * on failure. Returns 0 or -ENOMEM. */
int results_add(struct results *results, struct measure_result *figures);

/* The row of that mechanism, size and placement, or NULL. */
const struct results_row *results_find(const struct results *results,
				       const char *name, size_t message_bytes,
				       enum measure_placement placement);

/* Whether the row has figures to show. */
bool results_row_is_good(const struct results_row *row);

/* "two", "one", "unpinned". */
const char *results_placement_word(enum measure_placement placement);

/* A new reference, or NULL when memory is short. */
json_t *results_to_json(const struct results *results);

/* Fill results (to be given to results_free() only after success)
 * from a value of that form. On failure -EBADMSG (or -ENOMEM), and in why
 * (at least RESULTS_WHY bytes) one line: "rows[3].trials is not an array". */
#define RESULTS_WHY 200
int results_from_json(const json_t *value, struct results *results, char *why);

/* Read a file. On failure -errno: -ENOENT … of the file, -EBADMSG when it is
 * not JSON, cut short, of another version or unsound, -EFBIG when it is
 * beyond RESULTS_FILE_MAX; in why one line without the file's name. */
int results_read(const char *path, struct results *results, char *why);

/* How one figure of a row moved since an earlier run. A change is marked when
 * it is larger than the spreads of both runs together: what the weather does
 * is no news. */
struct results_change {
	double before, now, ratio; /* now / before; 0: not comparable */
	bool is_marked;
};
struct results_comparison {
	const struct results_row *row, *earlier; /* earlier: NULL, new row */
	struct results_change throughput, rtt_p50;
};

/* Compare a row with its like in an earlier run. */
void results_compare(const struct results_row *row,
		     const struct results *earlier,
		     struct results_comparison *comparison);

#endif
