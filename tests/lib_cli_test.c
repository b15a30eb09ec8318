/* Options as a command gets them: this program run once more, with a word in
 * front that says as which command (see main at the end). */
#include "lib/cli.h"

#include "tests/support/support.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/die.h"
#include "tests/support/capture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int64_t S = INT64_C(1000000000);

/* ---- two commands ---------------------------------------------------------------- */

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

static error_t parse_demo(int key, char *arg, struct argp_state *state)
{
	struct cli_endpoint endpoint;
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

static error_t parse_child(int key, char *arg, struct argp_state *state)
{
	(void)arg, (void)state;
	if (key != 'q')
		return ARGP_ERR_UNKNOWN;
	puts("quiet");
	return 0;
}

static int run_demo(int argc, char **argv)
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

	cli_parse(&argp, argc, argv, NULL);
	puts("done");
	return EXIT_SUCCESS;
}

/* worker [-v] N COMMAND [ARG…]: -v is ours only in front of N. */
static error_t parse_worker(int key, char *arg, struct argp_state *state)
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

static int run_worker(int argc, char **argv, bool is_subcommand)
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

/* ---- what they answer --------------------------------------------------------------- */

#define MAX_WORDS 8

static char self[PATH_MAX];

/* Run "demo …" or "worker …". */
static void run_words(struct capture *capture, const char *const words[])
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
static void assert_refused(struct capture *capture, const char *wanted)
{
	static const char prefix[] = "lib_cli_test: ";
	const char *newline = strchr(capture->err, '\n');

	if (capture->status != DIE_USAGE || *capture->out || !newline ||
	    newline[1] || strncmp(capture->err, prefix, strlen(prefix)) != 0 ||
	    strncmp(capture->err + strlen(prefix), wanted, strlen(wanted)) != 0)
		fail_msg("wanted status 2 and one line '%s%s…', got %d, '%s', "
			 "out '%s'",
			 prefix, wanted, capture->status, capture->err,
			 capture->out);
	capture_free(capture);
}

static void assert_printed(struct capture *capture, const char *wanted)
{
	assert_string_equal(capture->err, "");
	assert_string_equal(capture->out, wanted);
	assert_int_equal(capture->status, 0);
	capture_free(capture);
}

static void accepted_options_reach_their_parser(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "--msg-size=1MB", "name", "-n", "10K");
	assert_printed(&c, "size 1048576\ncount 10000\noperand name\ndone\n");
	RUN(&c, "demo", "--time=1.5s", "-q", "--level=-20");
	assert_printed(&c, "time 1500000000\nquiet\nlevel -20\ndone\n");
	RUN(&c, "demo", "--address=[::1]:7", "--mode=0640", "--format=json");
	assert_printed(&c, "address ::1 7\nmode 640\nformat 2\ndone\n");
	RUN(&c, "demo", "--form=csv", "--", "-q");
	assert_printed(&c, "format 1\noperand -q\ndone\n");
}

static void what_getopt_refuses_is_one_line(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "--frobnicate");
	assert_refused(&c, "unrecognized option '--frobnicate' (see --help)");
	RUN(&c, "demo", "-x");
	assert_refused(&c, "invalid option -- 'x' (see --help)");
	RUN(&c, "demo", "--msg-size");
	assert_refused(&c, "option '--msg-size' requires an argument (see");
	RUN(&c, "demo", "-s");
	assert_refused(&c, "option requires an argument -- 's' (see --help)");
	RUN(&c, "demo", "--quiet=yes");
	assert_refused(&c, "option '--quiet' doesn't allow an argument (see");
	RUN(&c, "demo", "--m=1");
	assert_refused(&c, "option '--m=1' is ambiguous; possibilities: ");
}

static void line_break_in_an_option_makes_no_second_line(void **state)
{
	struct capture c;
	char text[3000];

	(void)state;
	RUN(&c, "demo", "--x\ny\033[2J");
	assert_refused(&c, "unrecognized option '--x");
	RUN(&c, "demo", "--msg-size=1\n2");
	assert_refused(&c, "--msg-size=1?2: accepted is 16 to 64MB");

	memset(text, 'x', sizeof(text) - 1);
	text[0] = text[1] = '-';
	text[sizeof(text) - 1] = '\0';
	RUN(&c, "demo", text);
	assert_refused(&c, "unrecognized option '--xxx");
	RUN(&c, "demo", "-s", text + 2);
	assert_true(strstr(c.err, ": accepted is 16 to 64MB\n") != NULL);
	assert_refused(&c, "--msg-size=xxx");
}

static void operand_that_no_parser_takes_is_named(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "--msg-size", "16", "one");
	assert_printed(&c, "size 16\noperand one\ndone\n");
	RUN(&c, "worker", "12");
	assert_refused(&c, "N=12: accepted is 1 to 9");
}

/* Standard output of the first operand is already there. */
static void superfluous_operand_is_named(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "one", "two\n", "-q");
	assert_int_equal(c.status, DIE_USAGE);
	assert_string_equal(
		c.err,
		"lib_cli_test: unexpected operand 'two?' (see --help)\n");
	capture_free(&c);
}

static void subcommand_is_named_in_usage_but_not_in_complaints(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "work", "--help");
	assert_int_equal(c.status, 0);
	assert_ptr_equal(strstr(c.out, "Usage: lib_cli_test work [OPTION...]"),
			 c.out);
	capture_free(&c);
	RUN(&c, "work", "--loud");
	assert_refused(&c, "unrecognized option '--loud' (see --help)");
	RUN(&c, "work", "-v");
	assert_printed(&c, "verbose\nlib_cli_test\n");
}

static void parsers_that_use_argp_itself_get_one_line_too(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "--fail=argp_error");
	assert_refused(&c, "argp's own words (see --help)");
	RUN(&c, "demo", "--fail=argp_usage");
	assert_refused(&c, "Usage: ");
	RUN(&c, "demo", "--fail=errno");
	assert_refused(&c, "options are not accepted: Cannot allocate memory");
}

static void refused_value_names_option_value_and_what_is_accepted(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "--msg-size=0");
	assert_refused(&c, "--msg-size=0: accepted is 16 to 64MB\n");
	RUN(&c, "demo", "--msg-size=65MB");
	assert_refused(&c, "--msg-size=65MB: accepted is 16 to 64MB\n");
	RUN(&c, "demo", "--msg-size=");
	assert_refused(&c, "--msg-size=: accepted is 16 to 64MB\n");
	RUN(&c, "demo", "--iterations=abc");
	assert_refused(&c, "--iterations=abc: accepted is 1 or more\n");
	RUN(&c, "demo", "--time=0");
	assert_refused(&c, "--time=0: accepted is 1ms to 1h\n");
	RUN(&c, "demo", "--address=nowhere");
	assert_refused(&c, "--address=nowhere: accepted is HOST:PORT, ");
	RUN(&c, "demo", "--format=xml");
	assert_refused(&c, "--format=xml: accepted is table, csv or json\n");
	RUN(&c, "demo", "--level=-21");
	assert_refused(&c, "--level=-21: accepted is -20 or more\n");
}

static void mode_is_octal_and_of_permissions_only(void **state)
{
	static const char *const refused[] = {
		"--mode=",     "--mode=8",     "--mode=1000", "--mode=00600",
		"--mode=rw-r", "--mode=-0600", "--mode=0x1",
	};
	struct capture c;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		RUN(&c, "demo", refused[i]);
		assert_refused(&c, refused[i]);
	}
	RUN(&c, "demo", "--mode=777");
	assert_printed(&c, "mode 777\ndone\n");
}

static void cpu_that_is_not_there_is_refused_with_those_that_are(void **state)
{
	struct capture c;
	cpu_set_t ours;
	char first[32];
	size_t cpu = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(ours), &ours), 0);
	while (!CPU_ISSET(cpu, &ours))
		cpu++;
	snprintf(first, sizeof(first), "--cpus=%zu,%zu", cpu, cpu);
	RUN(&c, "demo", first);
	assert_printed(&c, "cpus 2\ndone\n");
	RUN(&c, "demo", "--cpus=1023");
	assert_refused(&c, "--cpus=1023: accepted is a list of at most 2 of "
			   "the CPUs ");
	RUN(&c, "demo", "--cpus=0,0,0");
	assert_refused(&c, "--cpus=0,0,0: accepted is a list of at most 2 of ");
}

static void options_after_a_command_are_the_commands_own(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "worker", "-v", "3", "ls", "-v", "--nothing");
	assert_printed(
		&c, "verbose\nn 3\nword ls\nword -v\nword --nothing\ndone\n");
	RUN(&c, "worker", "3", "--", "ls", "-v", "--", "x");
	assert_printed(&c, "n 3\nword ls\nword -v\nword --\nword x\ndone\n");
	RUN(&c, "worker", "--nothing", "3");
	assert_refused(&c, "unrecognized option '--nothing' (see --help)");
}

static void help_and_version_go_to_standard_output(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "--version");
	assert_printed(&c, "lib_cli_test (unixipc) " UNIXIPC_VERSION "\n");
	RUN(&c, "demo", "--help");
	assert_int_equal(c.status, 0);
	assert_string_equal(c.err, "");
	assert_int_equal(
		strncmp(c.out, "Usage: lib_cli_test [OPTION...] [NAME]", 38),
		0);
	assert_non_null(strstr(c.out, "--msg-size=SIZE"));
	assert_non_null(strstr(c.out, "--quiet"));
	capture_free(&c);
}

/* Run it by a shell that sends its output elsewhere. */
static void run_to(struct capture *c, const char *script, const char *option)
{
	char *argv[] = {"sh",
			"-c",
			(char *)(uintptr_t)script,
			self,
			(char *)(uintptr_t)option,
			NULL};

	capture_run(c, argv, NULL, 10000);
}

static void output_that_cannot_be_written_is_an_error(void **state)
{
	static const char *const options[] = {"-q", "--help", "--version"};
	struct capture c;

	(void)state;
	for (size_t i = 0; i < COUNT(options); i++) {
		run_to(&c, "exec \"$0\" demo \"$1\" >/dev/full", options[i]);
		assert_string_equal(c.err,
				    "lib_cli_test: cannot write to standard "
				    "output: No space left on device\n");
		assert_int_equal(c.status, 1);
		capture_free(&c);
		run_to(&c, "exec \"$0\" demo \"$1\" >&-", options[i]);
		assert_string_equal(c.err,
				    "lib_cli_test: cannot write to standard "
				    "output: Bad file descriptor\n");
		assert_int_equal(c.status, 1);
		capture_free(&c);
	}
}

static void what_a_command_opens_is_no_standard_stream(void **state)
{
	struct capture c;

	(void)state;
	run_to(&c, "exec \"$0\" demo \"$1\" <&- 2>&- | cat",
	       "--open=/dev/null");
	assert_printed(&c, "above\ndone\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_options_reach_their_parser),
		cmocka_unit_test(what_getopt_refuses_is_one_line),
		cmocka_unit_test(line_break_in_an_option_makes_no_second_line),
		cmocka_unit_test(operand_that_no_parser_takes_is_named),
		cmocka_unit_test(superfluous_operand_is_named),
		cmocka_unit_test(
			subcommand_is_named_in_usage_but_not_in_complaints),
		cmocka_unit_test(parsers_that_use_argp_itself_get_one_line_too),
		cmocka_unit_test(
			refused_value_names_option_value_and_what_is_accepted),
		cmocka_unit_test(mode_is_octal_and_of_permissions_only),
		cmocka_unit_test(
			cpu_that_is_not_there_is_refused_with_those_that_are),
		cmocka_unit_test(options_after_a_command_are_the_commands_own),
		cmocka_unit_test(help_and_version_go_to_standard_output),
		cmocka_unit_test(output_that_cannot_be_written_is_an_error),
		cmocka_unit_test(what_a_command_opens_is_no_standard_stream),
	};

	if (argc > 1 && strcmp(argv[1], "demo") == 0)
		return run_demo(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "worker") == 0)
		return run_worker(argc - 1, argv + 1, false);
	if (argc > 1 && strcmp(argv[1], "work") == 0)
		return run_worker(argc - 1, argv + 1, true);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return EXIT_FAILURE;
	return SUPPORT_MAIN(tests);
}
