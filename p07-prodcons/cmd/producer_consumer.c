/* producer_consumer - the command: producers and consumers around one bounded
 * buffer, and a parent that starts them, watches them, and judges. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/stop.h"
#include "lib/tick.h"
#include "p07-prodcons/cmd/crew.h"
#include "p07-prodcons/cmd/result.h"

#define DELAY_MAX (INT64_C(3600) * TICK_S)

struct arguments {
	struct role_plan plan;
	uint32_t buffer_size;
	int64_t timeout_ns;
	bool uses_processes, is_quiet, is_json;
};

static const char doc[] =
	"Producers and consumers around one bounded buffer, and a check that "
	"every item came through once and in order.\v"
	"Example: ./producer_consumer --producers=3 --consumers=2 "
	"--buffer-size=10 --items=1000\n"
	"Exit status: 0 all items came through, 1 not, 2 usage.";

/* Pauses are random as soon as a number is given, whichever it is. */
static void take_seed(const char *text, void *where)
{
	struct role_plan *plan = where;

	plan->seed = cli_count("--seed", text, 0, UINT64_MAX);
	plan->is_random = true;
}

static void parse(struct arguments *a, int argc, char **argv)
{
	struct role_plan *plan = &a->plan;
	const struct cli_option options[] = {
		CLI_COUNT("producers", 'p', "N", &plan->members[ROLE_PRODUCER],
			  1, AUDIT_MEMBERS_MAX, "How many produce (default 3)"),
		CLI_COUNT("consumers", 'c', "N", &plan->members[ROLE_CONSUMER],
			  1, AUDIT_MEMBERS_MAX, "How many consume (default 2)"),
		CLI_COUNT("buffer-size", 'b', "N", &a->buffer_size, 1,
			  BOUNDED_CAPACITY_MAX,
			  "How many items fit in (default 10)"),
		CLI_COUNT("items", 'i', "N", &plan->items, 1, AUDIT_ITEMS_MAX,
			  "How many are made in all (default 1000)"),
		CLI_ON("processes", 'P', &a->uses_processes,
		       "Processes with shared memory instead of threads"),
		CLI_DURATION("delay-producer", 'd', "DUR",
			     &plan->delay_ns[ROLE_PRODUCER], 0, DELAY_MAX,
			     "Pause of a producer after each item: empty "
			     "waits"),
		CLI_DURATION("delay-consumer", 'D', "DUR",
			     &plan->delay_ns[ROLE_CONSUMER], 0, DELAY_MAX,
			     "Pause of a consumer after each item: full waits"),
		CLI_CALL("seed", 's', "N", take_seed, plan,
			 "Stress: random pauses, by this number"),
		CLI_DURATION("timeout", 't', "DUR", &a->timeout_ns, TICK_MS,
			     DELAY_MAX,
			     "How long nothing may move before it is a "
			     "deadlock (default 10s)"),
		CLI_ON("quiet", 'q', &a->is_quiet, "No line for each item"),
		CLI_ON("json", 'j', &a->is_json, "The figures as JSON"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
}

static void start(struct crew *crew, const struct arguments *arguments)
{
	int error = crew_init(crew, &arguments->plan, arguments->buffer_size,
			      arguments->uses_processes);

	if (error)
		die_errno(error, "cannot make the buffer");
	error = crew_start(crew);
	if (error)
		die_errno(error, "cannot start %s %u of %u",
			  arguments->uses_processes ? "process" : "thread",
			  crew->started + 1, crew->members);
}

/* Until all have ended, or it is clear that they will not. */
static void watch(struct crew *crew, const struct arguments *arguments)
{
	const int64_t *delay = arguments->plan.delay_ns;
	char who[512];
	int error;

	/* Who pauses is not dead. */
	error = crew_watch(crew, arguments->timeout_ns + delay[0] + delay[1],
			   stop_fd());
	/* Ctrl-C is for the members too, and they may end before we see it. */
	if (!error && stop_signal())
		error = -EINTR;
	if (!error)
		return;
	crew_describe(crew, who, sizeof(who));
	crew_kill(crew);
	if (error == -EINTR)
		exit(stop_exit_code());
	if (error == -ETIMEDOUT)
		die("deadlock: nothing moved within --timeout: %s", who);
	die_errno(error, "cannot go on");
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.plan = {.members = {3, 2}, .items = 1000},
		.buffer_size = 10,
		.timeout_ns = 10 * TICK_S,
	};
	struct result result = {0};
	struct crew crew;
	bool is_right;
	int error;

	parse(&arguments, argc, argv);
	error = stop_install();
	if (error)
		die_errno(error, "cannot catch signals");
	arguments.plan.is_quiet = arguments.is_quiet || arguments.is_json;
	if (!arguments.plan.is_quiet)
		result_print_title(&arguments.plan, arguments.buffer_size);
	result.start_ns = tick_now();
	start(&crew, &arguments);
	watch(&crew, &arguments);
	error = result_collect(&result, &crew);
	if (error)
		die_errno(error, "cannot collect the results");
	is_right = arguments.is_json ? result_print_json(&result, &crew)
				     : result_print(&result, &crew);
	crew_fini(&crew);
	return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}
