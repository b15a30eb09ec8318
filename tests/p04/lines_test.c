/* Output passed on by whole lines. */
#include "p04-posix-mq/lines.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"

static struct lines lines;
static int in, out[2];

static int setup(void **state)
{
	(void)state;
	assert_int_equal(fdio_pipe(out), 0);
	fcntl(out[1], F_SETPIPE_SZ, 4 * LINES_MAX);
	fdio_set_nonblock(out[0], true);
	assert_int_equal(lines_open(&lines, out[1], &in), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lines_close(&lines);
	fdio_close(&in);
	fdio_close(&out[0]);
	fdio_close(&out[1]);
	return 0;
}

static void put(const char *text)
{
	assert_int_equal(fdio_write_full(in, text, strlen(text)), 0);
}

static void expect(const char *text)
{
	char got[256] = "";
	ssize_t n = fdio_read(out[0], got, sizeof(got) - 1);

	assert_int_equal(n == -EAGAIN ? 0 : n, strlen(text));
	assert_string_equal(got, text);
}

static void half_a_line_is_held_until_its_end_comes(void **state)
{
	(void)state;
	put("one\ntw");
	assert_int_equal(lines_forward(&lines), 6);
	expect("one\n");
	put("o\nthree\nfo");
	assert_int_equal(lines_forward(&lines), 10);
	expect("two\nthree\n");
	assert_int_equal(lines_forward(&lines), -EAGAIN);
	expect("");
}

static void the_rest_gets_its_newline_at_the_end(void **state)
{
	(void)state;
	put("rest");
	assert_int_equal(lines_forward(&lines), 4);
	expect("");
	fdio_close(&in);
	assert_int_equal(lines_forward(&lines), 0);
	assert_int_equal(lines_close(&lines), 0);
	expect("rest\n");
}

static void closing_passes_on_what_the_pipe_still_holds(void **state)
{
	(void)state;
	put("never\nread");
	assert_int_equal(lines_close(&lines), 0);
	expect("never\nread\n");
	/* The writer is still there, and nobody reads any more. */
	assert_int_equal(fdio_write_full(in, "x", 1), -EPIPE);
}

static void a_line_beyond_the_limit_is_cut(void **state)
{
	const size_t size = LINES_MAX + 10;
	char *text = malloc(size), *got = calloc(1, 2 * size);

	(void)state;
	memset(text, 'x', size);
	fcntl(in, F_SETPIPE_SZ, 4 * LINES_MAX);
	assert_int_equal(fdio_write_full(in, text, size), 0);
	assert_int_equal(fdio_write_full(in, "\nend\n", 5), 0);
	while (lines_forward(&lines) > 0)
		;
	assert_int_equal(fdio_read(out[0], got, 2 * size), size + 6);
	assert_memory_equal(got, text, LINES_MAX);
	assert_string_equal(got + LINES_MAX, "\nxxxxxxxxxx\nend\n");
	free(text);
	free(got);
}

static void what_cannot_be_written_is_an_error(void **state)
{
	(void)state;
	fdio_close(&out[0]);
	put("text\n");
	assert_int_equal(lines_forward(&lines), -EPIPE);
	put("text\n");
	assert_int_equal(lines_close(&lines), -EPIPE);
	assert_int_equal(lines_close(&lines), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(half_a_line_is_held_until_its_end_comes),
		CASE(the_rest_gets_its_newline_at_the_end),
		CASE(closing_passes_on_what_the_pipe_still_holds),
		CASE(a_line_beyond_the_limit_is_cut),
		CASE(what_cannot_be_written_is_an_error),
	};

	signal(SIGPIPE, SIG_IGN);
	return SUPPORT_MAIN(tests);
}
