/* Options and operands as a command gets them, help, version, and where its
 * output goes. Values are in cli_values_test.c, without any command in
 * parse_test.c. */
#include "tests/lib/cli_fixture.h"

#include <signal.h>

static void accepted_values_reach_their_variables(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "--msg-size=1MB", "name", "-n", "10K");
	assert_printed(&c, "size 1048576\ncount 10000\noperand name\ndone\n");
	RUN(&c, "demo", "--time=1.5s", "-q", "--level=-20");
	assert_printed(&c, "time 1500000000\nquiet\nlevel -20\ndone\n");
	RUN(&c, "demo", "--address=[::1]:7", "--mode=0640", "--format=json");
	assert_printed(&c, "address ::1 7\nmode 640\nformat 2\ndone\n");
	RUN(&c, "demo", "--port=65535", "-f", "", "--threads", "--iter=1G");
	assert_printed(&c, "count 1000000000\nport 65535\nthreads\nfile \n"
			   "done\n");
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

static void last_of_repeated_options_counts(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "-s", "16", "--msg-size=1K", "-qq");
	assert_printed(&c, "size 1024\nquiet\ndone\n");
	RUN(&c, "demo", "--threads", "--processes");
	assert_printed(&c, "done\n");
	RUN(&c, "demo", "--processes", "--threads", "-c", "0,0", "-c", "0");
	assert_printed(&c, "cpus 1\nthreads\ndone\n");
}

static void value_that_may_be_missing_is_never_the_next_word(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "--wait", "7", "-w8", "-w");
	assert_printed(&c, "wait for any\nwait 8\nwait for any\noperand 7\n"
			   "done\n");
	RUN(&c, "demo", "--wait=7");
	assert_printed(&c, "wait 7\ndone\n");
}

static void operands_stand_among_options_and_keep_their_order(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "--msg-size", "16", "one");
	assert_printed(&c, "size 16\noperand one\ndone\n");
	RUN(&c, "demo", "one", "-q", "two", "-n1");
	assert_printed(&c, "count 1\nquiet\noperand one\noperand two\n"
			   "done\n");
	RUN(&c, "demo", "-q", "one", "--", "--quiet");
	assert_printed(&c, "quiet\noperand one\noperand --quiet\ndone\n");
	RUN(&c, "worker", "12");
	assert_refused(&c, "N=12: accepted is 1 to 9");
}

static void negative_number_is_an_operand(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "-5", "-q", "-0.5s");
	assert_printed(&c, "quiet\noperand -5\noperand -0.5s\ndone\n");
	RUN(&c, "demo", "one", "-5", "-l", "-7");
	assert_printed(&c, "level -7\noperand one\noperand -5\ndone\n");
	RUN(&c, "demo", "-q", "--", "-5", "--");
	assert_printed(&c, "quiet\noperand -5\noperand --\ndone\n");
	RUN(&c, "demo", "one", "two", "-5");
	assert_refused(&c, "invalid option -- '5' (see --help)");
}

/* As expressions have them: no option begins so. */
static void word_with_no_letter_behind_its_dashes_is_an_operand(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "-5 + 3", "-q", "-(5 + 3)");
	assert_printed(&c, "quiet\noperand -5 + 3\noperand -(5 + 3)\ndone\n");
	RUN(&c, "demo", "- 5", "-.5");
	assert_printed(&c, "operand - 5\noperand -.5\ndone\n");
	RUN(&c, "demo", "--5", "-");
	assert_printed(&c, "operand --5\noperand -\ndone\n");
	RUN(&c, "demo", "---quiet");
	assert_refused(&c, "unrecognized option '---quiet' (see --help)");
	RUN(&c, "demo", "-?");
	assert_int_equal(c.status, 0);
	capture_free(&c);
}

static void words_behind_the_first_operand_may_be_operands(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "prefix", "-v", "one", "-v", "--", "-5", "--help");
	assert_printed(&c, "verbose\noperand one\noperand -v\noperand --\n"
			   "operand -5\noperand --help\n");
	RUN(&c, "prefix", "-v", "--", "-v", "-x");
	assert_printed(&c, "verbose\noperand -v\noperand -x\n");
	RUN(&c, "prefix", "-5", "-v");
	assert_printed(&c, "operand -5\noperand -v\n");
	RUN(&c, "prefix", "-x", "one");
	assert_refused(&c, "invalid option -- 'x' (see --help)");
}

static void superfluous_operand_is_named(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "one", "two", "three\n", "-q");
	assert_refused(&c, "unexpected operand 'three?' (see --help)");
	RUN(&c, "demo", "one", "--", "two", "-3");
	assert_refused(&c, "unexpected operand '-3' (see --help)");
}

static void subcommand_is_named_in_usage_but_not_in_complaints(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "work", "--help");
	assert_int_equal(c.status, 0);
	assert_ptr_equal(strstr(c.out, "Usage: cli_test work [OPTION...]"),
			 c.out);
	capture_free(&c);
	RUN(&c, "work", "--loud");
	assert_refused(&c, "unrecognized option '--loud' (see --help)");
	RUN(&c, "work", "-v");
	assert_printed(&c, "verbose\ncli_test\n");
}

static void words_behind_two_dashes_are_the_commands_own(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "worker", "3", "-v", "--", "ls", "-v", "--", "-5");
	assert_printed(&c, "verbose\nn 3\nword ls\nword -v\nword --\n"
			   "word -5\ncli_test\n");
	RUN(&c, "worker", "--", "3");
	assert_printed(&c, "word 3\ncli_test\n");
	RUN(&c, "worker", "3", "--");
	assert_printed(&c, "n 3\ncli_test\n");
	RUN(&c, "worker", "3", "ls", "-v");
	assert_refused(&c, "unexpected operand 'ls' (see --help)");
	RUN(&c, "worker", "--nothing", "3");
	assert_refused(&c, "unrecognized option '--nothing' (see --help)");
}

static void limit_that_does_not_fit_its_variable_aborts(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "narrow");
	assert_int_equal(c.status, 128 + SIGABRT);
	capture_free(&c);
}

/* What fuzz targets use: neither help nor words. */
static void trying_says_nothing(void **state)
{
	bool is_quiet = false;
	const struct cli_option options[] = {
		CLI_ON("quiet", 'q', &is_quiet, "Say nothing"),
		{0},
	};
	const struct cli_command command = {.most = 1, .options = options};
	char *good[] = {"x", "-q", "one", NULL};
	char *bad[][3] = {{"x", "-z"}, {"x", "--help"}, {"x", "1", "2"}};

	(void)state;
	assert_int_equal(cli_try(&command, 3, good), 1);
	assert_string_equal(good[1], "one");
	assert_null(good[2]);
	assert_true(is_quiet);
	assert_int_equal(cli_try(&command, 2, bad[0]), -EINVAL);
	assert_int_equal(cli_try(&command, 2, bad[1]), -EINVAL);
	assert_int_equal(cli_try(&command, 3, bad[2]), -EINVAL);
}

static void help_and_version_go_to_standard_output(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "--version");
	assert_printed(&c, "cli_test (unixipc) " UNIXIPC_VERSION "\n");
	RUN(&c, "demo", "--help");
	assert_int_equal(c.status, 0);
	assert_string_equal(c.err, "");
	assert_int_equal(strncmp(c.out,
				 "Usage: cli_test [OPTION...] [NAME [NUMBER]]",
				 43),
			 0);
	assert_non_null(strstr(c.out, "--msg-size=SIZE"));
	assert_non_null(strstr(c.out, "-q, --quiet "));
	assert_non_null(strstr(c.out, "-w, --wait[=ID] "));
	assert_non_null(strstr(c.out, "      --threads "));
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
		assert_string_equal(c.err, "cli_test: cannot write to standard "
					   "output: No space left on device\n");
		assert_int_equal(c.status, 1);
		capture_free(&c);
		run_to(&c, "exec \"$0\" demo \"$1\" >&-", options[i]);
		assert_string_equal(c.err, "cli_test: cannot write to standard "
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

/* Else nobody could wait for a child of the command. */
static void sigchld_that_was_ignored_is_so_no_more(void **state)
{
	struct capture c;

	(void)state;
	run_to(&c, "exec env --ignore-signal=CHLD \"$0\" demo \"$1\"",
	       "--children");
	assert_printed(&c, "told\ndone\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_values_reach_their_variables),
		cmocka_unit_test(what_getopt_refuses_is_one_line),
		cmocka_unit_test(line_break_in_an_option_makes_no_second_line),
		cmocka_unit_test(last_of_repeated_options_counts),
		cmocka_unit_test(
			value_that_may_be_missing_is_never_the_next_word),
		cmocka_unit_test(
			operands_stand_among_options_and_keep_their_order),
		cmocka_unit_test(negative_number_is_an_operand),
		cmocka_unit_test(
			word_with_no_letter_behind_its_dashes_is_an_operand),
		cmocka_unit_test(
			words_behind_the_first_operand_may_be_operands),
		cmocka_unit_test(superfluous_operand_is_named),
		cmocka_unit_test(
			subcommand_is_named_in_usage_but_not_in_complaints),
		cmocka_unit_test(words_behind_two_dashes_are_the_commands_own),
		cmocka_unit_test(limit_that_does_not_fit_its_variable_aborts),
		cmocka_unit_test(trying_says_nothing),
		cmocka_unit_test(help_and_version_go_to_standard_output),
		cmocka_unit_test(output_that_cannot_be_written_is_an_error),
		cmocka_unit_test(what_a_command_opens_is_no_standard_stream),
		cmocka_unit_test(sigchld_that_was_ignored_is_so_no_more),
	};

	if (argc > 1)
		return run_command(argc - 1, argv + 1);
	if (find_self())
		return EXIT_FAILURE;
	return SUPPORT_MAIN(tests);
}
