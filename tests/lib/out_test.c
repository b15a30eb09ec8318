/* JSON, numbers, and the stream itself: this program run once more as one that
 * prints (see main). */
#include "lib/cmd/out.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "tests/support/capture.h"

/* ---- JSON and numbers ---------------------------------------------------------------- */

static void json_keeps_its_order_and_ends_in_a_newline(void **state)
{
	char *text;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	assert_non_null(to);
	assert_int_equal(out_json(json_pack("{s:i, s:f, s:[s], s:n}", "z", 1,
					    "a", 0.1, "m", "µ", "null"),
				  to),
			 0);
	assert_int_equal(fclose(to), 0);
	assert_string_equal(text, "{\n"
				  "  \"z\": 1,\n"
				  "  \"a\": 0.1,\n"
				  "  \"m\": [\n"
				  "    \"µ\"\n"
				  "  ],\n"
				  "  \"null\": null\n"
				  "}\n");
	free(text);
	assert_int_equal(out_json(NULL, stdout), -ENOMEM);
}

static void numbers_have_three_digits(void **state)
{
	static const struct {
		double value;
		const char *number, *rate, *duration;
	} cases[] = {
		{0, "0", "0 B/s", "0 ns"},
		{5, "5", "5 B/s", "5 ns"},
		{0.834, "0.83", "0.83 B/s", "0.83 ns"},
		{12.34, "12.3", "12.3 B/s", "12.3 ns"},
		{999, "999", "999 B/s", "999 ns"},
		{999.4, "999", "999 B/s", "999 ns"},
		{999.6, "1.00k", "1.00 kB/s", "1.00 us"},
		{9.996, "10.0", "10.0 B/s", "10.0 ns"},
		{99.96, "100", "100 B/s", "100 ns"},
		{1000, "1.00k", "1.00 kB/s", "1.00 us"},
		{12345, "12.3k", "12.3 kB/s", "12.3 us"},
		{999499, "999k", "999 kB/s", "999 us"},
		{999500, "1.00M", "1.00 MB/s", "1.00 ms"},
		{1.534e6, "1.53M", "1.53 MB/s", "1.53 ms"},
		{1.2e9, "1.20G", "1.20 GB/s", "1.20 s"},
		{6e10, "60.0G", "60.0 GB/s", "60.0 s"},
		{3.6e12, "3.60T", "3.60 TB/s", "3600 s"},
		{-1500, "-1.50k", "-1.50 kB/s", "-1.50 us"},
		{-7, "-7", "-7 B/s", "-7 ns"},
		{NAN, "-", "-", "-"},
		{INFINITY, "-", "-", "-"},
	};
	char buf[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		double value = cases[i].value;

		assert_string_equal(out_number(value, buf, sizeof(buf)),
				    cases[i].number);
		assert_string_equal(out_rate(value, buf, sizeof(buf)),
				    cases[i].rate);
		assert_string_equal(out_duration(value, buf, sizeof(buf)),
				    cases[i].duration);
	}
}

static void number_that_does_not_fit_is_cut(void **state)
{
	char buf[4] = "xxx";

	(void)state;
	assert_string_equal(out_number(12345, buf, sizeof(buf)), "12.");
}

/* ---- the stream ---------------------------------------------------------------------- */

static void full_disk_is_reported_by_each_kind_of_output(void **state)
{
	const struct out_column column = {"Title", OUT_LEFT};
	struct out_table *table = out_table_new(&column, 1);
	FILE *full = fopen("/dev/full", "we");
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_non_null(full);
	assert_non_null(table);
	assert_int_equal(out_table_print(table, full), -ENOSPC);
	clearerr(full);
	assert_int_equal(out_table_print_csv(table, full), -ENOSPC);
	clearerr(full);
	assert_int_equal(out_json(json_pack("{s:i}", "a", 1), full), -ENOSPC);
	/* An error that came before is not forgotten. */
	assert_true(dup2(null, fileno(full)) >= 0);
	assert_int_equal(out_json(json_pack("{}"), full), -EIO);
	clearerr(full);
	assert_int_equal(out_json(json_pack("{}"), full), 0);
	fclose(full);
	close(null);
	out_table_free(table);
}

static void colour_is_for_terminals_that_want_it(void **state)
{
	int master, slave;
	FILE *terminal, *file = tmpfile();

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	terminal = fdopen(slave, "w");
	assert_non_null(terminal);
	assert_non_null(file);

	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	assert_true(out_has_colour(terminal));
	assert_false(out_has_colour(file));
	setenv("NO_COLOR", "", 1);
	assert_true(out_has_colour(terminal));
	setenv("NO_COLOR", "1", 1);
	assert_false(out_has_colour(terminal));
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	assert_false(out_has_colour(terminal));
	unsetenv("TERM");
	assert_false(out_has_colour(terminal));

	fclose(terminal);
	fclose(file);
	close(master);
}

static char self[PATH_MAX];

/* Run this program as a command that prints (see main); out is its standard
 * output and is closed. */
static void run_printer(char *how, int out, struct capture *capture)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	char *argv[] = {self, how, NULL};
	int err[2], status;
	ssize_t len;
	pid_t pid;

	assert_int_equal(fdio_pipe(err), 0);
	spec.argv = argv;
	spec.out = out;
	spec.err = err[1];
	assert_int_equal(child_spawn(&spec, &pid), 0);
	close(err[1]);
	close(out);
	capture->err = calloc(1, 4096);
	assert_non_null(capture->err);
	len = fdio_read_until(err[0], capture->err, 4095,
			      tick_after(10 * TICK_S));
	assert_true(len >= 0);
	close(err[0]);
	assert_int_equal(child_wait(pid, tick_after(10 * TICK_S), &status), 0);
	capture->status = child_exit_code(status);
}

static void what_was_printed_arrives_and_the_status_stays(void **state)
{
	struct capture c = {0};

	(void)state;
	run_printer("little", open("/dev/null", O_WRONLY | O_CLOEXEC), &c);
	assert_string_equal(c.err, "");
	assert_int_equal(c.status, 7);
	capture_free(&c);
}

static void full_disk_makes_a_line_and_status_1(void **state)
{
	struct capture c = {0};

	(void)state;
	run_printer("little", open("/dev/full", O_WRONLY | O_CLOEXEC), &c);
	assert_string_equal(c.err, "out_test: cannot write to standard "
				   "output: No space left on device\n");
	assert_int_equal(c.status, 1);
	capture_free(&c);
	run_printer("much", open("/dev/full", O_WRONLY | O_CLOEXEC), &c);
	assert_int_equal(strncmp(c.err, "out_test: cannot write ", 23), 0);
	assert_ptr_equal(strchr(c.err, '\n'), c.err + strlen(c.err) - 1);
	assert_int_equal(c.status, 1);
	capture_free(&c);
}

static void reader_that_went_away_makes_a_line_and_status_1(void **state)
{
	struct capture c = {0};
	int fds[2];

	(void)state;
	assert_int_equal(fdio_pipe(fds), 0);
	close(fds[0]);
	run_printer("little", fds[1], &c);
	assert_string_equal(c.err, "out_test: cannot write to standard "
				   "output: Broken pipe\n");
	assert_int_equal(c.status, 1);
	capture_free(&c);
}

/* A command that lost its standard output but has nothing to say. */
static void closed_output_that_nobody_wrote_to_is_no_error(void **state)
{
	char *argv[] = {"sh", "-c", "exec \"$0\" nothing >/dev/full", self,
			NULL};
	struct capture c;

	(void)state;
	capture_run(&c, argv, NULL, 10000);
	assert_string_equal(c.err, "");
	assert_int_equal(c.status, 7);
	capture_free(&c);
}

static int be_printer(const char *how)
{
	signal(SIGPIPE, SIG_IGN);
	out_check_at_exit();
	out_check_at_exit(); /* twice is once */
	if (strcmp(how, "nothing") != 0)
		puts("some text");
	if (strcmp(how, "much") == 0)
		for (int i = 0; i < 100000; i++)
			puts("more text");
	return 7;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_disk_is_reported_by_each_kind_of_output),
		cmocka_unit_test(json_keeps_its_order_and_ends_in_a_newline),
		cmocka_unit_test(numbers_have_three_digits),
		cmocka_unit_test(number_that_does_not_fit_is_cut),
		cmocka_unit_test(colour_is_for_terminals_that_want_it),
		cmocka_unit_test(what_was_printed_arrives_and_the_status_stays),
		cmocka_unit_test(full_disk_makes_a_line_and_status_1),
		cmocka_unit_test(
			reader_that_went_away_makes_a_line_and_status_1),
		cmocka_unit_test(
			closed_output_that_nobody_wrote_to_is_no_error),
	};

	if (argc > 1)
		return be_printer(argv[1]);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return EXIT_FAILURE;
	return SUPPORT_MAIN(tests);
}
