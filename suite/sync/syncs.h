/* syncs.h - the tables of synchronisation and of storage: every syncop of one,
 * alone and contended.
 *
 * They go with the results of a benchmark: as "sync" and "storage" beside the
 * rows in their JSON, where an array holds
 *
 *	{"name", "title", "meets", "error": null or {"errno", "why"},
 *	 "alone": figure, "contended": figure}
 *
 * and a figure {"ops_per_s", "spread", "cpu_ns", "share"}. Reading trusts
 * nothing, as results.h.
 */
#ifndef UNIXIPC_SUITE_SYNC_SYNCS_H
#define UNIXIPC_SUITE_SYNC_SYNCS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "suite/sync/syncop.h"

#define SYNCS_MAX 64

/* Medians over the trials. */
struct syncs_figure {
	double ops_per_s;
	double spread; /* of ops_per_s; lib/stats */
	double cpu_ns; /* per operation, of all members */
	double share;  /* of the member that got least */
};

struct syncs_row {
	char name[32], title[64];
	bool meets;
	int error; /* -errno when there are no figures, and why */
	char why[160];
	struct syncs_figure alone, contended;
};

struct syncs {
	size_t n;
	struct syncs_row row[SYNCS_MAX];
};

struct syncs_plan {
	const struct syncop *const *ops; /* end in NULL */
	int trials;                      /* interleaved; 1 … 99 */
	int64_t trial_ns;
	int cpus[2];
	int stop_fd;

	/* Told before each step; NULL allowed. */
	void (*progress)(void *arg, uint64_t done, uint64_t total,
			 const char *what);
	void *arg;
};

/* Measure all of them. Returns 0, -EINTR on a stop (nothing is to be shown
 * then) or -ENOMEM. An operation that fails has a row that says so. */
int syncs_run(const struct syncs_plan *plan, struct syncs *syncs);

/* What the two tables are called, and say of themselves. */
struct syncs_kind {
	const char *key;   /* in JSON */
	const char *title; /* of the table */
	const char *first; /* of the first column, in a report */
	const char *note;  /* how an operation is counted; lines of text */
};
extern const struct syncs_kind syncs_kind_sync, syncs_kind_storage;

/* The table, for people. Returns 0 or -errno. */
int syncs_print(const struct syncs *syncs, const struct syncs_kind *kind,
		FILE *to);

/* A new reference to the array, or NULL when memory is short. */
json_t *syncs_to_json(const struct syncs *syncs);

/* Read one of the tables of a file of results; without it, there are no rows.
 * On failure -EBADMSG, and in why (RESULTS_WHY bytes) one line. */
int syncs_from_json(const json_t *results, const struct syncs_kind *kind,
		    struct syncs *syncs, char *why);

#endif
