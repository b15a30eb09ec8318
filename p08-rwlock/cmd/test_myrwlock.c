/* test_myrwlock - the command: readers and writers that keep a lock busy, and
 * the verdict whether it excluded and whether anybody starved. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/stop.h"
#include "lib/tick.h"
#include "p08-rwlock/cmd/load.h"
#include "p08-rwlock/cmd/report.h"
#include "p08-rwlock/cmd/starvation.h"

enum {
	SIDE_MAX = LOAD_MAX / 2, /* readers, or writers */
	EVENTS = 30,             /* printed without --verbose */
};

#define DURATION_MAX (INT64_C(86400) * TICK_S)
#define SLEEP_MAX (60 * TICK_S)

/* How often to see how late the scheduler wakes a thread. */
#define LOOK_EVERY (10 * TICK_MS)

static const char *const policies[] = {
	[MYRWLOCK_FAIR] = "fair",
	[MYRWLOCK_READER] = "reader",
	[MYRWLOCK_WRITER] = "writer",
	NULL,
};

struct arguments {
	struct load_plan plan;
	int64_t duration_ns;
	int policy;
	bool is_verbose, is_quiet, is_json;
};

static const char doc[] =
	"Readers and writers that keep a lock busy; did it keep them apart, "
	"and did anybody starve?\v"
	"Example: ./test_myrwlock --readers=10 --writers=3 --duration=10s\n"
	"Exit status: 0 it did and nobody starved, 1 not so, 2 usage.";

static void parse(struct arguments *a, int argc, char **argv)
{
	struct load_plan *plan = &a->plan;
	const struct cli_option options[] = {
		CLI_COUNT("readers", 'r', "N", &plan->readers, 1, SIDE_MAX,
			  "How many threads read (default 10)"),
		CLI_COUNT("writers", 'w', "N", &plan->writers, 1, SIDE_MAX,
			  "How many threads write (default 3)"),
		CLI_DURATION("duration", 'd', "DUR", &a->duration_ns, TICK_MS,
			     DURATION_MAX, "For how long (default 10s)"),
		CLI_WORD("policy", 'p', "POLICY", &a->policy, policies,
			 "Who goes first: fair (default), reader, writer"),
		CLI_DURATION("read-hold", 0, "DUR", &plan->read_hold_ns, 0,
			     SLEEP_MAX,
			     "How long a reader keeps the lock (default 1ms)"),
		CLI_DURATION("write-hold", 0, "DUR", &plan->write_hold_ns, 0,
			     SLEEP_MAX,
			     "How long a writer keeps the lock (default 1ms)"),
		CLI_DURATION("read-pause", 0, "DUR", &plan->read_pause_ns, 0,
			     SLEEP_MAX,
			     "How long a reader stays away in between (default "
			     "0)"),
		CLI_DURATION("write-pause", 0, "DUR", &plan->write_pause_ns, 0,
			     SLEEP_MAX,
			     "How long a writer stays away in between (default "
			     "20ms)"),
		CLI_DURATION("jitter", 'j', "DUR", &plan->jitter_ns, 0,
			     SLEEP_MAX,
			     "Add a random time up to DUR to each of these"),
		CLI_COUNT("seed", 's', "N", &plan->seed, 0, UINT64_MAX,
			  "Of the random times (default 1)"),
		CLI_DURATION("timeout", 't', "DUR", &plan->timeout_ns, TICK_MS,
			     DURATION_MAX,
			     "Take a wait for a deadlock that lasts so much "
			     "longer than the run (default 10s)"),
		CLI_ON("verbose", 'v', &a->is_verbose,
		       "Print every event, not the first 30"),
		CLI_ON("quiet", 'q', &a->is_quiet, "Print the result alone"),
		CLI_ON("json", 0, &a->is_json,
		       "Print the statistics as one JSON object"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
}

static void make_lock(struct myrwlock *lock, int policy)
{
	struct myrwlock_attr attr;
	int rc;

	myrwlock_attr_init(&attr);
	rc = myrwlock_attr_setpolicy(&attr, policy);
	if (!rc)
		rc = myrwlock_init(lock, &attr);
	if (rc)
		die_errno(rc, "cannot make the lock");
	myrwlock_attr_destroy(&attr);
}

/* Let them go on until it is time or a stop was asked for. Returns how late
 * the scheduler woke this thread, at most. */
static int64_t watch(int64_t end)
{
	int64_t late = 0, until;

	while (!stop_signal() && !tick_is_over(end)) {
		until = tick_after(tick_left(end) < LOOK_EVERY ? tick_left(end)
							       : LOOK_EVERY);
		if (stop_wait(-1, until))
			break;
		if (tick_now() - until > late)
			late = tick_now() - until;
	}
	return late;
}

/* Returns the exit status. */
static int report(const struct arguments *arguments, const struct load *load,
		  int64_t late_ns)
{
	struct starvation starvation = starvation_check(load, late_ns);

	if (arguments->is_json) {
		report_json(load, policies[arguments->policy], &starvation);
	} else {
		if (!arguments->is_quiet)
			report_statistics(&starvation);
		report_starvation(&starvation);
	}
	return starvation.is_pass ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct arguments *arguments)
{
	static char line[LOAD_MAX * 16];
	atomic_uint events = arguments->is_verbose ? UINT_MAX : EVENTS + 1;
	struct myrwlock lock;
	struct load load;
	int64_t late;
	int rc;

	make_lock(&lock, arguments->policy);
	rc = load_init(&load, &arguments->plan, &lock);
	if (!rc) {
		if (!arguments->is_quiet && !arguments->is_json) {
			load.listener = report_event;
			load.arg = &events;
		}
		rc = load_start(&load, arguments->duration_ns);
	}
	if (rc)
		die_errno(rc, "cannot start %u readers and %u writers",
			  arguments->plan.readers, arguments->plan.writers);
	late = watch(tick_after(arguments->duration_ns));
	rc = load_end(&load);
	if (rc == -ETIMEDOUT)
		die("deadlock: %s", load_describe(&load, line, sizeof(line)));
	if (rc)
		die_errno(rc, "the lock failed");
	if (stop_signal())
		exit(stop_exit_code());
	rc = report(arguments, &load, late);
	load_fini(&load);
	if (myrwlock_destroy(&lock))
		die("the lock is held, or waited for, by nobody");
	return rc;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.plan = {.readers = 10,
			 .writers = 3,
			 .read_hold_ns = TICK_MS,
			 .write_hold_ns = TICK_MS,
			 .write_pause_ns = 20 * TICK_MS,
			 .seed = 1,
			 .timeout_ns = 10 * TICK_S},
		.duration_ns = 10 * TICK_S,
		.policy = MYRWLOCK_FAIR,
	};
	int rc;

	parse(&arguments, argc, argv);
	/* For who reads along. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	rc = stop_install();
	if (rc)
		die_errno(rc, "cannot begin");
	if (!arguments.is_quiet && !arguments.is_json)
		printf("My RWLock Test (%u readers, %u writers, %g seconds)\n",
		       arguments.plan.readers, arguments.plan.writers,
		       (double)arguments.duration_ns / TICK_S);
	return run(&arguments);
}
