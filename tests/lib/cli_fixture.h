/* cli_fixture.h - options as a command gets them: a test program run once
 * more, with a word in front that says as which command (see run_command()). */
#ifndef UNIXIPC_TESTS_LIB_CLI_FIXTURE_H
#define UNIXIPC_TESTS_LIB_CLI_FIXTURE_H

#include "lib/cmd/cli.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "tests/support/capture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int64_t S = INT64_C(1000000000);

/* ---- two commands ---- */

static const char *const formats[] = {"table", "csv", "json", NULL};

static inline void take_endpoint(const char *text, void *where)
{
	cli_endpoint("--address", text, where);
}

static inline void try_open(const char *text, void *where)
{
	(void)where;
	puts(open(text, O_RDONLY | O_CLOEXEC) > STDERR_FILENO ? "above"
							      : "below");
}

static inline void print_wait(const char *text, void *where)
{
	(void)where;
	printf("wait %s\n", text ? text : "for any");
}

static inline void print_children(const char *text, void *where)
{
	struct sigaction action;

	(void)text;
	(void)where;
	sigaction(SIGCHLD, NULL, &action);
	puts(action.sa_handler == SIG_DFL ? "told" : "not told");
}

/* What was given is printed in the order of the table. */
static inline int run_demo(int argc, char **argv)
{
	uint64_t size = 0, count = 0;
	int cpus[2] = {-2, -2}, format = -1, level = 0;
	int64_t time = 0;
	unsigned int mode = 0;
	uint16_t port = 0;
	bool is_quiet = false, is_shared = true;
	const char *file = NULL;
	struct parse_endpoint endpoint = {0};
	const struct cli_option options[] = {
		CLI_SIZE("msg-size", 's', "SIZE", &size, 16, 64 << 20,
			 "16 to 64MB"),
		CLI_COUNT("iterations", 'n', "N", &count, 1, UINT64_MAX,
			  "1 or more"),
		CLI_CPUS("cpus", 'c', "A,B", &cpus, "Where"),
		CLI_DURATION("time", 0, "TIME", &time, S / 1000, 3600 * S,
			     "How long"),
		CLI_CALL("address", 0, "HOST:PORT", take_endpoint, &endpoint,
			 "Where to"),
		CLI_MODE("mode", 0, "MODE", &mode, 0400, "Who may"),
		CLI_WORD("format", 0, "WORD", &format, formats,
			 "table, csv or json"),
		CLI_INTEGER("level", 'l', "N", &level, -20, INT_MAX,
			    "-20 or more"),
		CLI_COUNT("port", 'p', "N", &port, 0, UINT16_MAX,
			  "Of two bytes"),
		CLI_ON("quiet", 'q', &is_quiet, "Say nothing"),
		CLI_OFF("threads", 0, &is_shared, "Not shared"),
		CLI_ON("processes", 0, &is_shared, "Shared"),
		CLI_TEXT("file", 'f', "FILE", &file, "Any word"),
		CLI_CALL("open", 0, "FILE", try_open, NULL, "As a command"),
		CLI_CALL_MAYBE("children", 0, "", print_children, NULL,
			       "Whether their ends are told"),
		CLI_CALL_MAYBE("wait", 'w', "ID", print_wait, NULL, "Or not"),
		{0},
	};
	const struct cli_command command = {
		.operands = "[NAME [NUMBER]]",
		.most = 2,
		.doc = "Show what was understood.",
		.options = options,
	};
	int n = cli_parse(&command, argc, argv);

	if (size)
		printf("size %ju\n", (uintmax_t)size);
	if (count)
		printf("count %ju\n", (uintmax_t)count);
	if (cpus[0] != -2)
		printf("cpus %d\n", (cpus[0] >= 0) + (cpus[1] >= 0));
	if (time)
		printf("time %jd\n", (intmax_t)time);
	if (is_quiet)
		puts("quiet");
	if (endpoint.port)
		printf("address %s %d\n", endpoint.host, endpoint.port);
	if (mode)
		printf("mode %o\n", mode);
	if (format >= 0)
		printf("format %d\n", format);
	if (level)
		printf("level %d\n", level);
	if (port)
		printf("port %d\n", port);
	if (!is_shared)
		puts("threads");
	if (file)
		printf("file %s\n", file);
	for (int i = 1; i <= n; i++)
		printf("operand %s\n", argv[i]);
	puts(argv[n + 1] ? "more" : "done");
	return EXIT_SUCCESS;
}

/* worker [-v] N [-- COMMAND…], as a program and as a word of one. */
static inline int run_worker(int argc, char **argv, const char *word)
{
	bool is_verbose = false;
	char **behind = NULL;
	const struct cli_option options[] = {
		CLI_ON("verbose", 'v', &is_verbose, "More"),
		{0},
	};
	const struct cli_command command = {
		.word = word,
		.operands = "N [-- COMMAND...]",
		.most = 1,
		.behind = &behind,
		.options = options,
	};
	int n = cli_parse(&command, argc, argv);

	if (is_verbose)
		puts("verbose");
	if (n > 0)
		printf("n %ju\n", (uintmax_t)cli_count("N", argv[1], 1, 9));
	for (; behind && *behind; behind++)
		printf("word %s\n", *behind);
	puts(argv[0]);
	return EXIT_SUCCESS;
}

/* prefix [-v] WORD…, which are another program's. */
static inline int run_prefix(int argc, char **argv)
{
	bool is_verbose = false;
	const struct cli_option options[] = {
		CLI_ON("verbose", 'v', &is_verbose, "More"),
		{0},
	};
	const struct cli_command command = {
		.operands = "WORD...",
		.most = INT_MAX,
		.options_first = true,
		.options = options,
	};
	int n = cli_parse(&command, argc, argv);

	if (is_verbose)
		puts("verbose");
	for (int i = 1; i <= n; i++)
		printf("operand %s\n", argv[i]);
	return EXIT_SUCCESS;
}

/* A table with a mistake: no count of that size fits. */
static inline int run_narrow(int argc, char **argv)
{
	int count = 0;
	const struct cli_option options[] = {
		CLI_COUNT("count", 'n', "N", &count, 0, UINT64_C(1) + INT_MAX,
			  "Too many"),
		{0},
	};
	const struct cli_command command = {.options = options};

	return cli_parse(&command, argc, argv);
}

/* ---- running them ---- */

#define MAX_WORDS 8

static char self[PATH_MAX];

/* Run "demo …", "worker …", "work …", "prefix …" or "narrow". */
static inline void run_words(struct capture *capture, const char *const words[])
{
	char *argv[MAX_WORDS + 2] = {self};

	for (size_t i = 0; words[i]; i++) {
		assert_true(i < MAX_WORDS);
		argv[i + 1] = (char *)(uintptr_t)words[i];
	}
	capture_run(capture, argv, NULL, 10000);
}

#define RUN(capture, ...) \
	run_words(capture, (const char *const[]){__VA_ARGS__, NULL})

/* Status 2, nothing on standard output, and one line that holds each word. */
static inline void assert_refused(struct capture *capture, const char *wanted)
{
	char prefix[64];
	const char *newline = strchr(capture->err, '\n');

	snprintf(prefix, sizeof(prefix), "%s: ", program_invocation_short_name);
	if (capture->status != DIE_USAGE || *capture->out || !newline ||
	    newline[1] || strncmp(capture->err, prefix, strlen(prefix)) != 0 ||
	    strncmp(capture->err + strlen(prefix), wanted, strlen(wanted)) != 0)
		fail_msg("wanted status 2 and one line '%s%s…', got %d, '%s', "
			 "out '%s'",
			 prefix, wanted, capture->status, capture->err,
			 capture->out);
	capture_free(capture);
}

static inline void assert_printed(struct capture *capture, const char *wanted)
{
	assert_string_equal(capture->err, "");
	assert_string_equal(capture->out, wanted);
	assert_int_equal(capture->status, 0);
	capture_free(capture);
}

/* A test program with arguments is the command that they name. */
static inline int run_command(int argc, char **argv)
{
	if (strcmp(argv[0], "demo") == 0)
		return run_demo(argc, argv);
	if (strcmp(argv[0], "worker") == 0)
		return run_worker(argc, argv, NULL);
	if (strcmp(argv[0], "prefix") == 0)
		return run_prefix(argc, argv);
	if (strcmp(argv[0], "narrow") == 0)
		return run_narrow(argc, argv);
	return run_worker(argc, argv, "work");
}

/* And without any, the tests: where they find the program. 0 or -1. */
static inline int find_self(void)
{
	return readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ? -1 : 0;
}

#endif
