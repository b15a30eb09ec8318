/* bench.c - the database beside those of other packages. Each trial has all of
 * them do a job, one after the other and in another order each time; figures
 * are medians, and ratios are medians of those of the trials. Durable and not
 * durable are what each peer says of itself (peer.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/stop.h"
#include "lib/measure/machine.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p14-mmapdb/bench/peer.h"
#include "p14-mmapdb/bench/process.h"
#include "p14-mmapdb/bench/records.h"
#include "p14-mmapdb/bench/stores.h"
#include "p14-mmapdb/bench/trial.h"

enum { PEERS = 5, TRIALS_MAX = PROCESS_TRIALS, GOALS = 3 };

static const struct peer *const peers[PEERS] = {
	&peer_ours, &peer_lmdb, &peer_sqlite, &peer_bdb, &peer_tdb,
};

struct goal {
	const char *peer;
	double ratio; /* ours is at least so many times as fast */
};

static const struct job {
	const char *name, *title;
	enum trial_work work;
	unsigned int processes;
	bool is_durable;
	const char *only; /* NULL: all peers; else ours and this one */
	struct goal goals[GOALS];
} jobs[] = {
	{"load",
	 "load, sorted",
	 TRIAL_LOAD_SORTED,
	 1,
	 false,
	 "LMDB",
	 {{"LMDB", 1.5}}},
	{"load",
	 "load, random",
	 TRIAL_LOAD_RANDOM,
	 1,
	 false,
	 "LMDB",
	 {{"LMDB", 1.0}}},
	{"put",
	 "durable put",
	 TRIAL_PUT,
	 1,
	 true,
	 NULL,
	 {{"LMDB", 2.0}, {"SQLite", 1.0}}},
	{"put",
	 "durable put",
	 TRIAL_PUT,
	 4,
	 true,
	 NULL,
	 {{"LMDB", 4.0}, {"Berkeley DB", 1.0}}},
	{"put",
	 "durable put",
	 TRIAL_PUT,
	 16,
	 true,
	 NULL,
	 {{"LMDB", 12.0}, {"Berkeley DB", 1.5}}},
	{"mix", "95/5 durable", TRIAL_MIX, 4, true, NULL, {{"LMDB", 3.0}}},
	{"get", "get", TRIAL_GET, 1, true, NULL, {{"LMDB", 1.2}}},
	{"get", "get", TRIAL_GET, 2, true, NULL, {{"LMDB", 1.2}}},
	{"get", "get", TRIAL_GET, 4, true, NULL, {{"LMDB", 1.2}}},
	{"nosync",
	 "put, not durable",
	 TRIAL_PUT,
	 1,
	 false,
	 NULL,
	 {{"LMDB", 2.0}}},
	{"nosync",
	 "put, not durable",
	 TRIAL_PUT,
	 2,
	 false,
	 NULL,
	 {{"LMDB", 2.0}}},
	{"nosync",
	 "put, not durable",
	 TRIAL_PUT,
	 4,
	 false,
	 NULL,
	 {{"LMDB", 2.0}}},
};

struct options {
	size_t records, trials;
	int64_t time_ns;
	const char *dir, *jobs, *peers, *command;
};

static struct options options = {
	.records = 1000000,
	.trials = 5,
	.time_ns = TICK_S / 2,
	.dir = "/var/tmp",
	.command = "p14-mmapdb/mmapdb",
};

static struct records records;
static struct stores *stores;

/* ---- measuring ------------------------------------------------------------------- */

static bool is_chosen(const char *list, const char *name)
{
	size_t len = strlen(name);

	if (!list)
		return true;
	for (const char *at = list; (at = strcasestr(at, name)); at += len)
		if ((at == list || at[-1] == ',') &&
		    (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

static bool takes_part(const struct job *job, const struct peer *peer)
{
	if (!peer ||
	    (peer != &peer_ours && !is_chosen(options.peers, peer->name)))
		return false;
	return !job->only || peer == &peer_ours ||
	       !strcmp(job->only, peer->name);
}

static struct trial trial_of(const struct job *job)
{
	return (struct trial){
		.work = job->work,
		.processes = job->processes,
		.is_durable = job->is_durable,
		.duration_ns = options.time_ns,
	};
}

struct series {
	double rate[TRIALS_MAX], ratio[TRIALS_MAX];
	double longest[TRIALS_MAX], least[TRIALS_MAX];
};

static void measure(const struct job *job, struct series series[PEERS])
{
	struct trial_result results[PEERS];

	for (size_t t = 0; t < options.trials; t++) {
		for (size_t i = 0; i < PEERS; i++) {
			size_t p = (i + t) % PEERS;

			if (takes_part(job, peers[p]))
				stores_run(stores, job->title, peers[p],
					   trial_of(job), &results[p]);
		}
		for (size_t p = 0; p < PEERS; p++) {
			if (!takes_part(job, peers[p]))
				continue;
			series[p].rate[t] = results[p].rate;
			series[p].ratio[t] = results[0].rate / results[p].rate;
			series[p].longest[t] = results[p].longest_ns;
			series[p].least[t] = results[p].least;
		}
	}
}

/* ---- telling ---------------------------------------------------------------------- */

static const struct out_column job_columns[] = {
	{"Job", OUT_LEFT},          {"Processes", OUT_RIGHT},
	{"Database", OUT_LEFT},     {"Per second", OUT_RIGHT},
	{"Ours is", OUT_RIGHT},     {"Goal", OUT_RIGHT},
	{"Longest put", OUT_RIGHT}, {"Slowest", OUT_RIGHT},
};

static double goal_of(const struct job *job, const struct peer *peer)
{
	for (size_t g = 0; g < GOALS && job->goals[g].peer; g++)
		if (!strcmp(job->goals[g].peer, peer->name))
			return job->goals[g].ratio;
	return 0;
}

static void add_times(struct out_table *table, double times)
{
	if (times > 0)
		out_table_cell(table, "%.2f x", times);
	else
		out_table_cell(table, "%s", "");
}

static void add_row(struct out_table *table, const struct job *job, size_t p,
		    const struct series *series)
{
	double longest = stats_median(series->longest, options.trials);
	char rate[16], wait[16];

	out_table_row(table);
	out_table_cell(table, "%s", p ? "" : job->title);
	if (p)
		out_table_cell(table, "%s", "");
	else
		out_table_cell(table, "%u", job->processes);
	out_table_cell(table, "%s", peers[p]->name);
	out_table_cell(table, "%s",
		       out_number(stats_median(series->rate, options.trials),
				  rate, sizeof(rate)));
	add_times(table, p ? stats_median(series->ratio, options.trials) : 0);
	add_times(table, goal_of(job, peers[p]));
	out_table_cell(table, "%s",
		       longest > 0 ? out_duration(longest, wait, sizeof(wait))
				   : "");
	if (job->processes > 1)
		out_table_cell(
			table, "%.0f %%",
			100 * stats_median(series->least, options.trials));
}

static void print(struct out_table *table, const char *title)
{
	int error;

	stores_clear_progress(stores);
	printf("\n%s\n", title);
	error = out_table_print(table, stdout);
	if (error)
		die_errno(error, "cannot print");
	out_table_free(table);
}

static void measure_job(const struct job *job, struct series series[PEERS],
			struct out_table *table)
{
	for (size_t p = 0; p < PEERS; p++)
		if (job->work > TRIAL_LOAD_SORTED && takes_part(job, peers[p]))
			stores_load_once(stores, peers[p]);
	measure(job, series);
	for (size_t p = 0; p < PEERS; p++)
		if (takes_part(job, peers[p]))
			add_row(table, job, p, &series[p]);
}

static void measure_jobs(void)
{
	struct series *series = calloc(PEERS, sizeof(*series));
	struct out_table *table = out_table_new(
		job_columns, sizeof(job_columns) / sizeof(*job_columns));
	bool is_any = false;

	if (!series || !table)
		die("no memory");
	for (size_t j = 0; j < sizeof(jobs) / sizeof(*jobs); j++) {
		if (!is_chosen(options.jobs, jobs[j].name))
			continue;
		measure_job(&jobs[j], series, table);
		is_any = true;
	}
	if (is_any)
		print(table, "Operations: medians; \"slowest\" is the slowest "
			     "process's part of the mean");
	else
		out_table_free(table);
	free(series);
}

/* ---- space ------------------------------------------------------------------------- */

static double bytes_a_record(const struct peer *peer)
{
	char path[STORES_PATH];
	struct stat st;

	stores_load_once(stores, peer);
	stores_file(stores, peer, path);
	if (stat(path, &st))
		die_errno(errno, "cannot look at %s", path);
	return (double)st.st_blocks * 512 / (double)records.n;
}

static void measure_space(void)
{
	static const struct out_column columns[] = {{"Database", OUT_LEFT},
						    {"Bytes", OUT_RIGHT},
						    {"Ours is", OUT_RIGHT},
						    {"Goal", OUT_RIGHT}};
	struct out_table *table = out_table_new(columns, 4);
	double ours = 0;

	if (!table)
		die("no memory");
	for (size_t p = 0; p < PEERS; p++) {
		double bytes;

		if (!peers[p] ||
		    (p && !is_chosen(options.peers, peers[p]->name)))
			continue;
		bytes = bytes_a_record(peers[p]);
		ours = p ? ours : bytes;
		out_table_row(table);
		out_table_cell(table, "%s", peers[p]->name);
		out_table_cell(table, "%.0f", bytes);
		add_times(table, p ? ours / bytes : 0);
		add_times(table, strcmp(peers[p]->name, "LMDB") ? 0 : 0.9);
	}
	print(table, "Blocks of the file for a record of 116 B, loaded in "
		     "random order");
}

/* ---- whole processes ------------------------------------------------------------------ */

static void print_processes(const struct process_times *times)
{
	static const struct out_column columns[] = {{"Process", OUT_LEFT},
						    {"Time", OUT_RIGHT},
						    {"Ours is", OUT_RIGHT},
						    {"Goal", OUT_RIGHT}};
	static const char *const titles[PROCESS_PROGRAMS] = {
		"mmapdb get", "tdbtool show", "true"};
	struct out_table *table = out_table_new(columns, 4);
	char took[16];

	if (!table)
		die("no memory");
	for (int i = 0; i < PROCESS_PROGRAMS; i++) {
		double ns = stats_median(times[i].ns, options.trials);
		double ratio = stats_median(times[i].ratio, options.trials);

		out_table_row(table);
		out_table_cell(table, "%s", titles[i]);
		out_table_cell(table, "%s",
			       out_duration(ns, took, sizeof(took)));
		add_times(table, i ? ratio : 0);
		add_times(table, i == 1 ? 0.9 : 0);
	}
	print(table, "A get as a whole process");
}

static void measure_processes(void)
{
	char ours[STORES_PATH], tdb[STORES_PATH], key[RECORDS_KEY + 1] = "";
	char *mmapdb[] = {(char *)options.command, "get", ours, key, NULL};
	char *tdbtool[] = {"tdbtool", tdb, "show", key, NULL};
	char *nothing[] = {"true", NULL};
	char *const *const programs[] = {mmapdb, tdbtool, nothing};
	struct process_times times[PROCESS_PROGRAMS];

	if (!&peer_tdb)
		return;
	stores_load_once(stores, &peer_ours);
	stores_load_once(stores, &peer_tdb);
	stores_file(stores, &peer_ours, ours);
	stores_file(stores, &peer_tdb, tdb);
	memcpy(key, records.keys[records.n / 2], RECORDS_KEY);
	process_measure(programs, options.trials, times);
	print_processes(times);
}

/* ---- main ------------------------------------------------------------------------------ */

static void print_head(void)
{
	struct machine machine;

	machine_read(&machine);
	printf("%zu records of 16 + 100 B, %zu trials of %g s, %s, %d CPUs, "
	       "%s%s\n",
	       records.n, options.trials, (double)options.time_ns / 1e9,
	       machine.cpu, machine.cpus, machine.kernel,
	       stores_volatile(stores) ? ", in memory: durable costs nothing"
				       : "");
	fflush(stdout);
}

/* Each word of a list must be one of those. */
static void check_list(const char *option, const char *list,
		       const char *const *known, size_t n)
{
	const char *end;

	for (const char *at = list; at; at = *end ? end + 1 : NULL) {
		size_t i = 0;

		end = strchrnul(at, ',');
		while (i < n &&
		       (strncasecmp(known[i], at, (size_t)(end - at)) != 0 ||
			known[i][end - at]))
			i++;
		if (i == n)
			die_usage("%s=%s: no '%.*s'; see --help", option, list,
				  (int)(end - at), at);
	}
}

static void check_options(void)
{
	static const char *const known_jobs[] = {
		"load", "put", "mix", "get", "nosync", "space", "process"};
	static const char *const known_peers[] = {"LMDB", "SQLite",
						  "Berkeley DB", "TDB"};

	check_list("--jobs", options.jobs, known_jobs, 7);
	check_list("--peers", options.peers, known_peers, 4);
}

int main(int argc, char **argv)
{
	const struct cli_option table[] = {
		CLI_COUNT("records", 'n', "N", &options.records, 1000, 10000000,
			  "How many there are (default 1M)"),
		CLI_COUNT("trials", 't', "N", &options.trials, 1, TRIALS_MAX,
			  "How often each does each job (default 5)"),
		CLI_DURATION("time", 0, "DUR", &options.time_ns, TICK_MS,
			     60 * TICK_S, "How long (default 500ms)"),
		CLI_TEXT("dir", 0, "DIR", &options.dir,
			 "Where; best on a disk (default /var/tmp)"),
		CLI_TEXT("jobs", 'j', "LIST", &options.jobs,
			 "Of load,put,mix,get,nosync,space,process"),
		CLI_TEXT("peers", 'p', "LIST", &options.peers,
			 "Of LMDB,SQLite,Berkeley DB,TDB"),
		CLI_TEXT("command", 0, "FILE", &options.command,
			 "The command mmapdb (default p14-mmapdb/mmapdb)"),
		{0},
	};
	const struct cli_command command = {
		.doc = "Measure the database beside others.",
		.options = table,
	};

	cli_parse(&command, argc, argv);
	check_options();
	if (stop_install())
		die("cannot catch signals");
	if (records_make(&records, options.records, 1))
		die("no memory");
	stores = stores_open(options.dir, &records);
	print_head();
	if (is_chosen(options.jobs, "space")) /* while nothing is changed yet */
		measure_space();
	measure_jobs();
	if (is_chosen(options.jobs, "process"))
		measure_processes();
	stores_clear_progress(stores);
	return 0;
}
