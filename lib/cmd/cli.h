/* cli.h - the options of a command, in one table.
 *
 * What is not accepted ends the program, with status 2 and one line that names
 * the option, the value and what is accepted. lib/parse.h says how values are
 * written.
 */
#ifndef UNIXIPC_LIB_CMD_CLI_H
#define UNIXIPC_LIB_CMD_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/parse.h"

/* ---- the command line ---- */

/* A command says what it takes in a table with a row for each option, made by
 * the macros below, and gets it back in its own variables:
 *
 *	struct arguments a = {.items = 1000, .timeout_ns = 10 * TICK_S};
 *	const struct cli_option options[] = {
 *		CLI_COUNT("items", 'i', "N", &a.items, 1, ITEMS_MAX,
 *			  "How many are made (default 1000)"),
 *		CLI_DURATION("timeout", 0, "DUR", &a.timeout_ns, 0, TICK_S * 60,
 *			     "How long to wait (default 10s)"),
 *		CLI_ON("quiet", 'q', &a.is_quiet, "Print the result alone"),
 *		{0},
 *	};
 *	const struct cli_command command = {
 *		.doc = "Make items.\vExample: ./make --items=10 red",
 *		.operands = "[COLOUR]",
 *		.most = 1,
 *		.options = options,
 *	};
 *
 *	cli_parse(&command, argc, argv);
 *	colour = argv[1];
 *	check(&a);
 *
 * What is not given stays as it was; of what is given twice the last counts.
 * What fits together, and whether enough was given, the command looks at
 * afterwards, and refuses with die_usage(). */

enum cli_kind {
	CLI_KIND_ON,
	CLI_KIND_OFF,
	CLI_KIND_TEXT,
	CLI_KIND_SIZE,
	CLI_KIND_COUNT,
	CLI_KIND_INTEGER,
	CLI_KIND_DURATION,
	CLI_KIND_CPUS,
	CLI_KIND_MODE,
	CLI_KIND_WORD,
	CLI_KIND_CALL,
	CLI_KIND_CALL_MAYBE,
};

/* Rows are made by the macros, as their fields depend on the kind. */
struct cli_option {
	const char *name; /* without the dashes; NULL ends a table */
	int key;          /* the letter of the short form; 0: there is none */
	const char *arg;  /* what --help calls the value; NULL: none */
	const char *help;
	enum cli_kind kind;
	void *where;
	size_t width; /* bytes there */
	bool is_signed;
	int64_t least;
	uint64_t most;
	const char *const *words;
	void (*call)(const char *text, void *where);
};

/* A bool that becomes true, and one that becomes false. */
#define CLI_ON(name, key, to, help) \
	CLI_ROW(ON, name, key, NULL, help, .where = CLI_OF(bool *, to))
#define CLI_OFF(name, key, to, help) \
	CLI_ROW(OFF, name, key, NULL, help, .where = CLI_OF(bool *, to))

/* A const char *: the word itself, of argv. */
#define CLI_TEXT(name, key, arg, to, help) \
	CLI_ROW(TEXT, name, key, arg, help, .where = CLI_OF(const char **, to))

/* A number of any width, signed or not, that can hold min to max (assert). */
#define CLI_SIZE(name, key, arg, to, min, max, help) \
	CLI_ROW(SIZE, name, key, arg, help, CLI_NUMBER(to, min, max))
#define CLI_COUNT(name, key, arg, to, min, max, help) \
	CLI_ROW(COUNT, name, key, arg, help, CLI_NUMBER(to, min, max))
#define CLI_INTEGER(name, key, arg, to, min, max, help) \
	CLI_ROW(INTEGER, name, key, arg, help, CLI_NUMBER(to, min, max))

/* An int64_t: nanoseconds. */
#define CLI_DURATION(name, key, arg, to, min, max, help) \
	CLI_ROW(DURATION, name, key, arg, help,          \
		.where = CLI_OF(int64_t *, to), .least = (min), .most = (max))

/* The address of an array of int: as many CPUs as it holds, at most; those that
 * were not given become -1. Each must exist and be ours to use. */
#define CLI_CPUS(name, key, arg, to, help)                                 \
	CLI_ROW(CPUS, name, key, arg, help, .where = CLI_OF(int *, *(to)), \
		.width = sizeof(*(to)))

/* A number: an octal mode that has all the bits of min, such as 0600. */
#define CLI_MODE(name, key, arg, to, min, help) \
	CLI_ROW(MODE, name, key, arg, help, CLI_NUMBER(to, min, 0777))

/* A number, an enum or a bool: the index in a NULL-ended list. */
#define CLI_WORD(name, key, arg, to, list, help)                  \
	CLI_ROW(WORD, name, key, arg, help, CLI_NUMBER(to, 0, 0), \
		.words = (list))

/* What no other row can: function(text, to), when the option is met; it ends
 * the program if text is not accepted. With CLI_CALL_MAYBE the value may be
 * left out, and text is NULL then. */
#define CLI_CALL(name, key, arg, function, to, help) \
	CLI_ROW(CALL, name, key, arg, help, .call = (function), .where = (to))
#define CLI_CALL_MAYBE(name, key, arg, function, to, help)            \
	CLI_ROW(CALL_MAYBE, name, key, arg, help, .call = (function), \
		.where = (to))

/* For the macros above. CLI_OF warns of another type. */
#define CLI_ROW(kind, name, key, arg, help, ...)                   \
	{                                                          \
		name, key, arg, help, CLI_KIND_##kind, __VA_ARGS__ \
	}
#define CLI_OF(type, to) (0 ? (type)NULL : (to))
#define CLI_NUMBER(to, min, max)                                              \
	.where = (to), .width = sizeof(*(to)), .least = (min), .most = (max), \
	.is_signed = _Generic(*(to), signed char : 1, short : 1, int : 1,     \
			      long : 1, long long : 1, default : 0)

struct cli_command {
	const char *word;     /* NULL, or `report` of `ipc_suite report` */
	const char *doc;      /* of --help, as of argp: what stands above the
			       * options, \v, and what stands below */
	const char *operands; /* of its usage line, or lines; NULL: none */
	int most;             /* how many of them are accepted */
	const struct cli_option *options; /* 32 at most; NULL: none */
	bool options_first; /* what stands behind the first operand is one, too,
			     * be it --help: the words of other programs */
	char ***behind;     /* NULL, or where the words behind -- go: another
			     * program's, and not operands */
};

/* Parse the command line. Returns the number of operands, which are argv[1] and
 * so on now, a NULL behind them; words may stand in any order, and one that has
 * no letter behind its dashes is an operand: -5, or "-(5 + 3)". --help and
 * --version exit 0; what is not accepted is one line and exit 2. Also opens 0, 1
 * and 2 where they are closed (lib/fdio), has standard output checked at exit
 * (lib/cmd/out) and SIGCHLD at its default. Call it first in main(); of a word of
 * a larger command, argv[0] is that word. */
int cli_parse(const struct cli_command *command, int argc, char **argv);

/* The core of it, for fuzz targets: no --help, no words of argp and nothing
 * opened. Returns as cli_parse(), or -EINVAL. */
int cli_try(const struct cli_command *command, int argc, char **argv);

/* ---- values ---- */

/* For operands and rows of CLI_CALL; option as the user knows it: "--sizes",
 * or the name of an operand. */
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
