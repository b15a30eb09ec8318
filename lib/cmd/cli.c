/* The table of options, on argp.
 *
 * argp and getopt say what is wrong in words of their own, on stderr, in two
 * lines. We lend them a stream that passes the first line on and drops the
 * rest. */
#include "lib/cmd/cli.h"

#include <argp.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/stop.h"
#include "lib/fdio.h"

/* ---- rows and operands --------------------------------------------------- */

enum {
	OPTIONS_MAX = 32,
	KEY_FIRST = 0x100, /* of options without a letter: none that is one */
};

/* What argp asks us with, and one row of its own for each of ours. */
struct line {
	const struct cli_command *command;
	struct argp_option options[OPTIONS_MAX + 1];
	struct argp argp;
	int operands; /* that were moved to the front of argv */
};

static int key_of(const struct cli_option *options, int row)
{
	return options[row].key ? options[row].key : KEY_FIRST + row;
}

static bool is_number(const struct cli_option *o)
{
	return o->width && o->kind != CLI_KIND_CPUS;
}

/* Whether all from least to most is a number of that width. */
static bool fits(const struct cli_option *o)
{
	uint64_t max = UINT64_MAX >> (64 - 8 * o->width + o->is_signed);

	return o->most <= max &&
	       o->least >= (o->is_signed ? -(int64_t)max - 1 : 0);
}

static void store(const struct cli_option *o, uint64_t value)
{
	const uint8_t one = (uint8_t)value;
	const uint16_t two = (uint16_t)value;
	const uint32_t four = (uint32_t)value;

	switch (o->width) {
	case sizeof(one):
		memcpy(o->where, &one, sizeof(one));
		break;
	case sizeof(two):
		memcpy(o->where, &two, sizeof(two));
		break;
	case sizeof(four):
		memcpy(o->where, &four, sizeof(four));
		break;
	default:
		assert(o->width == sizeof(value));
		memcpy(o->where, &value, sizeof(value));
	}
}

static void take_cpus(const struct cli_option *o, const char *option,
		      const char *text)
{
	const size_t max = o->width / sizeof(int);
	int *cpus = o->where;
	size_t n;

	cli_cpus(option, text, cpus, max, &n);
	while (n < max)
		cpus[n++] = -1;
}

static void take_mode(const struct cli_option *o, const char *option,
		      const char *text)
{
	const unsigned int least = (unsigned int)o->least;
	unsigned int mode = cli_mode(option, text);

	if ((mode & least) != least)
		die_usage("%s=%s: accepted is %o or wider", option, text,
			  least);
	store(o, mode);
}

static void take_value(const struct cli_option *o, const char *text)
{
	const int64_t most = (int64_t)o->most;
	char name[64];

	snprintf(name, sizeof(name), "--%s", o->name);
	switch (o->kind) {
	case CLI_KIND_ON:
	case CLI_KIND_OFF:
		*(bool *)o->where = o->kind == CLI_KIND_ON;
		break;
	case CLI_KIND_TEXT:
		*(const char **)o->where = text;
		break;
	case CLI_KIND_SIZE:
		store(o, cli_size(name, text, (uint64_t)o->least, o->most));
		break;
	case CLI_KIND_COUNT:
		store(o, cli_count(name, text, (uint64_t)o->least, o->most));
		break;
	case CLI_KIND_INTEGER:
		store(o, (uint64_t)cli_integer(name, text, o->least, most));
		break;
	case CLI_KIND_DURATION:
		*(int64_t *)o->where = cli_duration(name, text, o->least, most);
		break;
	case CLI_KIND_CPUS:
		take_cpus(o, name, text);
		break;
	case CLI_KIND_MODE:
		take_mode(o, name, text);
		break;
	case CLI_KIND_WORD:
		store(o, (uint64_t)cli_word(name, text, o->words));
		break;
	case CLI_KIND_CALL:
	case CLI_KIND_CALL_MAYBE:
		o->call(text, o->where);
		break;
	}
}

/* -5, "-(5 + 3)", --5: all options begin with a letter, but for -? (--help). */
static bool is_no_option(const char *word)
{
	const char *name = word + strspn(word, "-");

	return name > word && *name && *name != '?' &&
	       !isalpha((unsigned char)*name);
}

/* state->next is the word behind this one. The place for it, among the words
 * that are done with, is never behind its own. */
static error_t take_operand(struct line *line, char *word,
			    struct argp_state *state)
{
	const bool is_behind =
		state->quoted && state->next - 1 >= state->quoted;

	if (is_behind && line->command->behind) {
		*line->command->behind = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	}
	if (line->operands == line->command->most)
		return ARGP_ERR_UNKNOWN;
	state->argv[++line->operands] = word;
	return 0;
}

/* To getopt these are options: take such words before it sees them. */
static void take_operands_ahead(struct line *line, struct argp_state *state)
{
	const struct cli_command *command = line->command;

	while (state->next < state->argc && line->operands < command->most &&
	       ((command->options_first && line->operands) ||
		is_no_option(state->argv[state->next])))
		state->argv[++line->operands] = state->argv[state->next++];
}

/* What argp calls for each word, and at some other occasions. */
static error_t take(int key, char *arg, struct argp_state *state)
{
	struct line *line = state->input;
	const struct cli_option *options = line->command->options;
	error_t error = ARGP_ERR_UNKNOWN;

	if (key == ARGP_KEY_INIT) {
		state->next = 1;
		error = 0;
	} else if (key == ARGP_KEY_ARG) {
		error = take_operand(line, arg, state);
	}
	for (int i = 0; options && options[i].name; i++) {
		if (key != key_of(options, i))
			continue;
		take_value(&options[i], arg);
		error = 0;
	}
	if (!error)
		take_operands_ahead(line, state);
	return error;
}

static void prepare(struct line *line, const struct cli_command *command)
{
	const struct cli_option *o = command->options;

	*line = (struct line){
		.command = command,
		.argp = {.options = line->options,
			 .parser = take,
			 .args_doc = command->operands,
			 .doc = command->doc},
	};
	for (int i = 0; o && o[i].name; i++) {
		assert(i < OPTIONS_MAX);
		assert(!is_number(&o[i]) || fits(&o[i]));
		line->options[i] = (struct argp_option){
			.name = o[i].name,
			.key = key_of(o, i),
			.arg = o[i].arg,
			.flags = o[i].kind == CLI_KIND_CALL_MAYBE
					 ? OPTION_ARG_OPTIONAL
					 : 0,
			.doc = o[i].help,
		};
	}
}

int cli_try(const struct cli_command *command, int argc, char **argv)
{
	struct line line;
	int next;

	prepare(&line, command);
	if (argp_parse(&line.argp, argc, argv, ARGP_IN_ORDER | ARGP_SILENT,
		       &next, &line) ||
	    next < argc)
		return -EINVAL;
	argv[line.operands + 1] = NULL;
	return line.operands;
}

/* ---- the command line ---------------------------------------------------- */

static void print_version(FILE *to, struct argp_state *state)
{
	(void)state;
	fprintf(to, "%s (unixipc) %s\n", program_invocation_short_name,
		UNIXIPC_VERSION);
}

/* What argp and getopt have printed so far. */
struct complaint {
	const char *name; /* that they begin their lines with */
	char line[512];
	size_t len;
	bool is_passed_on;
};

static void pass_on(struct complaint *complaint)
{
	const char *line = complaint->line;
	size_t name_len = strlen(complaint->name);

	complaint->line[complaint->len] = '\0';
	/* die_warn() puts the program's in front, argp mostly has ours. */
	if (strncmp(line, complaint->name, name_len) == 0 &&
	    strncmp(line + name_len, ": ", 2) == 0)
		line += name_len + 2;
	die_warn("%s (see --help)", line);
}

/* stdio calls it with what it has buffered: any piece of any line. */
static ssize_t hear(void *cookie, const char *text, size_t len)
{
	struct complaint *complaint = cookie;

	for (size_t i = 0; i < len && !complaint->is_passed_on; i++) {
		if (text[i] == '\n') {
			pass_on(complaint);
			complaint->is_passed_on = true;
		} else if (complaint->len < sizeof(complaint->line) - 1) {
			complaint->line[complaint->len++] = text[i];
		}
	}
	return (ssize_t)len;
}

int cli_parse(const struct cli_command *command, int argc, char **argv)
{
	/* Ignored by who started us, it would leave no child to be waited for. */
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	const cookie_io_functions_t functions = {.write = hear};
	const char *word = command->word;
	char name[128];
	struct complaint complaint = {.name = name};
	FILE *real_stderr, *complaints;
	struct line line;
	int error, next;

	if (fdio_open_std() < 0)
		_exit(DIE_FAILURE); /* there is nowhere to say it */
	stop_survive_file_limit();
	sigaction(SIGCHLD, &by_default, NULL);
	out_check_at_exit();
	argp_program_version_hook = print_version;
	argp_err_exit_status = DIE_USAGE;
	if (argc < 1)
		die_usage("started without even its own name");
	/* getopt begins its lines with this, and argp its usage. */
	snprintf(name, sizeof(name), "%s%s%s", program_invocation_short_name,
		 word ? " " : "", word ? word : "");
	argv[0] = name;

	complaints = fopencookie(&complaint, "w", functions);
	if (!complaints)
		die_errno(errno, "cannot read the command line");
	real_stderr = stderr;
	stderr = complaints;
	prepare(&line, command);
	error = argp_parse(&line.argp, argc, argv, ARGP_IN_ORDER, &next, &line);
	stderr = real_stderr;
	fclose(complaints);
	argv[0] = program_invocation_short_name;

	if (error)
		die_usage("options are not accepted: %s", strerror(error));
	if (next < argc)
		die_usage("unexpected operand '%.80s' (see --help)",
			  argv[next]);
	argv[line.operands + 1] = NULL;
	return line.operands;
}
