/* Linked with --wrap=tick_now: the test says how late it is. Standard error is
 * a pseudo-terminal while the line is drawn. */
#include "lib/cmd/progress.h"

#include "tests/support/support.h"

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/tick.h"

#define CLEAR "\r\033[K"

static int64_t now;
static bool is_fake;

int64_t __real_tick_now(void);
int64_t __wrap_tick_now(void);
int64_t __wrap_tick_now(void)
{
	return is_fake ? now : __real_tick_now();
}

struct terminal {
	int master, slave;
	int saved_stderr; /* -1: stderr is our own */
	char text[4096];  /* what take() found */
};

static int set_up(void **state)
{
	static struct terminal terminal;
	struct winsize size = {.ws_row = 24, .ws_col = 60};

	if (openpty(&terminal.master, &terminal.slave, NULL, NULL, &size) < 0)
		return -1;
	terminal.saved_stderr = -1;
	setenv("TERM", "xterm", 1);
	now = 1000 * TICK_S;
	is_fake = true;
	*state = &terminal;
	return 0;
}

static void leave_terminal(struct terminal *terminal)
{
	if (terminal->saved_stderr < 0)
		return;
	dup2(terminal->saved_stderr, STDERR_FILENO);
	close(terminal->saved_stderr);
	terminal->saved_stderr = -1;
}

static int tear_down(void **state)
{
	struct terminal *terminal = *state;

	is_fake = false;
	leave_terminal(terminal);
	close(terminal->master);
	close(terminal->slave);
	return 0;
}

/* From here to the next assertion, standard error is fd. */
static void redirect_to(struct terminal *terminal, int fd)
{
	terminal->saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(fd, STDERR_FILENO);
}

/* What was printed on the terminal so far; a bell marks its end, since bytes
 * take their time from one side of it to the other. */
static const char *take(struct terminal *terminal)
{
	size_t len = 0;
	ssize_t n;

	leave_terminal(terminal);
	assert_int_equal(write(terminal->slave, "\a", 1), 1);
	do {
		n = read(terminal->master, terminal->text + len,
			 sizeof(terminal->text) - len);
		assert_true(n > 0);
		len += (size_t)n;
	} while (terminal->text[len - 1] != '\a');
	terminal->text[len - 1] = '\0';
	return terminal->text;
}

static void assert_shown(struct terminal *terminal, const char *wanted)
{
	assert_string_equal(take(terminal), wanted);
}

static void start(struct terminal *terminal, struct progress *p, uint64_t total)
{
	redirect_to(terminal, terminal->slave);
	progress_start(p, total);
}

static void update(struct terminal *terminal, struct progress *p, uint64_t done,
		   const char *what)
{
	if (terminal->saved_stderr < 0)
		redirect_to(terminal, terminal->slave);
	progress_update(p, done, what);
}

static void work_of_less_than_a_second_shows_nothing(void **state)
{
	struct terminal *terminal = *state;
	struct progress p;

	start(terminal, &p, 10);
	for (uint64_t i = 0; i < 10; i++, now += 99 * TICK_MS)
		update(terminal, &p, i, "step");
	progress_end(&p);
	assert_shown(terminal, "");
}

static void line_appears_after_a_second_and_is_erased(void **state)
{
	struct terminal *terminal = *state;
	struct progress p;

	start(terminal, &p, 4);
	now += TICK_S;
	update(terminal, &p, 1, "pipe");
	assert_shown(terminal, CLEAR "[#####...............]  25 %  pipe");
	now += TICK_S;
	update(terminal, &p, 4, "FIFO");
	assert_shown(terminal, CLEAR "[####################] 100 %  FIFO");
	redirect_to(terminal, terminal->slave);
	progress_end(&p);
	assert_shown(terminal, CLEAR);
}

static void cleared_line_comes_back(void **state)
{
	struct terminal *terminal = *state;
	struct progress p;

	start(terminal, &p, 4);
	now += TICK_S;
	update(terminal, &p, 1, "pipe");
	assert_shown(terminal, CLEAR "[#####...............]  25 %  pipe");
	redirect_to(terminal, terminal->slave);
	progress_clear(&p);
	progress_clear(&p); /* nothing more to erase */
	assert_shown(terminal, CLEAR);
	now += TICK_S;
	update(terminal, &p, 2, "pipe");
	assert_shown(terminal, CLEAR "[##########..........]  50 %  pipe");
}

static void line_changes_ten_times_a_second_at_most(void **state)
{
	struct terminal *terminal = *state;
	struct progress p;
	int shown = 0;

	start(terminal, &p, 1000);
	now += TICK_S;
	for (uint64_t i = 0; i < 1000; i++, now += TICK_MS)
		update(terminal, &p, i, "x");
	for (const char *c = take(terminal); (c = strstr(c, CLEAR)); c++)
		shown++;
	assert_int_equal(shown, 10);
}

static void line_is_cut_to_the_terminal_between_characters(void **state)
{
	struct terminal *terminal = *state;
	struct winsize size = {.ws_row = 24, .ws_col = 34};
	struct progress p;

	assert_int_equal(ioctl(terminal->slave, TIOCSWINSZ, &size), 0);
	start(terminal, &p, 2);
	now += TICK_S;
	update(terminal, &p, 1, "µµµµµµ");
	/* 33 characters: the last column stays free. */
	assert_shown(terminal, CLEAR "[##########..........]  50 %  µµµ");
}

static void more_than_all_is_all_and_unknown_total_has_no_bar(void **state)
{
	struct terminal *terminal = *state;
	struct progress p;

	start(terminal, &p, 2);
	now += TICK_S;
	update(terminal, &p, 3, "late");
	assert_shown(terminal, CLEAR "[####################] 100 %  late");
	start(terminal, &p, 0);
	now += TICK_S;
	update(terminal, &p, 3, "open end");
	assert_shown(terminal, CLEAR "open end");
}

static void long_names_do_not_overflow(void **state)
{
	struct terminal *terminal = *state;
	struct winsize size = {.ws_row = 24, .ws_col = 9999};
	struct progress p;
	char name[2000];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(ioctl(terminal->slave, TIOCSWINSZ, &size), 0);
	start(terminal, &p, 2);
	now += TICK_S;
	update(terminal, &p, 1, name);
	assert_in_range(strlen(take(terminal)), 100, 512);
}

static void nothing_is_shown_where_there_is_no_terminal(void **state)
{
	struct terminal *terminal = *state;
	FILE *file = tmpfile();
	struct progress p;

	assert_non_null(file);
	redirect_to(terminal, fileno(file));
	progress_start(&p, 2);
	now += 10 * TICK_S;
	progress_update(&p, 1, "x");
	progress_end(&p);
	leave_terminal(terminal);
	assert_int_equal(lseek(fileno(file), 0, SEEK_END), 0);
	fclose(file);
}

static void nothing_is_shown_on_a_dumb_terminal(void **state)
{
	struct terminal *terminal = *state;
	struct progress p;

	setenv("TERM", "dumb", 1);
	start(terminal, &p, 2);
	now += 10 * TICK_S;
	update(terminal, &p, 1, "x");
	progress_end(&p);
	assert_shown(terminal, "");
}

int main(void)
{
#define ON_TERMINAL(test) \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ON_TERMINAL(work_of_less_than_a_second_shows_nothing),
		ON_TERMINAL(line_appears_after_a_second_and_is_erased),
		ON_TERMINAL(cleared_line_comes_back),
		ON_TERMINAL(line_changes_ten_times_a_second_at_most),
		ON_TERMINAL(line_is_cut_to_the_terminal_between_characters),
		ON_TERMINAL(more_than_all_is_all_and_unknown_total_has_no_bar),
		ON_TERMINAL(long_names_do_not_overflow),
		ON_TERMINAL(nothing_is_shown_where_there_is_no_terminal),
		ON_TERMINAL(nothing_is_shown_on_a_dumb_terminal),
	};

	return SUPPORT_MAIN(tests);
}
