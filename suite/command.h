/* command.h - the subcommands of ipc_suite, each in a file of its name, and what
 * two of them share. */
#ifndef UNIXIPC_SUITE_COMMAND_H
#define UNIXIPC_SUITE_COMMAND_H

#include <stdbool.h>

/* Each parses its own command line, argv[0] being its name, and returns the
 * exit status; what goes wrong ends the program (lib/cmd/die). */
int command_benchmark(int argc, char **argv);
int command_report(int argc, char **argv);
int command_list(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_objects(int argc, char **argv);
int command_clean(int argc, char **argv);

/* Parse the command line of a command whose only option is --json. Returns
 * whether it was given. word and doc are as of struct cli_command; --help and
 * bad usage end the process, as of cli_parse(). */
bool command_parse_json(const char *word, const char *doc, int argc,
			char **argv);

/* Say why the IPC objects cannot be looked at, and of a ledger whose place
 * somebody else has where that is and what to do, and exit. */
_Noreturn void command_die_inventory(int error);

#endif
