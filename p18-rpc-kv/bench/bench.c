/* bench.c - our store beside etcd: three servers each, on this machine, with
 * equal settings, driven by the client library of each.
 *
 *	bench [ROUNDS [SECONDS]]
 *
 * Both clusters run all the time, and the jobs go to them by turns, beginning
 * with the other one each round, so that what disturbs the machine disturbs both.
 * A figure is the median of all rounds, a ratio the median of the ratios round by
 * round. Each driver looks whether what it reads is what it has put. */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/fdio.h"
#include "lib/measure/machine.h"
#include "lib/parse.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p18-rpc-kv/bench/nodes.h"

enum { ROUNDS = 5, ROUNDS_MAX = 100, KILLS = 7, OURS = 0, ETCD = 1 };

static const struct job {
	const char *word, *title;
	int clients;
	double goal;  /* ours : etcd, per second */
	bool has_p99; /* which is not to be above etcd's */
} jobs[] = {
	{"put", "durable put", 1, 1.0, true},
	{"put", "durable put", 16, 1.0, true},
	{"put", "durable put", 64, 1.0, true},
	{"get", "linearizable get", 1, 1.5, false},
	{"get", "linearizable get", 16, 1.5, false},
	{"get", "linearizable get", 64, 1.5, false},
	{"stale", "stale get (serializable)", 1, 1.5, false},
	{"stale", "stale get (serializable)", 16, 1.5, false},
	{"stale", "stale get (serializable)", 64, 1.5, false},
};

enum { N_JOBS = sizeof(jobs) / sizeof(jobs[0]) };

struct figures {
	double rate[ROUNDS_MAX], p50[ROUNDS_MAX], p99[ROUNDS_MAX];
};

static struct nodes sides[2];
static size_t rounds = ROUNDS;
static const char *seconds = "3";

/* ---- one run ---- */

/* A line from a driver, without its end. */
static void read_line(int fd, char *line, size_t size)
{
	int64_t deadline = tick_after(120 * TICK_S);
	size_t len = 0;

	while (len + 1 < size) {
		if (fdio_read_until(fd, line + len, 1, deadline) != 1)
			die("a driver has ended, or says nothing");
		if (line[len] == '\n')
			break;
		len++;
	}
	line[len] = '\0';
}

/* Numbers with blanks between them, and nothing else. */
static bool read_numbers(const char *text, double *numbers, size_t n)
{
	char *after;

	for (size_t i = 0; i < n; i++, text = after) {
		numbers[i] = strtod(text, &after);
		if (after == text)
			return false;
	}
	return *text == '\0';
}

static void measure(const struct nodes *nodes, const char *job, int clients,
		    struct figures *figures, size_t round)
{
	double said[4]; /* done, in ns, p50, p99 */
	char line[128];
	int fd, status;
	pid_t pid = nodes_drive(nodes, job, clients, seconds,
				nodes_leader(nodes), &fd);

	read_line(fd, line, sizeof(line));
	if (!read_numbers(line, said, 4) ||
	    child_wait(pid, tick_after(30 * TICK_S), &status) || status)
		die("a driver of '%s' failed", job);
	close(fd);
	figures->rate[round] = said[0] / (said[1] / 1e9);
	figures->p50[round] = said[2];
	figures->p99[round] = said[3];
}

static void measure_both(const struct job *job, struct figures both[2])
{
	for (size_t round = 0; round < rounds; round++)
		for (size_t i = 0; i < 2; i++) {
			size_t side = (round + i) % 2;

			measure(&sides[side], job->word, job->clients,
				&both[side], round);
		}
}

static double median_ratio(const double *a, const double *b, size_t n)
{
	double ratio[ROUNDS_MAX];

	for (size_t i = 0; i < n; i++)
		ratio[i] = a[i] / b[i];
	return stats_median(ratio, n);
}

/* ---- load ---- */

static void print_side(struct out_table *table, const struct figures *figures)
{
	char rate[16], p50[16], p99[16];

	out_table_cell(table, "%s",
		       out_number(stats_median(figures->rate, rounds), rate,
				  sizeof(rate)));
	out_table_cell(table, "%s / %s",
		       out_duration(stats_median(figures->p50, rounds), p50,
				    sizeof(p50)),
		       out_duration(stats_median(figures->p99, rounds), p99,
				    sizeof(p99)));
}

static void print_job(struct out_table *table, const struct job *job,
		      const struct figures both[2])
{
	out_table_row(table);
	out_table_cell(table, "%s", job->title);
	out_table_cell(table, "%d", job->clients);
	print_side(table, &both[OURS]);
	print_side(table, &both[ETCD]);
	out_table_cell(table, "%.2f x",
		       median_ratio(both[OURS].rate, both[ETCD].rate, rounds));
	out_table_cell(table, "%.1f x", job->goal);
	out_table_cell(table, "%.2f x%s",
		       median_ratio(both[OURS].p99, both[ETCD].p99, rounds),
		       job->has_p99 ? " (1)" : "");
}

static void compare_jobs(void)
{
	static const struct out_column columns[] = {
		{"Job", OUT_LEFT},
		{"Clients", OUT_RIGHT},
		{"Ours/s", OUT_RIGHT},
		{"p50 / p99", OUT_RIGHT},
		{"etcd/s", OUT_RIGHT},
		{"p50 / p99", OUT_RIGHT},
		{"Ours is", OUT_RIGHT},
		{"Goal", OUT_RIGHT},
		{"p99 is (goal)", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));

	if (!table)
		die_errno(ENOMEM, "a table");
	for (size_t i = 0; i < N_JOBS; i++) {
		struct figures both[2];

		measure_both(&jobs[i], both);
		print_job(table, &jobs[i], both);
	}
	out_table_print(table, stdout);
	out_table_free(table);
}

/* ---- shared memory ---- */

static void compare_local(void)
{
	static struct figures local, stale, linearizable;
	double mean[3][ROUNDS_MAX];
	char a[16], b[16], c[16];

	for (size_t round = 0; round < rounds; round++) {
		measure(&sides[OURS], "local", 1, &local, round);
		measure(&sides[OURS], "stale", 1, &stale, round);
		measure(&sides[OURS], "get", 1, &linearizable, round);
		mean[0][round] = 1e9 / local.rate[round];
		mean[1][round] = 1e9 / stale.rate[round];
		mean[2][round] = 1e9 / linearizable.rate[round];
	}
	printf("get from shared memory %s, stale by RPC %s: %.0f x, goal 100; "
	       "linearizable by RPC %s: %.0f x\n",
	       out_duration(stats_median(local.p50, rounds), a, sizeof(a)),
	       out_duration(stats_median(mean[1], rounds), b, sizeof(b)),
	       median_ratio(mean[1], local.p50, rounds),
	       out_duration(stats_median(mean[2], rounds), c, sizeof(c)),
	       median_ratio(mean[2], local.p50, rounds));
}

/* ---- failover ---- */

/* Kill who leads, and see how long nothing is done. */
static double measure_gap(struct nodes *nodes)
{
	int fd, status, leader;
	pid_t pid = nodes_drive(nodes, "gaps", 1, "0", -1, &fd);
	char line[128];
	double gap;

	do
		read_line(fd, line, sizeof(line));
	while (strcmp(line, "ready") != 0);
	leader = nodes_leader(nodes);
	nodes_kill(nodes, leader);
	read_line(fd, line, sizeof(line));
	if (strncmp(line, "gap ", 4) != 0 || !read_numbers(line + 4, &gap, 1))
		die("'%s' is no gap", line);
	child_end(pid, 0, &status);
	close(fd);
	nodes_restart(nodes, leader);
	return gap;
}

static double largest(const double *values, size_t n)
{
	double most = 0;

	for (size_t i = 0; i < n; i++)
		most = values[i] > most ? values[i] : most;
	return most;
}

static void compare_failover(void)
{
	double gaps[2][KILLS];
	char a[16], b[16], c[16], d[16];

	for (size_t i = 0; i < KILLS; i++)
		for (size_t k = 0; k < 2; k++)
			gaps[(i + k) % 2][i] = measure_gap(&sides[(i + k) % 2]);
	printf("failover after kill -9 of the leader, %d times: ours %s (at "
	       "most %s), etcd %s (%s): %.2f x, goal at most 1.0\n",
	       KILLS,
	       out_duration(stats_median(gaps[OURS], KILLS), a, sizeof(a)),
	       out_duration(largest(gaps[OURS], KILLS), b, sizeof(b)),
	       out_duration(stats_median(gaps[ETCD], KILLS), c, sizeof(c)),
	       out_duration(largest(gaps[ETCD], KILLS), d, sizeof(d)),
	       stats_median(gaps[OURS], KILLS) /
		       stats_median(gaps[ETCD], KILLS));
}

static void compare_memory(void)
{
	double ours = nodes_resident(&sides[OURS]);
	double etcd = nodes_resident(&sides[ETCD]);

	printf("resident memory after the jobs above: ours %.1f MiB a server, "
	       "etcd %.1f MiB: %.2f x, goal at most 0.3\n",
	       ours, etcd, ours / etcd);
}

/* ---- all of it ---- */

static char folder[] = "/tmp/unixipc-bench-XXXXXX";

static void stop_all(void)
{
	char *const argv[] = {"rm", "-rf", folder, NULL};
	struct child_spec spec = CHILD_SPEC_INIT;
	int status;
	pid_t pid;

	for (int i = 0; i < 2; i++)
		nodes_stop(&sides[i]);
	spec.argv = argv;
	if (child_spawn(&spec, &pid) == 0)
		child_wait(pid, tick_after(30 * TICK_S), &status);
}

static void start_all(void)
{
	char bench[256];
	ssize_t len = readlink("/proc/self/exe", bench, sizeof(bench) - 1);

	if (len < 0 || !mkdtemp(folder))
		die_errno(errno, "cannot make a folder");
	bench[len] = '\0';
	atexit(stop_all);
	for (int i = 0; i < 2; i++) {
		sides[i].is_etcd = i == ETCD;
		snprintf(sides[i].folder, sizeof(sides[i].folder), "%s/%s",
			 folder, i == ETCD ? "etcd" : "ours");
	}
	snprintf(sides[OURS].programs, sizeof(sides[OURS].programs), "%s",
		 dirname(bench));
	memcpy(sides[ETCD].programs, sides[OURS].programs,
	       sizeof(sides[ETCD].programs));
	for (int i = 0; i < 2; i++)
		nodes_start(&sides[i]);
}

int main(int argc, char **argv)
{
	struct machine machine;
	uint64_t n;

	if (argc > 1 && (parse_count(argv[1], &n) || !n || n > ROUNDS_MAX))
		die("[ROUNDS [SECONDS]]");
	rounds = argc > 1 ? (size_t)n : ROUNDS;
	seconds = argc > 2 ? argv[2] : seconds;
	out_check_at_exit();
	signal(SIGPIPE, SIG_IGN);
	start_all();
	machine_read(&machine);
	printf("%s, %d CPUs, %s; 3 servers each, keys of 16 and values of 256 "
	       "bytes, medians of %zu rounds of %s s\n",
	       machine.cpu, machine.cpus, machine.kernel, rounds, seconds);
	fflush(stdout);
	compare_jobs();
	compare_memory();
	compare_local();
	compare_failover();
	return EXIT_SUCCESS;
}
