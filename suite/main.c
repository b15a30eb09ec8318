/* ipc_suite: a table of subcommands, each of which parses its own options. */
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "suite/command.h"
#include "suite/suggestion.h"

static const struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
} subcommands[] = {
	{"benchmark", command_benchmark}, {"report", command_report},
	{"list", command_list},           {"doctor", command_doctor},
	{"objects", command_objects},     {"clean", command_clean},
};

enum { SUBCOMMANDS = sizeof(subcommands) / sizeof(subcommands[0]) };

static const char doc[] =
	"Compare every Unix IPC mechanism, and look after the objects that "
	"they leave.\v"
	"Commands (each has --help):\n"
	"  benchmark   throughput and latency of every mechanism\n"
	"  report      results of a benchmark as one HTML page\n"
	"  list        every mechanism, and its limits on this machine\n"
	"  doctor      what this machine lacks, and how to fix it\n"
	"  objects     IPC objects of this project: owner, size, age\n"
	"  clean       remove what dead owners left, if it is surely theirs\n\n"
	"Example:\n"
	"  ipc_suite benchmark --all --format=json --output=results.json\n"
	"  ipc_suite report results.json -o report.html";

static _Noreturn void refuse(const char *text)
{
	const char *names[SUBCOMMANDS], *near;

	for (size_t i = 0; i < SUBCOMMANDS; i++)
		names[i] = subcommands[i].name;
	near = suggestion_find(text, names, SUBCOMMANDS);
	if (near)
		die_usage("no command '%s'; did you mean '%s'?", text, near);
	die_usage("no command '%s'; the commands are benchmark, report, list, "
		  "doctor, objects and clean",
		  text);
}

int main(int argc, char **argv)
{
	static const struct cli_command command = {
		.doc = doc,
		.operands = "COMMAND [OPTION...]",
	};

	if (argc < 2 || argv[1][0] == '-') {
		cli_parse(&command, argc, argv);
		die_usage("give a command: benchmark, report, list, doctor, "
			  "objects or clean");
	}
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		if (strcmp(argv[1], subcommands[i].name) == 0)
			return subcommands[i].run(argc - 1, argv + 1);
	refuse(argv[1]);
}
