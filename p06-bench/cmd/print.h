/* print.h - results for people: the guide's table, to any stream.
 *
 *	IPC Mechanism Benchmark (1KB messages, 100K iterations)
 *	═══════════════════════════════════════════════════════
 *	Mechanism  Throughput  Latency (avg)  Latency (p99)  msg/s  …
 *	──────────────────────────────────────────────────────────────
 *	Pipe         1.2 GB/s        55.1 us        80.3 us  1.17M  …
 *	…
 *	Winner: … (for raw throughput)
 *	Best simplicity: …
 */
#ifndef UNIXIPC_P06_BENCH_CMD_PRINT_H
#define UNIXIPC_P06_BENCH_CMD_PRINT_H

#include <stddef.h>
#include <stdio.h>

#include "lib/measure/results.h"

/* The whole: title, table (with a column of sizes when rows differ in it),
 * a note under each row that has no figures, legend, line round trip, winner
 * and best simplicity. Returns 0 or -errno. */
int print_results(const struct results *results, FILE *to);

/* One line a row, per RFC 4180; the first columns are mechanism, msg_size,
 * throughput (bytes/s), latency (mean round trip, ns). Rows without figures
 * have empty ones and their error. Returns 0 or -errno. */
int print_csv(const struct results *results, FILE *to);

/* Ratios against an earlier run, row by row; changes beyond both spreads are
 * marked with '*'. Returns 0 or -errno. */
int print_comparison(const struct results *now, const struct results *earlier,
		     FILE *to);

/* "1KB", "64B", "100K": exact, so 1000 bytes is "1000B". buf is returned. */
const char *print_size(uint64_t bytes, char *buf, size_t size);
const char *print_count(uint64_t count, char *buf, size_t size);

/* The row with the highest median throughput, and the one that costs its user
 * least (rules: PRINT_RULES, which --help prints), among the rows with figures
 * of the first message size and placement. NULL when there are none. */
const struct results_row *print_winner(const struct results *results);
const struct results_row *print_simplest(const struct results *results);

#define PRINT_RULES                                                          \
	"Winner is the highest median throughput; mechanisms within its "    \
	"spread are named beside it. Best simplicity is the lowest sum of: " \
	"1 for each distinct call a program needs, 2 for each name that "    \
	"must be removed, 2 if messages keep no boundaries, 2 if it cannot " \
	"be waited for with poll; of equals the faster one."

#endif
