/* What measuring costs: our rows against bare loops of the same system calls,
 * interleaved round by round, and each ratio the median of those of the
 * rounds. A ratio of rates above 0.9 means that interface, checksum and
 * histogram take less than a tenth of the row's own time.
 *
 *	build/release/p06-bench/bench/bench [ROUNDS]     default 9
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/measure/machine.h"
#include "lib/measure/measure.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p06-bench/bench/bare.h"
#include "p06-bench/table.h"

#define MESSAGE 1024
#define MESSAGES 100000
#define TRIPS 2000
#define ROUNDS_MAX 99

/* One comparison: what both sides of it gave in each round. */
struct series {
	double ours[ROUNDS_MAX], bare[ROUNDS_MAX], ratio[ROUNDS_MAX];
};

static void note(struct series *s, int round, double ours, double bare)
{
	s->ours[round] = ours;
	s->bare[round] = bare;
	s->ratio[round] = ours / bare;
}

/* One trial of ours. */
static struct measure_trial measure_ours(const char *name, size_t bytes,
					 uint64_t messages,
					 enum measure_placement placement,
					 const int cpus[2])
{
	struct measure_options o = MEASURE_OPTIONS_INIT;
	struct measure_result result;
	struct measure_trial trial;
	int r;

	o.message_bytes = bytes;
	o.iterations = messages;
	o.trials = 1;
	o.placement = placement;
	o.cpus[0] = cpus[0];
	o.cpus[1] = cpus[1];
	o.deadline = tick_after(60 * TICK_S);
	r = measure_run(table_find(table_kernel, name), &o, &result);
	if (r < 0)
		die_errno(r, "cannot measure %s", name);
	if (result.error)
		die("%s: %s", name, result.why);
	trial = result.median;
	measure_free(&result);
	return trial;
}

static void add_line(struct out_table *table, const char *what,
		     const struct series *s, int rounds,
		     const char *(*format)(double, char *, size_t))
{
	const size_t n = (size_t)rounds;
	char ours[32], bare[32];

	out_table_row(table);
	out_table_cell(table, "%s", what);
	out_table_cell(table, "%s",
		       format(stats_median(s->ours, n), ours, sizeof(ours)));
	out_table_cell(table, "%s",
		       format(stats_median(s->bare, n), bare, sizeof(bare)));
	out_table_cell(table, "%.2f", stats_median(s->ratio, n));
	out_table_cell(table, "%.0f%%", 100 * stats_spread(s->ratio, n));
}

static struct out_table *new_table(const char *what)
{
	static struct out_column columns[] = {{NULL, OUT_LEFT},
					      {"ours", OUT_RIGHT},
					      {"bare loop", OUT_RIGHT},
					      {"ratio", OUT_RIGHT},
					      {"spread", OUT_RIGHT}};
	struct out_table *table;

	columns[0].title = what;
	table = out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	if (!table)
		die("out of memory");
	return table;
}

static void print(struct out_table *table)
{
	int r = out_table_print(table, stdout);

	if (r < 0)
		die_errno(r, "cannot print");
	putchar('\n');
	out_table_free(table);
}

enum what { STREAM_ONE, STREAM_TWO, TRIP_ONE, SERIES };

/* On one CPU the costs of both sides add up and nothing else moves; on two
 * they overlap, and the machine's mood is part of every figure. */
static void compare(enum what what, const struct bare *bare, const int cpus[2],
		    struct series *series, int round)
{
	const int one[2] = {cpus[0], cpus[0]};
	struct measure_trial t;
	double ns;

	switch (what) {
	case STREAM_ONE:
	case STREAM_TWO:
		t = measure_ours(bare->name, MESSAGE, MESSAGES,
				 what == STREAM_ONE ? MEASURE_ONE_CPU
						    : MEASURE_TWO_CPUS,
				 cpus);
		ns = bare_stream(bare, MESSAGE, MESSAGES,
				 what == STREAM_ONE ? one : cpus);
		note(series, round, t.messages_per_s, MESSAGES * 1e9 / ns);
		break;
	default:
		t = measure_ours(bare->name, MESSAGE, TRIPS, MEASURE_ONE_CPU,
				 cpus);
		ns = bare_round_trip(bare, MESSAGE, TRIPS, one);
		note(series, round, t.rtt_p50, ns);
		break;
	}
}

static void compare_rows(int rounds, const int cpus[2])
{
	enum { LOOPS_MAX = 8 };
	static struct series series[SERIES][LOOPS_MAX];
	static const char *const titles[SERIES] = {
		"messages/s, 1 KB, one CPU", "messages/s, 1 KB, two CPUs",
		"round trip p50, 1 KB, one CPU"};

	for (int round = 0; round < rounds; round++)
		for (size_t i = 0; bare_loops[i].name; i++)
			for (int what = 0; what < SERIES; what++)
				compare((enum what)what, &bare_loops[i], cpus,
					&series[what][i], round);
	for (int what = 0; what < SERIES; what++) {
		struct out_table *table = new_table(titles[what]);

		for (size_t i = 0; bare_loops[i].name; i++)
			add_line(table, bare_loops[i].name, &series[what][i],
				 rounds,
				 what == TRIP_ONE ? out_duration : out_number);
		print(table);
	}
}

/* The sender's clock, as those tools have it, pinned as ours is or not. */
static void compare_tools(int rounds, const int cpus[2])
{
	static const struct {
		const char *what;
		size_t bytes;
		enum measure_placement placement;
	} cases[] = {{"64 B, two CPUs", 64, MEASURE_TWO_CPUS},
		     {"1 KB, two CPUs", 1024, MEASURE_TWO_CPUS},
		     {"64 B, not pinned", 64, MEASURE_UNPINNED},
		     {"1 KB, not pinned", 1024, MEASURE_UNPINNED}};
	enum { CASES = sizeof(cases) / sizeof(cases[0]) };
	static struct series series[CASES];
	struct out_table *table = new_table("messages/s, pipe");

	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < CASES; i++) {
			const bool is_pinned =
				cases[i].placement == MEASURE_TWO_CPUS;
			struct measure_trial t =
				measure_ours("pipe", cases[i].bytes, MESSAGES,
					     cases[i].placement, cpus);
			double ns = bare_stream_of_tools(
				&bare_loops[0], cases[i].bytes, MESSAGES,
				is_pinned ? cpus : NULL);

			note(&series[i], round, t.messages_per_s,
			     MESSAGES * 1e9 / ns);
		}
	}
	for (size_t i = 0; i < CASES; i++)
		add_line(table, cases[i].what, &series[i], rounds, out_number);
	print(table);
}

int main(int argc, char **argv)
{
	int rounds = 9, cpus[2] = {0, 0};
	struct measure_options o = MEASURE_OPTIONS_INIT;
	double line;

	if (argc > 1)
		rounds = (int)cli_count("ROUNDS", argv[1], 1, ROUNDS_MAX);
	if (machine_cpus(cpus, 2) < 2)
		die("two CPUs are needed");
	o.cpus[0] = cpus[0];
	o.cpus[1] = cpus[1];
	if (measure_line_rtt(&o, &line) == 0)
		printf("%d rounds, interleaved; round trip of one cache line "
		       "%.0f ns\n\n",
		       rounds, line);
	compare_rows(rounds, cpus);
	printf("The loop of the best-known small tools warms nothing up and "
	       "stops its clock when the\nsender is done.\n\n");
	compare_tools(rounds, cpus);
	return 0;
}
