/* Output passed on by whole lines. */
#include "p04-posix-mq/line_buffer.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

static struct outlet outlet;
static struct line_buffer buffer;
static int in, out[2];

static int setup(void **state)
{
	(void)state;
	assert_int_equal(fdio_pipe(out), 0);
	fcntl(out[1], F_SETPIPE_SZ, 4 * LINE_BUFFER_MAX);
	fdio_set_nonblock(out[0], true);
	outlet_init(&outlet, out[1]);
	assert_int_equal(line_buffer_open(&buffer, &outlet, &in), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	line_buffer_close(&buffer, 0);
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
	assert_int_equal(line_buffer_forward(&buffer), 6);
	expect("one\n");
	put("o\nthree\nfo");
	assert_int_equal(line_buffer_forward(&buffer), 10);
	expect("two\nthree\n");
	assert_int_equal(line_buffer_forward(&buffer), -EAGAIN);
	expect("");
}

static void the_rest_gets_its_newline_at_the_end(void **state)
{
	(void)state;
	put("rest");
	assert_int_equal(line_buffer_forward(&buffer), 4);
	expect("");
	fdio_close(&in);
	assert_int_equal(line_buffer_forward(&buffer), 0);
	expect("rest\n");
	assert_int_equal(line_buffer_forward(&buffer), 0);
	assert_int_equal(line_buffer_close(&buffer, 0), 0);
	expect("");
}

static void closing_passes_on_what_the_pipe_still_holds(void **state)
{
	(void)state;
	put("never\nread");
	assert_int_equal(line_buffer_close(&buffer, 0), 0);
	expect("never\nread\n");
	/* The writer is still there, and nobody reads any more. */
	assert_int_equal(fdio_write_full(in, "x", 1), -EPIPE);
}

static void a_line_beyond_the_limit_is_cut(void **state)
{
	const size_t size = LINE_BUFFER_MAX + 10;
	char *text = malloc(size), *got = calloc(1, 2 * size);

	(void)state;
	memset(text, 'x', size);
	fcntl(in, F_SETPIPE_SZ, 4 * LINE_BUFFER_MAX);
	assert_int_equal(fdio_write_full(in, text, size), 0);
	assert_int_equal(fdio_write_full(in, "\nend\n", 5), 0);
	while (line_buffer_forward(&buffer) > 0)
		;
	assert_int_equal(fdio_read(out[0], got, 2 * size), size + 6);
	assert_memory_equal(got, text, LINE_BUFFER_MAX);
	assert_string_equal(got + LINE_BUFFER_MAX, "\nxxxxxxxxxx\nend\n");
	free(text);
	free(got);
}

static void what_cannot_be_written_is_an_error(void **state)
{
	(void)state;
	fdio_close(&out[0]);
	put("text\n");
	assert_int_equal(line_buffer_forward(&buffer), -EPIPE);
	put("text\n");
	assert_int_equal(line_buffer_close(&buffer, 0), -EPIPE);
	assert_int_equal(line_buffer_close(&buffer, 0), 0);
}

/* ---- a reader that does not read ---------------------------------------------------- */

/* A pipe that holds a page is full. */
static void fill_outlet(void)
{
	char page[4096];

	memset(page, 'x', sizeof(page));
	assert_int_equal(fcntl(out[1], F_SETPIPE_SZ, sizeof(page)),
			 sizeof(page));
	assert_int_equal(fdio_write_full(out[1], page, sizeof(page)), 0);
}

static void empty_outlet(void)
{
	char page[4096];

	assert_int_equal(fdio_read(out[0], page, sizeof(page)), sizeof(page));
}

static void what_the_outlet_does_not_take_stays_in_the_pipe(void **state)
{
	int left;

	(void)state;
	fill_outlet();
	put("one\n");
	assert_int_equal(line_buffer_forward(&buffer), 4);
	assert_false(outlet_is_free(&outlet));
	put("two\n");
	assert_int_equal(line_buffer_forward(&buffer), -EAGAIN);
	assert_int_equal(ioctl(buffer.from, FIONREAD, &left), 0);
	assert_int_equal(left, 4);
	empty_outlet();
	assert_int_equal(outlet_flush(&outlet), 0);
	assert_int_equal(line_buffer_forward(&buffer), 4);
	expect("one\ntwo\n");
}

static void at_the_end_no_more_than_the_pipe_held_is_passed_on(void **state)
{
	(void)state;
	fill_outlet();
	put("one\ntw");
	line_buffer_end(&buffer);
	put("o\nlate\n"); /* a process in the background */
	assert_int_equal(line_buffer_forward(&buffer), 6);
	assert_int_equal(line_buffer_forward(&buffer), -EAGAIN);
	empty_outlet();
	assert_int_equal(outlet_flush(&outlet), 0);
	assert_int_equal(line_buffer_forward(&buffer), 0);
	expect("one\ntw\n");
	assert_int_equal(fdio_write_full(in, "x", 1), -EPIPE);
}

static void what_comes_after_the_end_is_not_passed_on_by_the_close(void **state)
{
	(void)state;
	put("one\ntw");
	line_buffer_end(&buffer);
	put("o\nlate\n");
	assert_int_equal(line_buffer_close(&buffer, 0), 0);
	expect("one\ntw\n");
}

ssize_t __real_fdio_write_some(int fd, const void *buf, size_t len,
			       int64_t deadline);
ssize_t __wrap_fdio_write_some(int fd, const void *buf, size_t len,
			       int64_t deadline);

static bool is_interrupted; /* the next write */

ssize_t __wrap_fdio_write_some(int fd, const void *buf, size_t len,
			       int64_t deadline)
{
	if (!is_interrupted)
		return __real_fdio_write_some(fd, buf, len, deadline);
	is_interrupted = false;
	return -EINTR;
}

static void a_signal_while_the_outlet_writes_is_no_error(void **state)
{
	(void)state;
	put("one\n");
	is_interrupted = true;
	assert_int_equal(line_buffer_forward(&buffer), 4);
	assert_false(is_interrupted);
	assert_int_equal(outlet.error, 0);
	assert_int_equal(outlet_flush(&outlet), 0);
	expect("one\n");
}

static void a_line_that_is_too_long_to_say_is_cut(void **state)
{
	char text[1025];

	(void)state;
	for (size_t n = 1020; n < sizeof(text); n++) {
		size_t wanted =
			n < 1022 ? n : 1022; /* with '\\n' and NUL 1024 */
		char got[2048] = "";

		memset(text, 'x', n);
		text[n] = '\0';
		assert_int_equal(outlet_say(&outlet, "%s\n", text), 0);
		assert_int_equal(fdio_read(out[0], got, sizeof(got)),
				 wanted + 1);
		assert_int_equal(strspn(got, "x"), wanted);
		assert_string_equal(got + wanted, "\n");
	}
}

/* The note of the others would have fit, and would be said twice. */
static void what_is_dropped_is_counted_once(void **state)
{
	static char got[OUTLET_MAX + 8192];
	const size_t line = 1000;
	char text[1000];
	ssize_t n, all = 0;

	(void)state;
	memset(text, 'x', line - 1);
	text[line - 1] = '\0';
	fill_outlet();
	while (outlet.dropped < 3)
		assert_int_equal(outlet_say(&outlet, "%s\n", text), 0);
	assert_true(fcntl(out[1], F_SETPIPE_SZ, 1 << 18) > 0);
	assert_int_equal(outlet_flush(&outlet), 0);
	assert_int_equal(outlet_say(&outlet, "%s\n", "next"), 0);
	while ((n = fdio_read(out[0], got + all,
			      sizeof(got) - 1 - (size_t)all)) > 0)
		all += n;
	got[all] = '\0';
	assert_string_equal(strchr(got, '('),
			    "(3 lines dropped: nobody read)\nnext\n");
}

static void closing_waits_for_a_reader_until_the_deadline(void **state)
{
	(void)state;
	fill_outlet();
	put("text\nmore\n");
	assert_int_equal(line_buffer_close(&buffer, tick_after(10 * TICK_MS)),
			 0);
	fdio_close(&in);
	assert_int_equal(line_buffer_open(&buffer, &outlet, &in), 0);
	put("lost\n");
	assert_int_equal(line_buffer_close(&buffer, tick_after(10 * TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(outlet_drain(&outlet, tick_after(10 * TICK_MS)),
			 -ETIMEDOUT);
	empty_outlet();
	assert_int_equal(outlet_drain(&outlet, 0), 0);
	expect("text\nmore\n");
}

static void what_is_said_to_nobody_is_dropped_and_counted(void **state)
{
	char got[8192], wanted[64];
	ssize_t n;

	(void)state;
	fill_outlet();
	for (int i = 0; i < 30000; i++)
		assert_int_equal(outlet_say(&outlet, "line %d\n", i), 0);
	assert_true(outlet.dropped > 0 && outlet.dropped < 30000);
	snprintf(wanted, sizeof(wanted),
		 "(%lu lines dropped: nobody read)\nnext\n", outlet.dropped);
	assert_true(fcntl(out[1], F_SETPIPE_SZ, 1 << 18) > 0);
	assert_int_equal(outlet_flush(&outlet), 0);
	while ((n = fdio_read(out[0], got, sizeof(got))) > 0)
		assert_int_equal(got[n - 1] == '\n' || n == sizeof(got), 1);
	assert_int_equal(outlet_say(&outlet, "%s\n", "next"), 0);
	expect(wanted);
}

static void a_line_that_is_said_is_not_torn_by_one_that_waits(void **state)
{
	(void)state;
	fill_outlet();
	put("text\n");
	assert_int_equal(line_buffer_forward(&buffer), 5);
	assert_int_equal(outlet_say(&outlet, "said\n"), 0);
	empty_outlet();
	assert_int_equal(outlet_flush(&outlet), 0);
	expect("text\nsaid\n");
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
		CASE(what_the_outlet_does_not_take_stays_in_the_pipe),
		CASE(at_the_end_no_more_than_the_pipe_held_is_passed_on),
		CASE(what_comes_after_the_end_is_not_passed_on_by_the_close),
		CASE(a_signal_while_the_outlet_writes_is_no_error),
		CASE(a_line_that_is_too_long_to_say_is_cut),
		CASE(what_is_dropped_is_counted_once),
		CASE(closing_waits_for_a_reader_until_the_deadline),
		CASE(what_is_said_to_nobody_is_dropped_and_counted),
		CASE(a_line_that_is_said_is_not_torn_by_one_that_waits),
	};

	signal(SIGPIPE, SIG_IGN);
	return SUPPORT_MAIN(tests);
}
