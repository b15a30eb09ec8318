#include "p06-bench/request.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "lib/cli.h"
#include "lib/die.h"
#include "lib/outfile.h"
#include "lib/tick.h"
#include "p06-bench/machine.h"
#include "p06-bench/print.h"
#include "p06-bench/table.h"

#define ITERATIONS_MAX UINT64_C(1000000000)
#define DEADLINE_MAX (24 * 3600 * TICK_S)

enum {
	KEY_MECHANISM = 256,
	KEY_TRIALS,
	KEY_CPUS,
	KEY_NO_PIN,
	KEY_PLACEMENT,
	KEY_MAX_TIME,
	KEY_DEADLINE,
	KEY_FORMAT,
	KEY_COMPARE,
};

static const char doc[] =
	"Example: ipc_benchmark --msg-size=1024 --iterations=100000\n\n"
	"Measure how fast pipes, FIFOs, sockets, message queues and shared "
	"memory carry messages between two processes: throughput one way, and "
	"the latency of round trips, there and back. Every message is checked "
	"by its receiver.\v"
	"Sizes are as 64, 1KB, 64KB; counts as 1000, 100K; durations as "
	"500ms, 10s.\n\n" PRINT_RULES
	"\n\nExit status: 0 done, 1 failed, 2 usage, 3 --deadline passed, 130 "
	"interrupted.";

static const struct argp_option options[] = {
	{"msg-size", 's', "SIZE", 0,
	 "Bytes of a message, 16 to 64MB (default 1KB)", 0},
	{"iterations", 'n', "COUNT", 0,
	 "Messages of a stream (default 100K); a tenth as many round trips, "
	 "but 1000 at least",
	 0},
	{"mechanism", KEY_MECHANISM, "NAME[,NAME...]", 0,
	 "Only these (default: all)", 0},
	{"trials", KEY_TRIALS, "N", 0,
	 "Trials of each, of which the median counts (default 3)", 0},
	{"placement", KEY_PLACEMENT, "two|one|both", 0,
	 "The two processes on two CPUs (default), on one, or rows of either",
	 0},
	{"cpus", KEY_CPUS, "A,B", 0,
	 "The CPUs of the sender and the receiver (default: the first two)", 0},
	{"no-pin", KEY_NO_PIN, NULL, 0, "Leave placement to the scheduler", 0},
	{"max-time", KEY_MAX_TIME, "DURATION", 0,
	 "Cut a trial down to what takes so long (default 6s)", 0},
	{"deadline", KEY_DEADLINE, "DURATION", 0,
	 "Give up after so long (default: never)", 0},
	{"format", KEY_FORMAT, "table|csv|json", 0,
	 "How to print (default table)", 0},
	{"output", 'o', "FILE", 0,
	 "Print to FILE; unless that is the table, the table is printed too",
	 0},
	{"compare", KEY_COMPARE, "FILE", 0,
	 "Print ratios to an earlier run (of --format=json) as well", 0},
	{0},
};

static _Noreturn void refuse_mechanism(const char *name)
{
	char known[256] = "";
	size_t len = 0;

	for (size_t i = 0; table_kernel[i] && len < sizeof(known); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len,
					"%s%s", i ? ", " : "",
					table_kernel[i]->name);
	die_usage("--mechanism: no mechanism '%s'; accepted: %s", name, known);
}

/* In the order of the table, each once. */
static void parse_mechanisms(const char *list, struct request *request)
{
	bool is_wanted[REQUEST_MECHANISMS_MAX] = {false};
	char name[64];
	size_t n = 0;

	for (;; list++) {
		const size_t len = strcspn(list, ",");
		size_t i = 0;

		snprintf(name, sizeof(name), "%.*s", (int)len, list);
		while (table_kernel[i] &&
		       strcmp(table_kernel[i]->name, name) != 0)
			i++;
		if (!table_kernel[i])
			refuse_mechanism(name);
		is_wanted[i] = true;
		list += len;
		if (!*list)
			break;
	}
	for (size_t i = 0; table_kernel[i]; i++)
		if (is_wanted[i])
			request->mechanisms[n++] = table_kernel[i];
	request->mechanisms[n] = NULL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const placements[] = {"two", "one", "both", NULL};
	static const char *const formats[] = {"table", "csv", "json", NULL};
	struct request *request = state->input;
	struct measure_options *o = &request->options;

	switch (key) {
	case 's':
		request->message_bytes =
			cli_size("--msg-size", arg, MEASURE_MESSAGE_MIN,
				 MEASURE_MESSAGE_MAX);
		return 0;
	case 'n':
		o->iterations =
			cli_count("--iterations", arg, 1, ITERATIONS_MAX);
		return 0;
	case KEY_MECHANISM:
		parse_mechanisms(arg, request);
		return 0;
	case KEY_TRIALS:
		o->trials = (int)cli_integer("--trials", arg, 1,
					     MEASURE_TRIALS_MAX);
		return 0;
	case KEY_CPUS:
		cli_cpus("--cpus", arg, o->cpus, 2, &request->n_cpus);
		return 0;
	case KEY_NO_PIN:
		request->no_pin = true;
		return 0;
	case KEY_PLACEMENT:
		request->placement = cli_word("--placement", arg, placements);
		return 0;
	case KEY_MAX_TIME:
		o->max_ns =
			cli_duration("--max-time", arg, TICK_MS, DEADLINE_MAX);
		return 0;
	case KEY_DEADLINE:
		request->deadline_ns =
			cli_duration("--deadline", arg, TICK_MS, DEADLINE_MAX);
		return 0;
	case KEY_FORMAT:
		request->format =
			(enum request_format)cli_word("--format", arg, formats);
		return 0;
	case 'o':
		request->output = arg;
		return 0;
	case KEY_COMPARE:
		request->compare = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Where the sides go, and whether that is possible. */
static void choose_cpus(struct request *request)
{
	int *cpus = request->options.cpus;
	int ours[2] = {0, 0};
	int n = machine_cpus(ours, 2);

	if (n < 1)
		die_errno(n, "cannot tell which CPUs are ours to use");
	if (request->no_pin && (request->placement >= 0 || request->n_cpus))
		die_usage("--no-pin: goes with neither --cpus nor --placement");
	if (request->n_cpus == 0) {
		cpus[0] = ours[0];
		cpus[1] = ours[n > 1];
	}
	if (request->n_cpus == 1)
		cpus[1] = cpus[0];
	if (request->placement < 0 && n < 2)
		request->placement = REQUEST_ONE;
	else if (request->placement < 0)
		request->placement = REQUEST_TWO;
	if (cpus[0] != cpus[1] || request->placement == REQUEST_ONE ||
	    request->no_pin)
		return;
	if (n < 2)
		die_usage("--placement: there is but one CPU; accepted: one");
	die_usage("--cpus: two different CPUs, as 0,1, or --placement=one");
}

void request_parse(struct request *request, int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .doc = doc};

	*request = (struct request){.message_bytes = 1024,
				    .options = MEASURE_OPTIONS_INIT,
				    .placement = -1};
	cli_parse_argp(&argp, argc, argv, request);
	choose_cpus(request);
	if (request->compare && !request->output &&
	    request->format != REQUEST_TABLE)
		die_usage("--compare: prints a table; give the %s an --output",
			  request->format == REQUEST_CSV ? "CSV" : "JSON");
	if (request->output) {
		int r = outfile_check(request->output);

		if (r < 0)
			die_errno(r, "--output: cannot write '%s'",
				  request->output);
	}
}
