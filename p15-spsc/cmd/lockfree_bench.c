/* lockfree_bench - the lock-free queue beside a mutex queue and a semaphore
 * queue: how many items a second, and how long a hand-over takes. */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/progress.h"
#include "lib/cmd/stop.h"
#include "lib/tick.h"
#include "p15-spsc/bench/contenders.h"
#include "p15-spsc/bench/harness.h"
#include "p15-spsc/cmd/report.h"

/* Round trips: one for so many items, at most enough for 20 samples beyond the
 * 99.9th percentile, which take a second or two where each is two sleeps. */
enum { ITEMS_PER_TRIP = 200, TRIPS_MIN = 1000, TRIPS_MAX = 20000 };

#define ITEM_MAX (UINT64_C(64) << 10)
#define BATCH_BYTES_MAX (UINT64_C(512) << 10) /* LOOPS_WORDS */
#define QUEUE_MAX (UINT64_C(1) << 30)

static const struct contender *const contenders[] = {
	&contender_spsc,
	&contender_mutex,
	&contender_sem,
	&contender_spsc_waiting,
};

enum { ROWS = sizeof(contenders) / sizeof(contenders[0]) };

struct arguments {
	struct contender_plan plan;
	int cpus[2]; /* -1: not given */
	int64_t timeout_ns;
	bool is_json;
};

/* All of them are known: what fits together? */
static void check(const struct arguments *arguments)
{
	const struct contender_plan *plan = &arguments->plan;

	if (plan->item_bytes % 8 != 0)
		die_usage("--item-size=%zu: accepted is a multiple of 8",
			  plan->item_bytes);
	if ((plan->capacity & (plan->capacity - 1)) != 0)
		die_usage("--capacity=%zu: accepted is a power of two",
			  plan->capacity);
	if (plan->capacity * plan->item_bytes > QUEUE_MAX)
		die_usage("--capacity=%zu --item-size=%zu: accepted is a "
			  "product of up to 1G",
			  plan->capacity, plan->item_bytes);
	if (plan->batch * plan->item_bytes > BATCH_BYTES_MAX)
		die_usage("--batch=%zu --item-size=%zu: accepted is a product "
			  "of up to 512K",
			  plan->batch, plan->item_bytes);
	if (arguments->cpus[0] >= 0 && arguments->cpus[1] < 0)
		die_usage("--cpus: accepted are two CPUs, like 0,1 (or 0,0)");
}

static const char doc[] =
	"A lock-free queue from one producer to one consumer, beside a mutex "
	"queue and a semaphore queue. Every item is checked on arrival.\v"
	"Example: ./lockfree_bench --iterations=100M\n"
	"Exit status: 0 done, 1 an item was lost or spoilt, 2 usage, 3 out of "
	"time.";

static void parse(struct arguments *arguments, int argc, char **argv)
{
	struct contender_plan *plan = &arguments->plan;
	const struct cli_option options[] = {
		CLI_COUNT("iterations", 'i', "N", &plan->items, 1,
			  UINT64_C(1000000000000),
			  "Items through each queue (default 10M)"),
		CLI_OFF("threads", 0, &plan->is_shared,
			"The two sides are threads of one process"),
		CLI_ON("processes", 0, &plan->is_shared,
		       "The two sides are processes (default)"),
		CLI_SIZE("item-size", 's', "SIZE", &plan->item_bytes, 8,
			 ITEM_MAX,
			 "Bytes of an item, a multiple of 8 (default 8)"),
		CLI_SIZE("capacity", 'c', "N", &plan->capacity, 1,
			 QUEUE_MAX / 8,
			 "Items that fit, a power of two; K is 1024 (default "
			 "64K)"),
		CLI_COUNT("batch", 'b', "N", &plan->batch, 1,
			  BATCH_BYTES_MAX / 8,
			  "Items that move by one call (default 1)"),
		CLI_CPUS("cpus", 'C', "A,B", &arguments->cpus,
			 "CPUs of producer and consumer (default: the first "
			 "two)"),
		CLI_DURATION("timeout", 0, "DUR", &arguments->timeout_ns,
			     TICK_MS, 86400 * TICK_S,
			     "Give up after so long altogether (default 10m)"),
		CLI_ON("json", 0, &arguments->is_json, "Print one JSON object"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	check(arguments);
}

/* The first two CPUs that are ours; the same one twice where there is but
 * one. */
static void choose_cpus(int cpus[2])
{
	cpu_set_t set;
	int n = 0;

	cpus[0] = cpus[1] = -1;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	for (size_t cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[n++] = (int)cpu;
	if (n == 1)
		cpus[1] = cpus[0];
}

static _Noreturn void fail(const struct contender *contender, int error,
			   uint64_t failed)
{
	switch (error) {
	case -EINTR:
		exit(stop_exit_code());
	case -ETIMEDOUT:
		die_status(DIE_TIMEOUT, "%s: no end within --timeout",
			   contender->title);
	case -ECHILD:
		die("%s: the producer or the consumer was killed",
		    contender->title);
	case -EBADMSG:
		if (failed)
			die("%s: item %" PRIu64 " is not what was sent",
			    contender->title, failed);
		/* fall through */
	default:
		die_errno(error, "%s", contender->title);
	}
}

static uint64_t count_trips(uint64_t items)
{
	uint64_t trips = items / ITEMS_PER_TRIP;

	if (trips < TRIPS_MIN)
		return items < TRIPS_MIN ? items : TRIPS_MIN;
	return trips < TRIPS_MAX ? trips : TRIPS_MAX;
}

/* Items of this round: all rounds together have as many as was asked for. */
static uint64_t share(const struct report *report, int round)
{
	const uint64_t items = report->plan.items;
	const uint64_t rounds = (uint64_t)report->n_rounds;

	return items / rounds + ((uint64_t)round < items % rounds);
}

/* Round by round, so that what disturbs one queue disturbs all. */
static void measure_streams(struct harness *harness, struct report *report)
{
	struct progress progress;
	uint64_t failed = 0, done = 0;

	progress_start(&progress, (uint64_t)report->n_rounds * report->n_rows);
	for (int round = 0; round < report->n_rounds; round++) {
		harness->plan.items = share(report, round);
		for (size_t i = 0; i < report->n_rows; i++) {
			struct report_row *row = &report->rows[i];
			int64_t ns = 0;
			int error;

			progress_update(&progress, done++,
					row->contender->title);
			error = harness_stream(harness, row->contender, &ns,
					       &failed);
			if (error) {
				progress_end(&progress);
				fail(row->contender, error, failed);
			}
			row->ops_per_s[round] = (double)harness->plan.items *
						1e9 / (double)(ns > 0 ? ns : 1);
		}
	}
	progress_end(&progress);
}

static void measure_trips(struct harness *harness, struct report *report)
{
	uint64_t failed = 0;

	harness->plan.items = report->trips;
	harness->plan.batch = 1;
	for (size_t i = 0; i < report->n_rows; i++) {
		struct report_row *row = &report->rows[i];
		int error = harness_round_trips(harness, row->contender,
						row->trips, &failed);

		if (error)
			fail(row->contender, error, failed);
	}
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.plan = {.items = 10000000,
			 .item_bytes = 8,
			 .capacity = 65536,
			 .batch = 1,
			 .is_shared = true},
		.cpus = {-1, -1},
		.timeout_ns = 600 * TICK_S,
	};
	struct report_row rows[ROWS] = {0};
	struct report report = {.rows = rows, .n_rows = ROWS};
	struct harness harness = {0};
	char buf[32];
	int error;

	parse(&arguments, argc, argv);
	if (arguments.cpus[0] < 0)
		choose_cpus(arguments.cpus);
	report.plan = harness.plan = arguments.plan;
	report.n_rounds = arguments.plan.items < REPORT_ROUNDS_MAX
				  ? 1
				  : REPORT_ROUNDS_MAX;
	report.trips = count_trips(arguments.plan.items);
	for (int i = 0; i < 2; i++)
		report.cpus[i] = harness.cpus[i] = arguments.cpus[i];
	for (size_t i = 0; i < ROWS; i++) {
		rows[i].contender = contenders[i];
		rows[i].trips = calloc(1, sizeof(*rows[i].trips));
		if (!rows[i].trips)
			die_errno(ENOMEM, "cannot begin");
	}
	error = stop_install();
	if (error)
		die_errno(error, "cannot begin");
	harness.stop_fd = stop_fd();
	harness.deadline = tick_after(arguments.timeout_ns);
	if (!arguments.is_json) {
		printf("Lock-Free SPSC Queue Benchmark\nOperations: %s\n",
		       report_count(report.plan.items, buf, sizeof(buf)));
		fflush(stdout);
	}
	measure_streams(&harness, &report);
	measure_trips(&harness, &report);
	error = arguments.is_json ? report_json(&report) : report_text(&report);
	for (size_t i = 0; i < ROWS; i++)
		free(rows[i].trips);
	if (error)
		die_errno(error, "cannot print");
	return EXIT_SUCCESS;
}
