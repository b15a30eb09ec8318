/* report.h - what lockfree_bench found out, for people and for programs. */
#ifndef UNIXIPC_P15_SPSC_CMD_REPORT_H
#define UNIXIPC_P15_SPSC_CMD_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/stats.h"
#include "p15-spsc/bench/contender.h"

enum { REPORT_ROUNDS_MAX = 5 };

struct report_row {
	const struct contender *contender;
	double ops_per_s[REPORT_ROUNDS_MAX];
	struct stats_histogram *trips; /* round trips, in ns */
};

struct report {
	struct contender_plan plan; /* items of all rounds together */
	int cpus[2];
	uint64_t trips;
	int n_rounds;
	struct report_row *rows; /* ours first, then the mutex */
	size_t n_rows;
};

/* "100 million", "1.5 million", "1234". buf, of 32 bytes or more, is
 * returned. */
const char *report_count(uint64_t n, char *buf, size_t size);

/* Median of the rounds. */
double report_ops(const struct report *report, const struct report_row *row);

/* The time of a hand-over, half a round trip, in ns. */
double report_handover(const struct report_row *row, double percent);

/* To standard output. Return 0 or -errno. */
int report_text(const struct report *report);
int report_json(const struct report *report);

#endif
