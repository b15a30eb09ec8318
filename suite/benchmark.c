/* The time of the whole run is fixed, and shared out among its trials: that
 * is what keeps `--all` short however many mechanisms there are. */
#include "suite/command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/outfile.h"
#include "lib/cmd/progress.h"
#include "lib/cmd/stop.h"
#include "lib/measure/machine.h"
#include "lib/measure/session.h"
#include "lib/tick.h"
#include "p06-bench/cmd/print.h"
#include "suite/suggestion.h"
#include "suite/outcome.h"
#include "suite/registry.h"
#include "suite/storage/store.h"
#include "suite/sync/syncop.h"
#include "suite/sync/syncs.h"

#define FULL_TIME (150 * TICK_S)
#define QUICK_TIME (24 * TICK_S)
#define PATIENCE 4 /* times --time, on a busy machine, before we give up */

enum { SIZES_MAX = 16 };

static const char doc[] =
	"Measure throughput and latency of every mechanism over a range of "
	"message sizes.\v"
	"Examples:\n"
	"  ipc_suite benchmark --all\n"
	"  ipc_suite benchmark --mechanism=pipe,posix-mq --sizes=64,1KB\n"
	"  ipc_suite benchmark --all --format=json --output=results.json\n\n"
	"The time is shared out evenly: more mechanisms, sizes or trials mean "
	"fewer messages for each. With --all come two more tables: of "
	"synchronisation (locks, semaphores, barriers) and of storage, each "
	"alone and contended.\n\n" PRINT_RULES;

enum placement { PLACEMENT_TWO, PLACEMENT_ONE, PLACEMENT_BOTH };

struct request {
	bool all, quick;
	const char *names;
	size_t sizes[SIZES_MAX], n_sizes;
	int trials;
	int placement; /* enum placement; -1: not said */
	int cpus[2];   /* -1: not said */
	int64_t time_ns;
	enum outcome_format format;
	const char *output;
};

/* ---- what was asked for ------------------------------------------------------- */

static void parse_sizes(const char *list, void *where)
{
	struct request *request = where;
	char word[64];

	request->n_sizes = 0;
	for (;;) {
		size_t len = strcspn(list, ",");

		snprintf(word, sizeof(word), "%.*s", (int)len, list);
		if (request->n_sizes == SIZES_MAX)
			die_usage("--sizes: at most %d sizes", SIZES_MAX);
		request->sizes[request->n_sizes++] =
			cli_size("--sizes", word, MEASURE_MESSAGE_MIN,
				 MEASURE_MESSAGE_MAX);
		if (!list[len])
			return;
		list += len + 1;
	}
}

static void parse(struct request *request, int argc, char **argv)
{
	static const char *const placements[] = {"two", "one", "both", NULL};
	static const char *const formats[] = {"table", "csv", "json", NULL};
	const struct cli_option options[] = {
		CLI_ON("all", 0, &request->all,
		       "Every mechanism (see ipc_suite list)"),
		CLI_TEXT("mechanism", 'm', "NAME[,NAME...]", &request->names,
			 "Only these"),
		CLI_ON("quick", 'q', &request->quick,
		       "A first look: half a minute"),
		CLI_CALL("sizes", 0, "SIZE[,SIZE...]", parse_sizes, request,
			 "Message sizes (default 64,1KB,4KB,64KB)"),
		CLI_INTEGER("trials", 0, "N", &request->trials, 1,
			    MEASURE_TRIALS_MAX,
			    "Trials of each, of which the median counts "
			    "(default 3)"),
		CLI_WORD("placement", 0, "two|one|both", &request->placement,
			 placements,
			 "The sides on two CPUs, on one, or a table for each "
			 "(default two)"),
		CLI_CPUS("cpus", 0, "A,B", &request->cpus,
			 "Which CPUs (default: the first two)"),
		CLI_DURATION("time", 0, "DURATION", &request->time_ns, TICK_S,
			     24 * 3600 * TICK_S,
			     "How long it is to take, at most (default 150s, "
			     "with --quick 24s); on a busy machine it may be "
			     "more, but is given up at four times that"),
		CLI_WORD("format", 0, "table|csv|json", &request->format,
			 formats, "What is printed (default table)"),
		CLI_TEXT("output", 'o', "FILE", &request->output,
			 "Write that to FILE; unless it is the table, the "
			 "table is printed too"),
		{0},
	};
	const struct cli_command command = {
		.word = "benchmark", .doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	if (!request->time_ns)
		request->time_ns = request->quick ? QUICK_TIME : FULL_TIME;
}

static _Noreturn void refuse_mechanism(const char *unknown)
{
	const char *names[REGISTRY_MAX], *near;
	size_t n = registry_count();

	for (size_t i = 0; i < n; i++)
		names[i] = registry_at(i)->name;
	near = suggestion_find(unknown, names, n);
	if (near)
		die_usage("--mechanism: no mechanism '%s'; did you mean '%s'?",
			  unknown, near);
	die_usage("--mechanism: no mechanism '%s' (see ipc_suite list)",
		  unknown);
}

/* Into picked, which ends in NULL; returns how many. */
static size_t pick_mechanisms(const struct request *request,
			      const struct mechanism *picked[REGISTRY_MAX + 1])
{
	char unknown[64];
	int n;

	if (request->all == (request->names != NULL))
		die_usage("benchmark: give either --all or --mechanism=NAME");
	if (request->all) {
		for (n = 0; registry_at((size_t)n); n++)
			picked[n] = registry_at((size_t)n);
	} else {
		n = registry_pick(request->names, picked, unknown,
				  sizeof(unknown));
		if (n < 0)
			refuse_mechanism(unknown);
	}
	picked[n] = NULL;
	return (size_t)n;
}

/* Where the sides go, and whether that is possible. */
static void choose_cpus(struct request *request)
{
	int *cpus = request->cpus;
	int ours[2] = {0, 0};
	int there = machine_cpus(ours, 2);

	if (there < 1)
		die_errno(there, "cannot tell which CPUs are ours to use");
	if (cpus[0] < 0) {
		cpus[0] = ours[0];
		cpus[1] = ours[there > 1];
	}
	if (cpus[1] < 0)
		cpus[1] = cpus[0];
	if (request->placement < 0)
		request->placement = there > 1 ? PLACEMENT_TWO : PLACEMENT_ONE;
	if (request->placement == PLACEMENT_ONE || cpus[0] != cpus[1])
		return;
	if (there < 2)
		die_usage("--placement: there is but one CPU; accepted: one");
	die_usage("--cpus: two different CPUs, as 0,1, or --placement=one");
}

/* ---- measuring -------------------------------------------------------------------- */

static void show_progress(void *arg, uint64_t done, uint64_t total,
			  const char *what)
{
	struct progress *progress = arg;

	progress->total = total;
	progress_update(progress, done, what);
}

static _Noreturn void give_up(const struct request *request, int error)
{
	if (error == -EINTR)
		die_status(stop_exit_code(), "interrupted: no results");
	if (error == -ETIMEDOUT)
		die_status(DIE_TIMEOUT,
			   "not done within %lld s, %d times --time: no "
			   "results",
			   (long long)(PATIENCE * request->time_ns / TICK_S),
			   PATIENCE);
	die_errno(error, "cannot measure");
}

/* A trial's part of a time that is shared out. */
static int64_t share_of(int64_t time_ns, size_t rows, int trials)
{
	int64_t parts = (int64_t)rows * trials;

	return time_ns / (parts > 0 ? parts : 1);
}

static void measure(struct request *request, struct results *results)
{
	static const enum measure_placement placements[] = {MEASURE_TWO_CPUS,
							    MEASURE_ONE_CPU};
	const struct mechanism *picked[REGISTRY_MAX + 1];
	size_t n = pick_mechanisms(request, picked);
	struct progress progress;
	struct session_plan plan = {.mechanisms = picked,
				    .sizes = request->sizes,
				    .n_sizes = request->n_sizes,
				    .options = MEASURE_OPTIONS_INIT,
				    .progress = show_progress,
				    .arg = &progress};
	int error;

	choose_cpus(request);
	memcpy(plan.options.cpus, request->cpus, sizeof(request->cpus));
	plan.placements = &placements[request->placement == PLACEMENT_ONE];
	plan.n_placements = request->placement == PLACEMENT_BOTH ? 2 : 1;
	plan.options.trials = request->trials;
	/* The other half is for starting processes, warming up, and repeating
	 * what was disturbed. */
	plan.options.max_ns =
		share_of(request->time_ns / 2,
			 n * plan.n_sizes * plan.n_placements, request->trials);
	plan.options.deadline = tick_after(PATIENCE * request->time_ns);
	plan.options.stop_fd = stop_fd();

	progress_start(&progress, 1);
	error = session_run(&plan, results);
	progress_end(&progress);
	if (error)
		give_up(request, error);
}

/* A table of synchronisation or storage takes a small part of the time beside
 * the rest. */
static void measure_syncs(const struct request *request,
			  const struct syncop *const *ops, struct syncs *syncs)
{
	struct progress progress;
	struct syncs_plan plan = {.ops = ops,
				  .trials = request->trials,
				  .stop_fd = stop_fd(),
				  .progress = show_progress,
				  .arg = &progress};
	size_t n = 0;
	int error;

	while (ops[n])
		n++;
	plan.trial_ns = share_of(request->time_ns / 16, 2 * n, plan.trials);
	plan.cpus[0] = request->cpus[0];
	plan.cpus[1] = request->cpus[request->placement != PLACEMENT_ONE];
	progress_start(&progress, 1);
	error = syncs_run(&plan, syncs);
	progress_end(&progress);
	if (error)
		give_up(request, error);
}

/* ---- all of it ---------------------------------------------------------------------- */

static void print(const struct request *request, const struct outcome *outcome)
{
	int error = 0;

	if (!request->output || request->format != OUTCOME_TABLE)
		error = outcome_print(outcome,
				      request->output ? OUTCOME_TABLE
						      : request->format,
				      stdout);
	if (error && !ferror(stdout)) /* that is said at exit: lib/cmd/out */
		die_errno(error, "cannot print the results");
	if (!request->output)
		return;
	error = outcome_write(outcome, request->format, request->output);
	if (error)
		die_errno(error, "--output: cannot write '%s'",
			  request->output);
}

int command_benchmark(int argc, char **argv)
{
	struct request request = {.sizes = {64, 1024, 4096, 65536},
				  .n_sizes = 4,
				  .trials = 3,
				  .placement = -1,
				  .cpus = {-1, -1}};
	struct outcome outcome = {.syncs.n = 0};
	int error, status;

	parse(&request, argc, argv);
	error = request.output ? outfile_check(request.output) : 0;
	if (error)
		die_errno(error, "--output: cannot write '%s'", request.output);
	error = stop_install();
	if (error)
		die_errno(error, "cannot handle signals");
	measure(&request, &outcome.results);
	if (request.all) {
		measure_syncs(&request, syncop_table, &outcome.syncs);
		measure_syncs(&request, store_ops, &outcome.stores);
	}
	print(&request, &outcome);
	status = outcome_is_good(&outcome) ? 0 : DIE_FAILURE;
	outcome_free(&outcome);
	return status;
}
