/* mypipe - run commands as a pipeline: options, stages, words to the user. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/stop.h"
#include "p01-pipeline/cmd/report.h"
#include "p01-pipeline/cmd/watch.h"
#include "p01-pipeline/pipeline.h"
#include "p01-pipeline/words.h"

struct options {
	const char *line; /* -c */
	char *const *operands;
	size_t n;
	size_t pipe_bytes;
	bool shell, pipefail, status, trace;
};

/* ---- the command line ---- */

static const char doc[] =
	"Run commands as a pipeline, the output of each the input of the next."
	"\v"
	"Example: mypipe \"ls -la\" \"grep txt\" \"wc -l\"\n\n"
	"Each COMMAND is split into words with the quoting of the shell; "
	"nothing is expanded. Exit status: the last command's, 128+N when "
	"signal N ended it, 127 when it was not found, 126 when it could not "
	"be run; 1 when the system ran out of processes or descriptors; 2 for "
	"usage.";

static void parse(struct options *o, int argc, char **argv)
{
	const struct cli_option options[] = {
		CLI_TEXT("command", 'c', "LINE", &o->line,
			 "The whole pipeline in one string: cut at each | "
			 "outside of quotes"),
		CLI_ON("shell", 0, &o->shell, "Hand each command to sh -c"),
		CLI_ON("pipefail", 0, &o->pipefail,
		       "Exit with the status of the last command that failed, "
		       "not of the last command"),
		/* What fcntl(F_SETPIPE_SZ) takes. */
		CLI_SIZE("pipe-size", 0, "SIZE", &o->pipe_bytes, 1, 1 << 30,
			 "Capacity of each pipe (default 256K for up to 16 "
			 "commands, else the system's)"),
		CLI_ON("status", 0, &o->status,
		       "At the end, print each command's pid, status and times "
		       "on standard error"),
		CLI_ON("trace", 0, &o->trace,
		       "Print the descriptors of every process as they are "
		       "wired, on standard error"),
		{0},
	};
	const struct cli_command command = {
		.doc = doc,
		.operands = "COMMAND...\n-c LINE",
		.most = INT_MAX,
		.options_first = true,
		.options = options,
	};

	o->n = (size_t)cli_parse(&command, argc, argv);
	o->operands = argv + 1;
}

/* ---- from the command line to stages ---- */

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

/* ---- the whole ---- */

/* Returns the signal that ended it, or 0. */
static int start(struct pipeline *p, const sigset_t *signals)
{
	int rc = pipeline_start(p), stop;
	size_t i = 0;

	if (rc == 0)
		return 0;
	stop = watch_give_up(signals);
	if (rc == -EINTR)
		return stop;
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
	struct options options = {0};
	struct pipeline p = {0};
	char **pieces = NULL;
	sigset_t signals;
	int stop, code;

	parse(&options, argc, argv);
	if (options.line)
		cut_line(&options, &pieces);
	if (options.n == 0)
		die_usage("no command given (see --help)");
	make_stages(&p, &options);
	p.pipe_bytes = options.pipe_bytes;
	p.one_by_one = options.trace;
	p.is_stopped = watch_is_stopped;

	watch_begin(&signals);
	stop = start(&p, &signals);
	if (stop)
		stop_exit(stop);
	report_failed_starts(&p);
	if (options.trace && report_trace(&p) < 0)
		die("cannot print the trace");
	stop = watch_stages(&p, &signals);
	code = stop ? 128 + stop : pipeline_exit_code(&p, options.pipefail);
	if (options.status && report_status(&p) < 0)
		die("cannot print the status");
	if (stop || (code > 128 && watch_has_ended(&p, code - 128)))
		stop_exit(code - 128);
	free_stages(&p);
	free(pieces);
	return code;
}
