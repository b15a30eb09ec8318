/* bench.c - beside TDB, which has the same locks, and LMDB: reads, writes and
 * batches a second of 1, 2 and 4 processes in one file, and whole commands.
 * Trials of the engines alternate; ratios are medians of the ratios trial by
 * trial. Every value read is checked, and every value of the file after each
 * writing trial. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/measure/rig.h"
#include "lib/rng.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p09-reclock/bench/engine.h"

enum { TRIALS_MAX = 25, PROCESSES_MAX = 4, BATCH = 10000 };

static const struct engine *const engines[] = {
	&engine_reclock,
#if __has_include(<tdb.h>)
	&engine_tdb,
#endif
#if __has_include(<lmdb.h>)
	&engine_lmdb,
#endif
};
enum { ENGINES = sizeof(engines) / sizeof(engines[0]) };

enum job { GET, SET, MANY, JOBS };
static const char *const job_name[JOBS] = {"get", "set", "batch"};

/* ---- what all processes inherit ---- */

static struct bench {
	size_t records, ops, trials;
	char (*keys)[ENGINE_KEY];
	char dir[64];
} bench;

static const char *path_of(const struct engine *engine)
{
	static char path[96];

	snprintf(path, sizeof(path), "%s/%s", bench.dir, engine->name);
	return path;
}

/* A value says whose it is, and is the same throughout. */
static void make_value(char *value, const char *key, unsigned char mark)
{
	memcpy(value, key, ENGINE_KEY);
	memset(value + ENGINE_KEY, mark, ENGINE_VALUE - ENGINE_KEY);
}

static void check_value(const struct engine *engine, const char *value,
			const char *key)
{
	const size_t same = ENGINE_VALUE - ENGINE_KEY - 1;

	if (memcmp(value + ENGINE_KEY, value + ENGINE_KEY + 1, same) != 0)
		die("%s: a torn value", engine->name);
	if (memcmp(value, key, ENGINE_KEY) != 0)
		die("%s: the value of another key", engine->name);
}

static void prepare(void)
{
	bench.keys = malloc(bench.records * ENGINE_KEY);
	if (!bench.keys)
		die("out of memory");
	for (size_t i = 0; i < bench.records; i++) {
		char text[ENGINE_KEY + 8];

		snprintf(text, sizeof(text), "key%013zu", i);
		memcpy(bench.keys[i], text, ENGINE_KEY);
	}
}

/* ---- a trial ---- */

struct worker {
	const struct engine *engine;
	enum job job;
	unsigned int me;
	uint64_t seed;
};

static void work_singly(const struct worker *worker, void *store,
			struct rng *rng, char mark)
{
	char value[ENGINE_VALUE];

	for (size_t i = 0; i < bench.ops; i++) {
		const char *key = bench.keys[rng_below(rng, bench.records)];

		if (worker->job == GET) {
			worker->engine->get(store, key, value);
			check_value(worker->engine, value, key);
		} else {
			make_value(value, key, (unsigned char)mark);
			worker->engine->set(store, key, value);
		}
	}
}

static void work_in_batches(const struct worker *worker, void *store,
			    struct rng *rng, char mark)
{
	static char values[BATCH][ENGINE_VALUE];
	static const char *key_at[BATCH], *value_at[BATCH];

	for (size_t done = 0; done < bench.ops; done += BATCH) {
		for (size_t i = 0; i < BATCH; i++) {
			key_at[i] = bench.keys[rng_below(rng, bench.records)];
			value_at[i] = values[i];
			make_value(values[i], key_at[i], (unsigned char)mark);
		}
		worker->engine->batch(store, key_at, value_at, BATCH);
	}
}

/* The pages that it will touch are there before the clock runs, and may be
 * written to: the first store to each is a fault. */
static void warm_up(const struct worker *worker, void *store)
{
	char value[ENGINE_VALUE];

	for (size_t i = 0; i < bench.records; i++) {
		const char *key = bench.keys[i];
		const char *values = value;

		make_value(value, key, 'w');
		if (worker->job == GET)
			worker->engine->get(store, key, value);
		else
			worker->engine->batch(store, &key, &values, 1);
	}
}

static int work(void *arg, struct rig_gate *gate)
{
	const struct worker *worker = arg;
	void *store =
		worker->engine->open(path_of(worker->engine), bench.records);
	const char mark = (char)('a' + worker->me);
	struct rng rng;

	warm_up(worker, store);
	rng_seed(&rng, worker->seed);
	if (rig_meet(gate))
		return -ECANCELED;
	if (worker->job == MANY)
		work_in_batches(worker, store, &rng, mark);
	else
		work_singly(worker, store, &rng, mark);
	rig_finish(gate);
	worker->engine->close(store);
	return 0;
}

static void verify(const struct engine *engine)
{
	void *store = engine->open(path_of(engine), bench.records);
	char value[ENGINE_VALUE];

	for (size_t i = 0; i < bench.records; i++) {
		engine->get(store, bench.keys[i], value);
		check_value(engine, value, bench.keys[i]);
	}
	engine->close(store);
}

static double run_trial(const struct engine *engine, enum job job,
			unsigned int processes, uint64_t seed)
{
	struct worker worker[PROCESSES_MAX];
	struct rig_side side[PROCESSES_MAX];
	struct rig_result result[PROCESSES_MAX];
	const struct rig rig = {
		.side = side, .sides = processes, .deadline = TICK_NEVER};

	for (unsigned int i = 0; i < processes; i++) {
		worker[i] = (struct worker){engine, job, i, seed + i};
		side[i] = (struct rig_side){.body = work, .arg = &worker[i]};
	}
	if (rig_run(&rig, result))
		die("%s: a process failed", engine->name);
	if (job != GET)
		verify(engine);
	return (double)(processes * bench.ops) * 1e9 /
	       (double)rig_elapsed_ns(&rig, result);
}

/* ---- the tables ---- */

static void compare(struct out_table *table, enum job job,
		    unsigned int processes, const char *goal)
{
	double ops[ENGINES][TRIALS_MAX], ratio[ENGINES][TRIALS_MAX];
	char text[16];

	for (size_t i = 0; i < bench.trials; i++) {
		for (size_t k = 0; k < ENGINES; k++) {
			size_t engine = (i + k) % ENGINES;

			ops[engine][i] = run_trial(engines[engine], job,
						   processes, i * 100 + 1);
		}
		for (size_t k = 0; k < ENGINES; k++)
			ratio[k][i] = ops[0][i] / ops[k][i];
	}
	out_table_row(table);
	out_table_cell(table, "%s", job_name[job]);
	out_table_cell(table, "%u", processes);
	for (size_t k = 0; k < ENGINES; k++)
		out_table_cell(table, "%s",
			       out_number(stats_median(ops[k], bench.trials),
					  text, sizeof(text)));
	for (size_t k = 1; k < ENGINES; k++)
		out_table_cell(table, "%.2f",
			       stats_median(ratio[k], bench.trials));
	out_table_cell(table, "%s", goal);
}

static void print_operations(void)
{
	static char title[2 * ENGINES][32];
	struct out_column columns[2 * ENGINES + 2] = {{"job", OUT_LEFT},
						      {"processes", OUT_RIGHT}};
	static const struct {
		enum job job;
		unsigned int processes;
		const char *goal;
	} rows[] = {
		{GET, 1, "5.00"},  {GET, 2, "5.00"},  {GET, 4, "5.00"},
		{SET, 1, "0.95"},  {SET, 2, "0.95"},  {SET, 4, "0.90"},
		{MANY, 1, "3.00"}, {MANY, 2, "3.00"}, {MANY, 4, "3.00"},
	};
	struct out_table *table;
	size_t n = 2;

	for (size_t k = 0; k < ENGINES; k++, n++) {
		snprintf(title[k], sizeof(title[k]), "%s, ops/s",
			 engines[k]->name);
		columns[n] = (struct out_column){title[k], OUT_RIGHT};
	}
	for (size_t k = 1; k < ENGINES; k++, n++) {
		snprintf(title[ENGINES + k], sizeof(title[0]), "ours / %s",
			 engines[k]->name);
		columns[n] = (struct out_column){title[ENGINES + k], OUT_RIGHT};
	}
	columns[n++] = (struct out_column){"goal, of tdb", OUT_RIGHT};
	table = out_table_new(columns, n);
	if (!table)
		die("out of memory");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		compare(table, rows[i].job, rows[i].processes, rows[i].goal);
	printf("%zu records of %d and %d bytes, %zu operations a process, "
	       "%zu trials, medians\n",
	       bench.records, ENGINE_KEY, ENGINE_VALUE, bench.ops,
	       bench.trials);
	out_table_print(table, stdout);
	out_table_free(table);
}

static void load(void)
{
	static char values[BATCH][ENGINE_VALUE];
	static const char *key_at[BATCH], *value_at[BATCH];

	for (size_t k = 0; k < ENGINES; k++) {
		void *store =
			engines[k]->open(path_of(engines[k]), bench.records);
		int64_t start = tick_now();
		struct stat st;
		char text[16];

		for (size_t i = 0; i < bench.records; i += BATCH) {
			size_t n = 0;

			for (; n < BATCH && i + n < bench.records; n++) {
				key_at[n] = bench.keys[i + n];
				value_at[n] = values[n];
				make_value(values[n], key_at[n], 'z');
			}
			engines[k]->batch(store, key_at, value_at, n);
		}
		engines[k]->close(store);
		start = tick_now() - start;
		if (stat(path_of(engines[k]), &st))
			die_errno(errno, "%s", path_of(engines[k]));
		printf("%s: loaded at %s/s, %.0f bytes a record\n",
		       engines[k]->name,
		       out_number((double)bench.records * 1e9 / (double)start,
				  text, sizeof(text)),
		       (double)st.st_blocks * 512 / (double)bench.records);
	}
	puts("");
}

/* ---- whole commands ---- */

static double time_command(char *const *argv)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	int64_t start = tick_now();
	int status;
	pid_t pid;

	spec.argv = argv;
	spec.out = -1;
	if (child_spawn(&spec, &pid) || child_wait(pid, TICK_NEVER, &status))
		die("cannot run %s", argv[0]);
	if (status)
		die("%s failed", argv[0]);
	return (double)(tick_now() - start);
}

static void print_commands(const char *kvstore)
{
	enum { RUNS = 301 };
	char file[128], tdb[128], key[ENGINE_KEY + 1] = "";
	char *ours[] = {(char *)kvstore, file, (char *)"get", key, NULL};
	char *theirs[] = {(char *)"tdbtool", tdb, (char *)"fetch", key, NULL};
	double ours_ns[RUNS], theirs_ns[RUNS], ratio[RUNS];

	snprintf(file, sizeof(file), "--file=%s/reclock", bench.dir);
	snprintf(tdb, sizeof(tdb), "%s/tdb", bench.dir);
	if (access(tdb, F_OK))
		return; /* it is not installed */
	memcpy(key, bench.keys[bench.records / 2], ENGINE_KEY);
	for (int i = 0; i < RUNS; i++) {
		ours_ns[i] = time_command(ours);
		theirs_ns[i] = time_command(theirs);
		ratio[i] = ours_ns[i] / theirs_ns[i];
	}
	printf("\nkvstore get, whole process: %.2f ms; tdbtool fetch: %.2f ms; "
	       "ratio %.2f (goal: 0.90)\n",
	       stats_median(ours_ns, RUNS) / TICK_MS,
	       stats_median(theirs_ns, RUNS) / TICK_MS,
	       stats_median(ratio, RUNS));
}

static void remove_all(void)
{
	char lock[128];

	for (size_t k = 0; k < ENGINES; k++)
		unlink(path_of(engines[k]));
	snprintf(lock, sizeof(lock), "%s/lmdb-lock", bench.dir);
	unlink(lock);
	if (rmdir(bench.dir))
		die_errno(errno, "'%s'", bench.dir);
}

int main(int argc, char **argv)
{
	const char *kvstore = "p09-reclock/kvstore", *dir = "/var/tmp";
	const struct cli_option options[] = {
		CLI_COUNT("records", 0, "N", &bench.records, 1000, 10000000,
			  "How many (default 100K)"),
		CLI_COUNT("ops", 0, "N", &bench.ops, BATCH, 100000000,
			  "Operations of a process in a trial (default 100K)"),
		CLI_COUNT("trials", 0, "N", &bench.trials, 1, TRIALS_MAX,
			  "Trials of each (default 5)"),
		CLI_TEXT("kvstore", 0, "PATH", &kvstore, "The command"),
		CLI_TEXT("dir", 0, "PATH", &dir,
			 "Where the files are made (default /var/tmp)"),
		{0},
	};
	const struct cli_command command = {
		.doc = "Compare reclock with TDB and LMDB.\v"
		       "Example: bench --records=100K --ops=100K",
		.options = options,
	};

	bench.records = 100000;
	bench.ops = 100000;
	bench.trials = 5;
	cli_parse(&command, argc, argv);
	snprintf(bench.dir, sizeof(bench.dir), "%.40s/reclock.XXXXXX", dir);
	if (!mkdtemp(bench.dir))
		die_errno(errno, "cannot make a folder in '%s'", dir);
	prepare();
	load();
	print_operations();
	print_commands(kvstore);
	remove_all();
	return 0;
}
