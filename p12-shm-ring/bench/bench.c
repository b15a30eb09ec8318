/* bench.c - the ring, by each way of waiting, beside what people would use
 * instead; in place against copied; with one technique left out; and idle.
 * Rounds are interleaved, every message is verified by its receiver, and
 * ratios are medians of those of the rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/measure/copy.h"
#include "lib/measure/machine.h"
#include "lib/measure/measure.h"
#include "lib/objname.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p12-shm-ring/bench/rows.h"
#include "p12-shm-ring/bench/traffic.h"

enum { ROUNDS = 9, ROWS_MAX = 10, SIZES = 4 };

static const size_t sizes[SIZES] = {64, 1024, 4096, 65536};

struct series {
	double rate[ROUNDS], rtt[ROUNDS], times[ROUNDS], trips[ROUNDS];
};

/* ---- mechanisms, as p06 measures them ----------------------------------------- */

static void measure_one(const struct mechanism *m, size_t bytes,
			const struct measure_options *base,
			struct series *series, int round)
{
	struct measure_options o = *base;
	struct measure_result result;
	int rc;

	o.message_bytes = bytes;
	o.deadline = tick_after(60 * TICK_S);
	rc = measure_run(m, &o, &result);
	if (rc)
		die_errno(rc, "cannot measure %s", m->name);
	if (result.error)
		die("%s: %s", m->name, result.why);
	series->rate[round] = result.median.messages_per_s;
	series->rtt[round] = result.median.rtt_p50;
	measure_free(&result);
}

static void add_row(struct out_table *table, const char *name,
		    const struct series *series)
{
	char rate[16], rtt[16];

	out_table_row(table);
	out_table_cell(table, "%s", name);
	out_table_cell(table, "%s",
		       out_number(stats_median(series->rate, ROUNDS), rate,
				  sizeof(rate)));
	out_table_cell(table, "%.2f", stats_median(series->times, ROUNDS));
	out_table_cell(table, "%s",
		       out_duration(stats_median(series->rtt, ROUNDS), rtt,
				    sizeof(rtt)));
	out_table_cell(table, "%.3f", stats_median(series->trips, ROUNDS));
}

static int collect(const struct mechanism *const *from,
		   const struct mechanism *rows[ROWS_MAX])
{
	int n = 0;

	for (; from[n]; n++)
		rows[n] = from[n];
	if (from == rows_peers && &rows_boost)
		rows[n++] = &rows_boost;
	return n;
}

static void compare(const char *title, const struct mechanism *const *from,
		    size_t bytes, const struct measure_options *o)
{
	const struct out_column columns[] = {
		{title, OUT_LEFT},    {"messages/s", OUT_RIGHT},
		{"times", OUT_RIGHT}, {"round trip, p50", OUT_RIGHT},
		{"times", OUT_RIGHT},
	};
	static struct series series[ROWS_MAX];
	const struct mechanism *rows[ROWS_MAX];
	const int n = collect(from, rows);
	struct out_table *table = out_table_new(columns, 5);
	double line = 0;

	if (!table)
		die("out of memory");
	if (o->placement == MEASURE_TWO_CPUS)
		measure_line_rtt(o, &line);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < n; i++)
			measure_one(rows[i], bytes, o, &series[i], round);
		for (int i = 0; i < n; i++) {
			series[i].times[round] =
				series[i].rate[round] / series[0].rate[round];
			series[i].trips[round] =
				series[i].rtt[round] / series[0].rtt[round];
		}
	}
	for (int i = 0; i < n; i++)
		add_row(table, rows[i]->name, &series[i]);
	printf("\n%zu bytes, ", bytes);
	if (o->placement == MEASURE_ONE_CPU)
		printf("one CPU\n");
	else
		printf("two CPUs, %.0f ns apart and back\n", line);
	out_table_print(table, stdout);
	fflush(stdout);
	out_table_free(table);
}

/* ---- the limit of every copy ------------------------------------------------ */

static void print_copy_rates(void)
{
	printf("\nmemcpy(3) on one CPU, GB/s:");
	for (int i = 0; i < SIZES; i++)
		printf(" %zu bytes %.0f,", sizes[i],
		       copy_bytes_per_s(sizes[i]) / 1e9);
	printf(" 16 MB %.0f\n", copy_bytes_per_s(ROWS_BIG_CAPACITY) / 1e9);
	fflush(stdout);
}

/* ---- in place, and copied ------------------------------------------------------- */

struct stream {
	double rate, calls; /* per second; per million messages */
};

static struct stream stream_once(const struct measure_options *o, size_t bytes,
				 bool is_copied)
{
	struct traffic_board *board =
		mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char there[OBJNAME_MAX], back[OBJNAME_MAX];
	struct traffic_plan plan = {
		.lane = {.is_copied = is_copied,
			 .message_bytes = bytes,
			 .buffer_bytes = ROWS_BIG_CAPACITY},
		.name = {there, back},
		.messages = 20000 + 12 * ROWS_BIG_CAPACITY / bytes,
		.trips = 1,
		.trips_ns = TICK_MS,
		.timeout_ns = 10 * TICK_S,
		.stop_fd = -1,
		.cpus = {o->cpus[0], o->cpus[1]},
		.is_pinned = true,
	};
	enum traffic_role role;
	struct stream result;
	uint64_t calls = 0;
	int rc;

	if (board == MAP_FAILED || objname_make(there, OBJNAME_MAX, "there") ||
	    objname_make(back, OBJNAME_MAX, "back"))
		die("cannot begin");
	rc = traffic_run(&plan, board, &role);
	lane_remove(&plan.lane, there);
	lane_remove(&plan.lane, back);
	if (rc)
		die_errno(rc, "cannot stream");
	for (int i = 0; i < 2; i++)
		calls += board->calls[i].sleeps + board->calls[i].yields +
			 board->calls[i].wakes;
	result.rate = (double)board->received * 1e9 / (double)board->elapsed_ns;
	result.calls = (double)calls * 1e6 / (double)board->received;
	munmap(board, sizeof(*board));
	return result;
}

static void compare_copying(const struct measure_options *o)
{
	static const struct out_column columns[] = {
		{"Ring of 16 MB", OUT_LEFT},
		{"copied, messages/s", OUT_RIGHT},
		{"in place", OUT_RIGHT},
		{"times", OUT_RIGHT},
		{"calls per million", OUT_RIGHT},
	};
	struct out_table *table = out_table_new(columns, 5);
	double rate[2][ROUNDS], times[ROUNDS], calls[ROUNDS];
	char text[2][16];

	if (!table)
		die("out of memory");
	for (int i = 0; i < SIZES; i++) {
		for (int round = 0; round < ROUNDS; round++) {
			struct stream copied = stream_once(o, sizes[i], true);
			struct stream in_place =
				stream_once(o, sizes[i], false);

			rate[0][round] = copied.rate;
			rate[1][round] = in_place.rate;
			times[round] = in_place.rate / copied.rate;
			calls[round] = in_place.calls;
		}
		for (int k = 0; k < 2; k++)
			out_number(stats_median(rate[k], ROUNDS), text[k],
				   sizeof(text[k]));
		out_table_row(table);
		out_table_cell(table, "%zu bytes", sizes[i]);
		out_table_cell(table, "%s", text[0]);
		out_table_cell(table, "%s", text[1]);
		out_table_cell(table, "%.2f", stats_median(times, ROUNDS));
		out_table_cell(table, "%.0f", stats_median(calls, ROUNDS));
	}
	putchar('\n');
	out_table_print(table, stdout);
	fflush(stdout);
	out_table_free(table);
}

/* ---- nothing to do --------------------------------------------------------------- */

static int64_t cpu_now(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * TICK_S + used.tv_nsec;
}

/* The share of a processor that a receiver takes which waits for nothing. */
static double idle_percent(enum ring_wait wait)
{
	const struct ring_options options = {.capacity = ROWS_CAPACITY,
					     .wait = wait};
	const int64_t ns = TICK_S;
	struct ring *pair[2];
	void *message;
	int64_t used;

	if (ring_pair(pair, &options))
		die("cannot make a ring");
	used = cpu_now();
	ring_peek(pair[RING_RECEIVER], &message, tick_after(ns));
	used = cpu_now() - used;
	ring_close(pair[RING_SENDER]);
	ring_close(pair[RING_RECEIVER]);
	return 100.0 * (double)used / (double)ns;
}

int main(void)
{
	struct measure_options o = MEASURE_OPTIONS_INIT;

	out_check_at_exit();
	if (machine_cpus(o.cpus, 2) < 2)
		die("two CPUs are needed");
	o.trials = 1;
	o.iterations = 500000;
	o.max_ns = 120 * TICK_MS;
	printf("%d rounds, interleaved\n", ROUNDS);
	print_copy_rates();
	for (int i = 0; i < SIZES; i++)
		compare("Mechanism", rows_peers, sizes[i], &o);
	compare("Left out", rows_techniques, 64, &o);
	o.placement = MEASURE_ONE_CPU;
	compare("Mechanism", rows_peers, 64, &o);
	compare_copying(&o);
	printf("\nA receiver with nothing to receive: %.2f %% of a CPU when "
	       "adaptive, %.2f %% when blocking\n",
	       idle_percent(RING_ADAPTIVE), idle_percent(RING_BLOCK));
	return EXIT_SUCCESS;
}
