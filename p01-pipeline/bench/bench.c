/* What a pipeline costs, beside the shells that people would otherwise use.
 * Rounds are interleaved: each runs every side once, in another order each
 * time, and a ratio is the median of those of the rounds. The work of each
 * side is verified: exit status, and the bytes counted behind the last cat.
 *
 *	build/release/p01-pipeline/bench/bench [ROUNDS]     default 9
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p01-pipeline/pipeline.h"

#define MYPIPE "p01-pipeline/mypipe"
#define TRUE "/usr/bin/true"
#define GIGABYTE ((size_t)1 << 30)
#define GIGABYTE_TEXT "1073741824"

enum { ROUNDS_MAX = 99, STAGES_MAX = 1000, SIDES_MAX = 3, STARTS = 20 };

extern char **environ;

/* One line: up to three sides that do the same work. The first is ours. */
struct contest {
	const char *what, *goal;
	double (*run)(const struct contest *contest, int side);
	int n_stages; /* of true; 0: the gigabyte */
	int n_times;  /* in each round; 0: once */
	int n_sides;
	bool is_rate;       /* higher is better */
	const char *option; /* of mypipe, or NULL */
	double ns[SIDES_MAX][ROUNDS_MAX], ratio[ROUNDS_MAX];
};

/* ---- whole commands ---- */

static const char *const SHELLS[SIDES_MAX] = {MYPIPE, "dash", "bash"};

/* Run it, and return the nanoseconds until it has been waited for. wanted is
 * all that it may print. */
static double run_command(char *const argv[], const char *wanted)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	int64_t start = tick_now(), end;
	char text[64] = "";
	int status, rc;
	pid_t pid;

	spec.argv = argv;
	spec.out = memfd_create("output", MFD_CLOEXEC);
	if (spec.out < 0)
		die_errno(errno, "cannot make a file for output");
	rc = child_spawn(&spec, &pid);
	if (rc == 0)
		rc = child_wait(pid, tick_after(120 * TICK_S), &status);
	end = tick_now();
	if (rc)
		die_errno(rc, "cannot run %s", argv[0]);
	if (pread(spec.out, text, sizeof(text) - 1, 0) < 0 || status != 0 ||
	    strcmp(text, wanted) != 0)
		die("%s did not do its work: status %d, printed '%s'", argv[0],
		    status, text);
	close(spec.out);
	return (double)(end - start);
}

/* The commands as a shell takes them, and as mypipe does. */
static double run_stages(const struct contest *contest, int side,
			 const char *const commands[], int n,
			 const char *wanted)
{
	static char line[STAGES_MAX * 32];
	char *argv[STAGES_MAX + 4] = {(char *)SHELLS[side]};
	int argc = 1;
	size_t len = 0;

	if (side == 0) {
		if (contest->option)
			argv[argc++] = (char *)contest->option;
		for (int i = 0; i < n; i++)
			argv[argc++] = (char *)commands[i];
	} else {
		for (int i = 0; i < n; i++)
			len += (size_t)snprintf(line + len, sizeof(line) - len,
						"%s%s", i ? " | " : "",
						commands[i]);
		argv[argc++] = (char *)"-c";
		argv[argc++] = line;
	}
	return run_command(argv, wanted);
}

static double run_trues(const struct contest *contest, int side)
{
	const char *commands[STAGES_MAX];

	for (int i = 0; i < contest->n_stages; i++)
		commands[i] = TRUE;
	return run_stages(contest, side, commands, contest->n_stages, "");
}

static double run_gigabyte(const struct contest *contest, int side)
{
	static const char head[] = "head -c " GIGABYTE_TEXT " /dev/zero";
	static const char *const commands[] = {head, "cat", "cat", "cat",
					       "wc -c"};

	return run_stages(contest, side, commands, 5, GIGABYTE_TEXT "\n");
}

/* ---- starts from this process ---- */

static void start_by_library(char *const argv[])
{
	struct pipeline_stage stage = {.argv = argv};
	struct pipeline p = {.stages = &stage, .n = 1};

	if (pipeline_start(&p) || pipeline_wait(&p, TICK_NEVER) ||
	    pipeline_exit_code(&p, false))
		die("the library did not start %s", argv[0]);
}

static void wait_for_success(pid_t pid, const char *how)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("%s did not start " TRUE, how);
}

static void start_by_posix_spawn(char *const argv[])
{
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
		die("posix_spawn did not start %s", argv[0]);
	wait_for_success(pid, "posix_spawn");
}

static void start_by_fork(char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	wait_for_success(pid, "fork");
}

/* The mean of a few, started one after the other. */
static double run_starts(const struct contest *contest, int side)
{
	static void (*const ways[])(char *const argv[]) = {
		start_by_library, start_by_posix_spawn, start_by_fork};
	char *const argv[] = {(char *)TRUE, NULL};
	int64_t start = tick_now();

	(void)contest;
	for (int i = 0; i < STARTS; i++)
		ways[side](argv);
	return (double)(tick_now() - start) / STARTS;
}

/* ---- rounds and tables ---- */

/* The mean of n_times: what is short has more noise. */
static double run_side(const struct contest *contest, int side)
{
	int n = contest->n_times ? contest->n_times : 1;
	double sum = 0;

	for (int i = 0; i < n; i++)
		sum += contest->run(contest, side);
	return sum / n;
}

static void run_round(struct contest *contest, int round)
{
	double best = 0;

	for (int i = 0; i < contest->n_sides; i++) {
		int side = (round + i) % contest->n_sides;

		contest->ns[side][round] = run_side(contest, side);
	}
	/* Starts are compared with the one that stands next to ours: dash, or
	 * posix_spawn; throughput with the faster shell. */
	best = contest->ns[1][round];
	if (contest->is_rate && contest->ns[2][round] < best)
		best = contest->ns[2][round];
	contest->ratio[round] = contest->is_rate ? best / contest->ns[0][round]
						 : contest->ns[0][round] / best;
}

static void add_line(struct out_table *table, const struct contest *contest,
		     int rounds)
{
	const size_t n = (size_t)rounds;
	char buf[32];

	out_table_row(table);
	out_table_cell(table, "%s", contest->what);
	for (int i = 0; i < contest->n_sides; i++) {
		double ns = stats_median(contest->ns[i], n);

		out_table_cell(table, "%s",
			       contest->is_rate
				       ? out_rate((double)GIGABYTE / ns * 1e9,
						  buf, sizeof(buf))
				       : out_duration(ns, buf, sizeof(buf)));
	}
	out_table_cell(table, "%.2f", stats_median(contest->ratio, n));
	out_table_cell(table, "%s", contest->goal);
}

static void compare(const char *const titles[SIDES_MAX],
		    struct contest *contests, int n, int rounds)
{
	const struct out_column columns[] = {
		{"", OUT_LEFT},         {titles[0], OUT_RIGHT},
		{titles[1], OUT_RIGHT}, {titles[2], OUT_RIGHT},
		{"ratio", OUT_RIGHT},   {"goal", OUT_LEFT},
	};
	struct out_table *table = out_table_new(columns, 6);

	if (!table)
		die_errno(ENOMEM, "cannot make a table");
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < n; i++)
			run_round(&contests[i], round);
	for (int i = 0; i < n; i++)
		add_line(table, &contests[i], rounds);
	if (out_table_print(table, stdout) < 0)
		die("cannot print");
	putchar('\n');
	out_table_free(table);
}

static void compare_starts(int rounds, struct contest *contest)
{
	static const char *const titles[] = {"library", "posix_spawn",
					     "fork, exec"};

	compare(titles, contest, 1, rounds);
}

int main(int argc, char **argv)
{
	static const char *const titles[] = {"mypipe", "dash", "bash"};
	static struct contest commands[] = {
		{.what = "100 x true",
		 .goal = "<= 0.90 of dash",
		 .run = run_trues,
		 .n_stages = 100,
		 .n_times = 5,
		 .n_sides = 3},
		{.what = "1,000 x true",
		 .goal = "<= 0.90 of dash",
		 .run = run_trues,
		 .n_stages = 1000,
		 .n_sides = 3},
		{.what = "1 GB, three cats",
		 .goal = ">= 1.00 of the faster",
		 .run = run_gigabyte,
		 .n_sides = 3,
		 .is_rate = true},
		{.what = "the same, pipes of 64 KB",
		 .goal = "(for comparison)",
		 .run = run_gigabyte,
		 .n_sides = 3,
		 .is_rate = true,
		 .option = "--pipe-size=64K"},
	};
	static struct contest small = {.what = "start, small parent",
				       .goal = "<= 1.30 of posix_spawn",
				       .run = run_starts,
				       .n_sides = 3};
	static struct contest large = {.what = "start, 1 GB parent",
				       .goal = "<= 1.30 of posix_spawn",
				       .run = run_starts,
				       .n_sides = 3};
	int rounds =
		argc > 1 ? (int)cli_integer("ROUNDS", argv[1], 1, ROUNDS_MAX)
			 : 9;
	void *memory;

	compare(titles, commands, 4, rounds);
	compare_starts(rounds, &small);
	memory = mmap(NULL, GIGABYTE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die_errno(errno, "cannot get 1 GB of memory");
	/* Small pages, as a heap that has grown would have. */
	madvise(memory, GIGABYTE, MADV_NOHUGEPAGE);
	memset(memory, 1, GIGABYTE);
	compare_starts(rounds, &large);
	munmap(memory, GIGABYTE);
	return 0;
}
