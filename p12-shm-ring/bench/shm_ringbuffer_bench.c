/* shm_ringbuffer_bench - the command: traffic through a ring, and what the same
 * messages cost through a pipe and a Unix socket, measured before and after. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/stop.h"
#include "lib/measure/machine.h"
#include "lib/measure/measure.h"
#include "lib/measure/payload.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p06-bench/table.h"
#include "p12-shm-ring/bench/report.h"
#include "p12-shm-ring/bench/traffic.h"

#define PROGRAM "shm_ringbuffer_bench"

/* Of a peer, each of two times. */
#define PEER_NS (500 * TICK_MS)

struct arguments {
	struct traffic_plan plan;
	char name[OBJNAME_MAX]; /* where none is given */
	char name_back[OBJNAME_MAX + 8];
	bool is_alone, is_json;
};

struct run {
	struct arguments arguments;
	struct traffic_board *board;
	struct measure_result peer[REPORT_PEERS];
	double line_ns; /* 0: one CPU */
};

/* Of a run that has begun. */
static const struct traffic_board *board_of(const struct run *run)
{
	if (!run->board)
		abort();
	return run->board;
}

static const struct mechanism *const peers[REPORT_PEERS] = {&mech_pipe,
							    &mech_unix_stream};

/* All options are known: what fits together? */
static void check(const struct traffic_plan *plan)
{
	const struct lane_plan *lane = &plan->lane;
	const char *name = plan->name[0];

	if (name && objname_check(name))
		die_usage("--name=%s: accepted is a slash and 1 to 250 bytes "
			  "without one",
			  name);
	/* A record has 8 bytes in front. */
	if (lane->message_bytes + 8 > lane->buffer_bytes)
		die_usage("--message-size=%zu: accepted is 16 to %zu, what "
			  "--buffer-size has room for",
			  lane->message_bytes, lane->buffer_bytes - 8);
	if (lane->has_semaphores && lane->options.overflow == RING_DROP_NEWEST)
		die_usage("--overflow=drop: not with --sync=sem, which knows "
			  "only to wait");
}

static const char doc[] =
	"Messages from one process to another through a ring in shared "
	"memory.\v"
	"Example: ./" PROGRAM " --buffer-size=1MB --iterations=10M\n"
	"Latency is half a round trip of one message.\n"
	"Exit status: 0 every message arrived as it was sent, 1 not, 2 usage.";

static void parse(struct arguments *a, int argc, char **argv)
{
	static const char *const overflows[] = {"block", "drop", NULL};
	struct traffic_plan *plan = &a->plan;
	struct lane_plan *lane = &plan->lane;
	const struct cli_option options[] = {
		CLI_SIZE("buffer-size", 'b', "SIZE", &lane->buffer_bytes,
			 RING_CAPACITY_MIN, RING_CAPACITY_MAX,
			 "Room in the ring (default 1MB)"),
		CLI_COUNT("iterations", 'i', "N", &plan->messages, 1,
			  UINT64_C(1) << 60, "How many messages (default 10M)"),
		CLI_SIZE("message-size", 'm', "SIZE", &lane->message_bytes,
			 PAYLOAD_MIN, RING_CAPACITY_MAX,
			 "Bytes of a message (default 1KB)"),
		CLI_ON("mixed", 0, &lane->is_mixed,
		       "Lengths from 16 bytes up to --message-size"),
		CLI_WORD("wait", 0, "HOW", &lane->options.wait, report_waits,
			 "adaptive, spin or block: what a side does that has "
			 "to wait (default adaptive)"),
		CLI_WORD("sync", 0, "HOW", &lane->has_semaphores, report_syncs,
			 "ring, or sem: the textbook's two semaphores (default "
			 "ring)"),
		CLI_WORD("overflow", 0, "HOW", &lane->options.overflow,
			 overflows,
			 "block, or drop the newest when the ring is full "
			 "(default block)"),
		CLI_CPUS("cpus", 'c', "A,B", &plan->cpus,
			 "Where producer and consumer run (default: the first "
			 "two)"),
		CLI_TEXT("name", 'n', "/NAME", &plan->name[0],
			 "Of the shared memory (default: our own)"),
		CLI_DURATION("timeout", 't', "DUR", &plan->timeout_ns, TICK_MS,
			     86400 * TICK_S,
			     "How long to wait for one message (default 10s)"),
		CLI_ON("no-compare", 0, &a->is_alone,
		       "Do not measure pipe and socket"),
		CLI_ON("json", 'j', &a->is_json, "Print one JSON object"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	if (plan->cpus[1] < 0) /* there is but one, or one was given */
		plan->cpus[1] = plan->cpus[0];
	check(plan);
}

/* ---- names ------------------------------------------------------------------------ */

static void prepare_names(struct arguments *arguments)
{
	struct traffic_plan *plan = &arguments->plan;
	int rc = 0;

	if (!plan->name[0]) {
		rc = objname_make(arguments->name, sizeof(arguments->name),
				  "ring");
		plan->name[0] = arguments->name;
	}
	if (rc)
		die_errno(rc, "cannot make a name");
	snprintf(arguments->name_back, sizeof(arguments->name_back), "%s-back",
		 plan->name[0]);
	if (objname_check(arguments->name_back))
		die_usage("--name=%s: too long for '-back' behind it",
			  plan->name[0]);
	plan->name[1] = arguments->name_back;
}

/* ---- measuring -------------------------------------------------------------------- */

static void begin_peers(struct run *run)
{
	const struct traffic_plan *plan = &run->arguments.plan;
	const struct lane_plan *lane = &plan->lane;
	struct measure_options o = MEASURE_OPTIONS_INIT;

	/* Of mixed lengths, the mean. */
	o.message_bytes = lane->is_mixed
				  ? (lane->message_bytes + PAYLOAD_MIN) / 2
				  : lane->message_bytes;
	o.iterations = plan->messages;
	o.trials = 2;
	o.placement = plan->cpus[0] == plan->cpus[1] ? MEASURE_ONE_CPU
						     : MEASURE_TWO_CPUS;
	o.cpus[0] = plan->cpus[0];
	o.cpus[1] = plan->cpus[1];
	o.max_ns = PEER_NS;
	o.stop_fd = plan->stop_fd;
	if (plan->cpus[0] != plan->cpus[1])
		measure_line_rtt(&o, &run->line_ns);
	for (int i = 0; i < REPORT_PEERS && !run->arguments.is_alone; i++) {
		int rc = measure_begin(peers[i], &o, &run->peer[i]);

		if (rc)
			die_errno(rc, "cannot measure a %s", report_peers[i]);
	}
}

static void measure_peers(struct run *run)
{
	for (int i = 0; i < REPORT_PEERS && !run->arguments.is_alone; i++) {
		int rc = measure_round(&run->peer[i]);

		if (rc == -EINTR)
			exit(stop_exit_code());
		if (rc || run->peer[i].error)
			die_errno(rc ? rc : run->peer[i].error,
				  "cannot measure a %s", report_peers[i]);
	}
}

/* Of a lane, before the first message. */
static _Noreturn void fail_to_open(const char *name, int error)
{
	switch (error) {
	case -EBADMSG:
		die("%s: not a ring, or one that is damaged or of another "
		    "version",
		    name);
	case -EBUSY:
		die("%s: a ring that is in use (--name)", name);
	case -EEXIST:
		die("%s: there is something of that name (--name)", name);
	case -ENOSPC:
		die("%s: not enough shared memory (df /dev/shm, --buffer-size)",
		    name);
	case -ETIMEDOUT:
		die("%s: it was not made within --timeout", name);
	default:
		die_errno(error, "%s", name);
	}
}

static _Noreturn void fail(const struct run *run, int error,
			   enum traffic_role role)
{
	const struct traffic_plan *plan = &run->arguments.plan;
	const char *who = role == TRAFFIC_PRODUCER ? "producer" : "consumer";
	const char *other = role == TRAFFIC_PRODUCER ? "consumer" : "producer";
	const unsigned long long at = board_of(run)->at[role];
	const unsigned int opened = board_of(run)->opened[role];

	if (opened < 2 && error != -EINTR && error != -ECHILD)
		fail_to_open(plan->name[opened], error);
	switch (error) {
	case -EINTR:
		exit(stop_exit_code());
	case -EOWNERDEAD:
		die("the %s was killed; the %s noticed at message %llu", other,
		    who, at);
	case -ECHILD:
		die("the %s was killed", who);
	case -EPIPE:
		die("the %s ended too early, at message %llu of the %s", other,
		    at, who);
	case -EBADMSG:
		die("%s: message %llu arrived damaged, or another in its place",
		    plan->name[0], at);
	case -ETIMEDOUT:
		die("the %s waited for message %llu longer than --timeout", who,
		    at);
	default:
		die_errno(error, "the %s, on %s", who, plan->name[0]);
	}
}

static void check_counts(const struct run *run)
{
	const struct traffic_board *board = board_of(run);
	const unsigned long long sent = board->sent, got = board->received,
				 dropped = board->dropped,
				 all = run->arguments.plan.messages;

	if (got != sent || sent + dropped != all)
		die("of %llu messages %llu were sent, %llu dropped and %llu "
		    "received",
		    all, sent, dropped, got);
}

/* ---- running ---------------------------------------------------------------------- */

/* Names exist only here. What is not ours is not removed: a ring with somebody
 * in it, or semaphores that we did not make. */
static int run_traffic(struct run *run, enum traffic_role *role)
{
	const struct traffic_plan *plan = &run->arguments.plan;
	int made = 0, rc = 0;

	while (made < 2 && !rc) {
		rc = lane_create(&plan->lane, plan->name[made]);
		if (!rc)
			made++;
	}
	if (rc)
		run->board->opened[*role] = (unsigned int)made;
	else
		rc = traffic_run(plan, run->board, role);
	while (made > 0)
		lane_remove(&plan->lane, plan->name[--made]);
	return rc;
}

static void print(const struct run *run)
{
	const struct report report = {
		.plan = &run->arguments.plan,
		.board = board_of(run),
		.peer = run->arguments.is_alone ? NULL : run->peer,
		.line_ns = run->line_ns,
	};
	int rc = 0;

	if (run->arguments.is_json)
		rc = report_print_json(&report);
	else
		report_print(&report);
	if (rc)
		die_errno(rc, "cannot print");
}

static void run_all(struct run *run)
{
	enum traffic_role role = TRAFFIC_PRODUCER;
	int rc;

	begin_peers(run);
	measure_peers(run);
	run->board = mmap(NULL, sizeof(*run->board), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run->board == MAP_FAILED || !run->board)
		die_errno(errno, "cannot begin");
	rc = run_traffic(run, &role);
	if (rc)
		fail(run, rc, role);
	check_counts(run);
	measure_peers(run);
	for (int i = 0; i < REPORT_PEERS && !run->arguments.is_alone; i++)
		measure_end(&run->peer[i]);
}

int main(int argc, char **argv)
{
	static struct run run = {
		.arguments.plan = {.lane = {.message_bytes = 1024,
					    .buffer_bytes = 1 << 20},
				   .messages = 10000000,
				   .trips = 100000,
				   .trips_ns = TICK_S,
				   .timeout_ns = 10 * TICK_S,
				   .cpus = {-1, -1},
				   .is_pinned = true}};
	struct traffic_plan *plan = &run.arguments.plan;
	int cpus = machine_cpus(plan->cpus, 2), rc;

	parse(&run.arguments, argc, argv);
	rc = cpus < 0 ? cpus : stop_install();
	if (rc)
		die_errno(rc, "cannot begin");
	plan->stop_fd = stop_fd();
	prepare_names(&run.arguments);
	if (!run.arguments.is_json)
		report_print_plan(plan);
	run_all(&run);
	print(&run);
	return EXIT_SUCCESS;
}
