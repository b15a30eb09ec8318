/* mypipe - run commands as a pipeline: options, stages, words to the user. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cli.h"
#include "lib/die.h"
#include "p01-pipeline/pipeline.h"
#include "p01-pipeline/report.h"
#include "p01-pipeline/watch.h"
#include "p01-pipeline/words.h"

enum { KEY_SHELL = 256, KEY_PIPEFAIL, KEY_STATUS, KEY_TRACE, KEY_PIPE_SIZE };

struct options {
	const char *line; /* -c */
	char *const *operands;
	size_t n;
	size_t pipe_bytes;
	bool shell, pipefail, status, trace;
};

static const struct argp_option OPTIONS[] = {
	{"command", 'c', "LINE", 0,
	 "The whole pipeline in one string: cut at each | outside of quotes",
	 0},
	{"shell", KEY_SHELL, NULL, 0, "Hand each command to sh -c", 0},
	{"pipefail", KEY_PIPEFAIL, NULL, 0,
	 "Exit with the status of the last command that failed, not of the "
	 "last command",
	 0},
	{"pipe-size", KEY_PIPE_SIZE, "SIZE", 0,
	 "Capacity of each pipe (default 256K for up to 16 commands, else the "
	 "system's)",
	 0},
	{"status", KEY_STATUS, NULL, 0,
	 "At the end, print each command's pid, status and times on standard "
	 "error",
	 0},
	{"trace", KEY_TRACE, NULL, 0,
	 "Print the descriptors of every process as they are wired, on "
	 "standard error",
	 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'c':
		options->line = arg;
		return 0;
	case KEY_SHELL:
		options->shell = true;
		return 0;
	case KEY_PIPEFAIL:
		options->pipefail = true;
		return 0;
	case KEY_STATUS:
		options->status = true;
		return 0;
	case KEY_TRACE:
		options->trace = true;
		return 0;
	case KEY_PIPE_SIZE:
		/* What fcntl(F_SETPIPE_SZ) takes. */
		options->pipe_bytes =
			cli_size("--pipe-size", arg, 1, UINT64_C(1) << 30);
		return 0;
	case ARGP_KEY_ARGS:
		options->operands = state->argv + state->next;
		options->n = (size_t)(state->argc - state->next);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- from the command line to stages ----------------------------------------- */

static void *no_null(void *memory)
{
	if (!memory)
		die_errno(ENOMEM, "cannot set up the pipeline");
	return memory;
}

/* The argument vector of one stage; one block, for free(3). */
static char **make_argv(char *command, size_t number, bool shell)
{
	char **argv;
	ssize_t n;

	if (command[strspn(command, " \t\n")] == '\0')
		die_usage("command %zu is empty", number);
	if (shell) {
		argv = no_null(malloc(4 * sizeof(*argv)));
		argv[0] = (char *)"/bin/sh";
		argv[1] = (char *)"-c";
		argv[2] = command;
		argv[3] = NULL;
		return argv;
	}
	n = words_split(command, &argv);
	if (n == -EINVAL)
		die_usage("unbalanced quote in command %zu: %.80s", number,
			  command);
	if (n < 0)
		die_errno((int)n, "cannot split command %zu", number);
	if (n == 0) /* nothing but a continued line */
		die_usage("command %zu is empty", number);
	return argv;
}

/* The commands of -c; *pieces is the block that they stand in. */
static void cut_line(struct options *options, char ***pieces)
{
	ssize_t n;

	if (options->n)
		die_usage("-c takes the whole pipeline: what is '%.80s'?",
			  options->operands[0]);
	n = words_cut(options->line, pieces);
	if (n == -EINVAL)
		die_usage("unbalanced quote in -c: %.80s", options->line);
	if (n < 0)
		die_errno((int)n, "cannot cut the line of -c");
	options->operands = *pieces;
	options->n = (size_t)n;
}

static void make_stages(struct pipeline *p, const struct options *options)
{
	p->n = options->n;
	p->stages = no_null(calloc(p->n, sizeof(*p->stages)));
	for (size_t i = 0; i < p->n; i++)
		p->stages[i].argv =
			make_argv(options->operands[i], i + 1, options->shell);
}

static void free_stages(struct pipeline *p)
{
	for (size_t i = 0; i < p->n; i++)
		free((void *)p->stages[i].argv);
	free(p->stages);
}

/* ---- the whole ----------------------------------------------------------------- */

static void start(struct pipeline *p)
{
	int rc = pipeline_start(p);
	size_t i = 0;

	if (rc == 0)
		return;
	watch_give_up();
	if (rc == -EPERM && p->pipe_bytes)
		die_errno(rc,
			  "cannot make a pipe of %zu bytes, more than "
			  "/proc/sys/fs/pipe-max-size",
			  p->pipe_bytes);
	while (i + 1 < p->n && p->stages[i].error != rc)
		i++;
	die_errno(rc, "cannot start all of %zu commands, failed at %zu (%.80s)",
		  p->n, i + 1, p->stages[i].argv[0]);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = OPTIONS,
		.parser = parse_option,
		.args_doc = "COMMAND...\n-c LINE",
		.doc = "Run commands as a pipeline, the output of each the "
		       "input of the next.\v"
		       "Example: mypipe \"ls -la\" \"grep txt\" \"wc -l\"\n\n"
		       "Each COMMAND is split into words with the quoting of "
		       "the shell; nothing is expanded. Exit status: the last "
		       "command's, 128+N when signal N ended it, 127 when it "
		       "was not found, 126 when it could not be run; 1 when "
		       "the system ran out of processes or descriptors; 2 for "
		       "usage.",
	};
	struct options options = {0};
	struct pipeline p = {0};
	char **pieces = NULL;
	sigset_t signals;
	int stop, code;

	cli_parse_argp(&argp, argc, argv, &options);
	if (options.line)
		cut_line(&options, &pieces);
	if (options.n == 0)
		die_usage("no command given (see --help)");
	make_stages(&p, &options);
	p.pipe_bytes = options.pipe_bytes;
	p.one_by_one = options.trace;

	watch_begin(&signals);
	start(&p);
	report_failed_starts(&p);
	if (options.trace && report_trace(&p) < 0)
		die("cannot print the trace");
	stop = watch_stages(&p, &signals);
	code = stop ? 128 + stop : pipeline_exit_code(&p, options.pipefail);
	if (options.status && report_status(&p) < 0)
		die("cannot print the status");
	free_stages(&p);
	free(pieces);
	return code;
}
