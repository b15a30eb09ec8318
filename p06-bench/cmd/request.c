#include "p06-bench/cmd/request.h"

#include <stdio.h>
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/outfile.h"
#include "lib/measure/machine.h"
#include "lib/tick.h"
#include "p06-bench/cmd/print.h"
#include "p06-bench/table.h"

#define ITERATIONS_MAX UINT64_C(1000000000)
#define DEADLINE_MAX (24 * 3600 * TICK_S)

static const char doc[] =
	"Example: ipc_benchmark --msg-size=1024 --iterations=100000\n\n"
	"Measure how fast pipes, FIFOs, sockets, message queues and shared "
	"memory carry messages between two processes: throughput one way, and "
	"the latency of round trips, there and back. Every message is checked "
	"by its receiver.\v"
	"Sizes are as 64, 1KB, 64KB; counts as 1000, 100K; durations as "
	"500ms, 10s.\n\n" PRINT_RULES
	"\n\nExit status: 0 done, 1 failed, 2 usage, 3 --deadline passed. A signal "
	"that interrupts it also ends it: 128+N in a shell.";

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
static void parse_mechanisms(const char *list, void *where)
{
	struct request *request = where;
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

static void parse(struct request *request, int argc, char **argv)
{
	static const char *const placements[] = {"two", "one", "both", NULL};
	static const char *const formats[] = {"table", "csv", "json", NULL};
	struct measure_options *o = &request->options;
	const struct cli_option options[] = {
		CLI_SIZE("msg-size", 's', "SIZE", &request->message_bytes,
			 MEASURE_MESSAGE_MIN, MEASURE_MESSAGE_MAX,
			 "Bytes of a message, 16 to 64MB (default 1KB)"),
		CLI_COUNT("iterations", 'n', "COUNT", &o->iterations, 1,
			  ITERATIONS_MAX,
			  "Messages of a stream (default 100K); a tenth as "
			  "many round trips, but 1000 at least"),
		CLI_CALL("mechanism", 0, "NAME[,NAME...]", parse_mechanisms,
			 request, "Only these (default: all)"),
		CLI_INTEGER("trials", 0, "N", &o->trials, 1, MEASURE_TRIALS_MAX,
			    "Trials of each, of which the median counts "
			    "(default 3)"),
		CLI_WORD("placement", 0, "two|one|both", &request->placement,
			 placements,
			 "The two processes on two CPUs (default), on one, or "
			 "rows of either"),
		CLI_CPUS("cpus", 0, "A,B", &o->cpus,
			 "The CPUs of the sender and the receiver (default: "
			 "the first two)"),
		CLI_ON("no-pin", 0, &request->no_pin,
		       "Leave placement to the scheduler"),
		CLI_DURATION("max-time", 0, "DURATION", &o->max_ns, TICK_MS,
			     DEADLINE_MAX,
			     "Cut a trial down to what takes so long (default "
			     "6s)"),
		CLI_DURATION("deadline", 0, "DURATION", &request->deadline_ns,
			     TICK_MS, DEADLINE_MAX,
			     "Give up after so long (default: never)"),
		CLI_WORD("format", 0, "table|csv|json", &request->format,
			 formats, "How to print (default table)"),
		CLI_TEXT("output", 'o', "FILE", &request->output,
			 "Print to FILE; unless that is the table, the table "
			 "is printed too"),
		CLI_TEXT("compare", 0, "FILE", &request->compare,
			 "Print ratios to an earlier run (of --format=json) as "
			 "well"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
}

/* Where the sides go, and whether that is possible. */
static void choose_cpus(struct request *request)
{
	int *cpus = request->options.cpus;
	int ours[2] = {0, 0};
	int n = machine_cpus(ours, 2);

	if (n < 1)
		die_errno(n, "cannot tell which CPUs are ours to use");
	if (request->no_pin && (request->placement >= 0 || cpus[0] >= 0))
		die_usage("--no-pin: goes with neither --cpus nor --placement");
	if (cpus[0] < 0) {
		cpus[0] = ours[0];
		cpus[1] = ours[n > 1];
	}
	if (cpus[1] < 0)
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
	*request = (struct request){.message_bytes = 1024,
				    .options = MEASURE_OPTIONS_INIT,
				    .placement = -1};
	request->options.cpus[0] = request->options.cpus[1] = -1;
	parse(request, argc, argv);
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
