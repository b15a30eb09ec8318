/* lib_cli_fixture.h - options as a command gets them: a test program run once
 * more, with a word in front that says as which command (see run_command()). */
#ifndef UNIXIPC_TESTS_LIB_CLI_FIXTURE_H
#define UNIXIPC_TESTS_LIB_CLI_FIXTURE_H

#include "lib/cli.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/die.h"
#include "tests/support/capture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int64_t S = INT64_C(1000000000);

/* ---- two commands ---- */

enum {
	OPT_TIME = 256,
	OPT_ADDRESS,
	OPT_MODE,
	OPT_FORMAT,
	OPT_LEVEL,
	OPT_OPEN,
	OPT_FAIL
};

static const char *const formats[] = {"table", "csv", "json", NULL};

static inline error_t parse_demo(int key, char *arg, struct argp_state *state)
{
	struct parse_endpoint endpoint;
	int cpus[2];
	size_t n;

	switch (key) {
	case 's':
		printf("size %ju\n",
		       (uintmax_t)cli_size("--msg-size", arg, 16, 64 << 20));
		return 0;
	case 'n':
		printf("count %ju\n", (uintmax_t)cli_count("--iterations", arg,
							   1, UINT64_MAX));
		return 0;
	case 'c':
		cli_cpus("--cpus", arg, cpus, 2, &n);
		printf("cpus %zu\n", n);
		return 0;
	case OPT_TIME:
		printf("time %jd\n",
		       (intmax_t)cli_duration("--time", arg, S / 1000,
					      3600 * S));
		return 0;
	case OPT_ADDRESS:
		cli_endpoint("--address", arg, &endpoint);
		printf("address %s %d\n", endpoint.host, endpoint.port);
		return 0;
	case OPT_MODE:
		printf("mode %o\n", cli_mode("--mode", arg));
		return 0;
	case OPT_FORMAT:
		printf("format %d\n", cli_word("--format", arg, formats));
		return 0;
	case OPT_LEVEL:
		printf("level %jd\n",
		       (intmax_t)cli_integer("--level", arg, -20, INT64_MAX));
		return 0;
	case OPT_OPEN:
		puts(open(arg, O_RDONLY | O_CLOEXEC) > STDERR_FILENO ? "above"
								     : "below");
		return 0;
	case OPT_FAIL:
		if (strcmp(arg, "argp_error") == 0)
			argp_error(state, "argp's own words");
		else if (strcmp(arg, "argp_usage") == 0)
			argp_usage(state);
		else
			return ENOMEM;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			return ARGP_ERR_UNKNOWN;
		printf("operand %s\n", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static inline error_t parse_child(int key, char *arg, struct argp_state *state)
{
	(void)arg, (void)state;
	if (key != 'q')
		return ARGP_ERR_UNKNOWN;
	puts("quiet");
	return 0;
}

static inline int run_demo(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"msg-size", 's', "SIZE", 0, "16 to 64MB", 0},
		{"iterations", 'n', "N", 0, "1 or more", 0},
		{"cpus", 'c', "A,B", 0, "Where", 0},
		{"time", OPT_TIME, "TIME", 0, "How long", 0},
		{"address", OPT_ADDRESS, "HOST:PORT", 0, "Where to", 0},
		{"mode", OPT_MODE, "MODE", 0, "Who may", 0},
		{"format", OPT_FORMAT, "WORD", 0, "table, csv or json", 0},
		{"level", OPT_LEVEL, "N", 0, "-20 or more", 0},
		{"open", OPT_OPEN, "FILE", 0, "As a command might", 0},
		{"fail", OPT_FAIL, "HOW", 0, "As a parser might", 0},
		{0},
	};
	static const struct argp_option child_options[] = {
		{"quiet", 'q', NULL, 0, "Of a child", 0}, {0}};
	static const struct argp child = {.options = child_options,
					  .parser = parse_child};
	static const struct argp_child children[] = {{&child, 0, NULL, 0}, {0}};
	static const struct argp argp = {.options = options,
					 .parser = parse_demo,
					 .children = children,
					 .args_doc = "[NAME]",
					 .doc = "Show what was understood."};

	cli_parse_argp(&argp, argc, argv, NULL);
	puts("done");
	return EXIT_SUCCESS;
}

/* worker [-v] N COMMAND [ARG…]: -v is ours only in front of N. */
static inline error_t parse_worker(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'v':
		puts("verbose");
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0) {
			printf("n %ju\n", (uintmax_t)cli_count("N", arg, 1, 9));
			return 0;
		}
		for (int i = state->next - 1; i < state->argc; i++)
			printf("word %s\n", state->argv[i]);
		state->next = state->argc;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static inline int run_worker(int argc, char **argv, bool is_subcommand)
{
	static const struct argp_option options[] = {
		{"verbose", 'v', NULL, 0, "More", 0}, {0}};
	static const struct argp argp = {.options = options,
					 .parser = parse_worker};

	if (is_subcommand) {
		cli_parse_command(&argp, "work", argc, argv, NULL);
		puts(argv[0]);
		return EXIT_SUCCESS;
	}

	cli_parse_in_order(&argp, argc, argv, NULL);
	puts("done");
	return EXIT_SUCCESS;
}

/* ---- running them ---- */

#define MAX_WORDS 8

static char self[PATH_MAX];

/* Run "demo …" or "worker …". */
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
		return run_worker(argc, argv, false);
	return run_worker(argc, argv, true);
}

/* And without any, the tests: where they find the program. 0 or -1. */
static inline int find_self(void)
{
	return readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ? -1 : 0;
}

#endif
