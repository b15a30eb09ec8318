/* cli.h - the options of commands, on argp, and what they hold.
 *
 * They end the program with status 2 and one line that names the option, the
 * value and what is accepted. What may be written is said in lib/parse.h.
 */
#ifndef UNIXIPC_CLI_H
#define UNIXIPC_CLI_H

#include <argp.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/parse.h"

/* Run argp over the command line. --help and --version exit 0; anything that
 * is not accepted is one line and exit 2. Operands that no parser takes are
 * refused. Also opens 0, 1 and 2 where they are closed (lib/fdio) and has
 * standard output checked at exit (lib/out). Call it first in main(). Parsers
 * refuse with die_usage(); argp_error() works too, argp_usage() says less. */
void cli_parse_argp(const struct argp *argp, int argc, char **argv,
		    void *input);

/* The same for "COMMAND [OPTION...]" lines: operands reach the parser in the
 * place where they stand. One that wants all the rest for itself, options
 * of another program, takes it from its first ARGP_KEY_ARG: argv from
 * state->next - 1 on, then state->next = state->argc. */
void cli_parse_in_order(const struct argp *argp, int argc, char **argv,
			void *input);

/* The same for a command that is a word of a larger one, `mmapdb check`, and
 * has options of its own: argv[0] is that word, and usage lines begin
 * "PROGRAM COMMAND". */
void cli_parse_command(const struct argp *argp, const char *command, int argc,
		       char **argv, void *input);

/* For the parsers of commands; option as the user knows it: "--msg-size". */
uint64_t cli_size(const char *option, const char *text, uint64_t min,
		  uint64_t max);
uint64_t cli_count(const char *option, const char *text, uint64_t min,
		   uint64_t max);
int64_t cli_integer(const char *option, const char *text, int64_t min,
		    int64_t max);
int64_t cli_duration(const char *option, const char *text, int64_t min_ns,
		     int64_t max_ns);
void cli_cpus(const char *option, const char *text, int *cpus, size_t max,
	      size_t *n); /* each must exist and be ours to use */
void cli_endpoint(const char *option, const char *text,
		  struct parse_endpoint *endpoint);
/* An octal mode such as 600 or 0644. */
unsigned int cli_mode(const char *option, const char *text);

/* The index of text in a NULL-ended list of words; lists them when it is none
 * of them. */
int cli_word(const char *option, const char *text, const char *const words[]);

#endif
