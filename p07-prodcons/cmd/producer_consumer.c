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

static const struct argp_option options[] = {
	{"producers", 'p', "N", 0, "How many produce (default 3)", 0},
	{"consumers", 'c', "N", 0, "How many consume (default 2)", 0},
	{"buffer-size", 'b', "N", 0, "How many items fit in (default 10)", 0},
	{"items", 'i', "N", 0, "How many are made in all (default 1000)", 0},
	{"processes", 'P', NULL, 0,
	 "Processes with shared memory instead of threads", 0},
	{"delay-producer", 'd', "DUR", 0,
	 "Pause of a producer after each item: empty waits", 0},
	{"delay-consumer", 'D', "DUR", 0,
	 "Pause of a consumer after each item: full waits", 0},
	{"seed", 's', "N", 0, "Stress: random pauses, by this number", 0},
	{"timeout", 't', "DUR", 0,
	 "How long nothing may move before it is a deadlock (default 10s)", 0},
	{"quiet", 'q', NULL, 0, "No line for each item", 0},
	{"json", 'j', NULL, 0, "The figures as JSON", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct role_plan *plan = &arguments->plan;

	switch (key) {
	case 'p':
		plan->members[ROLE_PRODUCER] = (uint32_t)cli_count(
			"--producers", arg, 1, AUDIT_MEMBERS_MAX);
		return 0;
	case 'c':
		plan->members[ROLE_CONSUMER] = (uint32_t)cli_count(
			"--consumers", arg, 1, AUDIT_MEMBERS_MAX);
		return 0;
	case 'b':
		arguments->buffer_size = (uint32_t)cli_count(
			"--buffer-size", arg, 1, BOUNDED_CAPACITY_MAX);
		return 0;
	case 'i':
		plan->items = cli_count("--items", arg, 1, AUDIT_ITEMS_MAX);
		return 0;
	case 'P':
		arguments->uses_processes = true;
		return 0;
	case 'd':
		plan->delay_ns[ROLE_PRODUCER] =
			cli_duration("--delay-producer", arg, 0, DELAY_MAX);
		return 0;
	case 'D':
		plan->delay_ns[ROLE_CONSUMER] =
			cli_duration("--delay-consumer", arg, 0, DELAY_MAX);
		return 0;
	case 's':
		plan->seed = cli_count("--seed", arg, 0, UINT64_MAX);
		plan->is_random = true;
		return 0;
	case 't':
		arguments->timeout_ns =
			cli_duration("--timeout", arg, TICK_MS, DELAY_MAX);
		return 0;
	case 'q':
		arguments->is_quiet = true;
		return 0;
	case 'j':
		arguments->is_json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
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
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Producers and consumers around one bounded buffer, and "
		       "a check that every item came through once and in "
		       "order.\v"
		       "Example: ./producer_consumer --producers=3 "
		       "--consumers=2 --buffer-size=10 --items=1000\n"
		       "Exit status: 0 all items came through, 1 not, 2 usage.",
	};
	struct arguments arguments = {
		.plan = {.members = {3, 2}, .items = 1000},
		.buffer_size = 10,
		.timeout_ns = 10 * TICK_S,
	};
	struct result result = {0};
	struct crew crew;
	bool is_right;
	int error;

	cli_parse_argp(&argp, argc, argv, &arguments);
	error = stop_install();
	if (error)
		die_errno(error, "cannot catch signals");
	arguments.plan.out = STDOUT_FILENO;
	if (arguments.is_quiet || arguments.is_json)
		arguments.plan.out = -1;
	else
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
