/* The contract of p03-popen/mypopen.h, clause by clause: what is read, written
 * and waited for. What cannot be started is in failed_start_test.c,
 * descriptors are in descriptors_test.c, threads in threads_test.c. */
#include "tests/p03/fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "tests/support/interrupt.h"

/* ---- reading, writing, statuses ---- */

static void reader_gets_what_the_command_writes(void **state)
{
	(void)state;
	assert_prints(mypopen("echo one; echo two", "r"), "one\ntwo\n");
}

static void command_gets_what_the_writer_wrote(void **state)
{
	FILE *stream = mypopen("read a; read b; test \"$a$b\" = xy", "w");

	(void)state;
	assert_non_null(stream);
	fputs("x\ny\n", stream);
	assert_int_equal(mypclose(stream), 0);
}

static void a_megabyte_arrives_whole(void **state)
{
	FILE *stream = mypopen("test $(wc -c) = 1048576", "w");

	(void)state;
	assert_non_null(stream);
	for (int i = 0; i < 1 << 20; i++)
		putc('x', stream);
	assert_int_equal(mypclose(stream), 0);
}

static void exit_status_is_that_of_waitpid(void **state)
{
	int status = mypclose(mypopen("exit 42", "r"));

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	status = mypclose(mypopen("kill -9 $$", "r"));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void unknown_command_exits_with_127(void **state)
{
	int status = mypclose(mypopen("/nonexistent/program 2>&-", "r"));

	(void)state;
	assert_int_equal(WEXITSTATUS(status), 127);
}

static void command_that_begins_with_a_dash_is_no_option(void **state)
{
	int status = mypclose(mypopen("-x 2>/dev/null", "r"));

	(void)state;
	assert_int_equal(WEXITSTATUS(status), 127);
}

static void data_that_nobody_read_is_an_error_unless_status_tells(void **state)
{
	FILE *deaf = mypopen("exec 0<&-", "w");
	FILE *failing = mypopen("exit 3", "w");
	static char block[1 << 17];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_non_null(deaf);
	assert_non_null(failing);
	fwrite(block, 1, sizeof(block), deaf);
	fputc('x', deaf);
	assert_int_equal(mypclose(deaf), -1);
	assert_int_equal(errno, EPIPE);
	fwrite(block, 1, sizeof(block), failing);
	assert_int_equal(WEXITSTATUS(mypclose(failing)), 3);
	signal(SIGPIPE, SIG_DFL);
}

/* ---- waiting ---- */

static void close_waits_on_through_signals(void **state)
{
	FILE *stream = mypopen("sleep 0.2; exit 7", "r");
	int status;

	(void)state;
	assert_non_null(stream);
	interrupt_start();
	status = mypclose(stream);
	interrupt_stop();
	assert_int_not_equal(status, -1);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static int return_9(void *arg)
{
	(void)arg;
	return 9;
}

static void close_leaves_other_children_alone(void **state)
{
	FILE *stream;
	siginfo_t info;
	pid_t other;
	int status;

	(void)state;
	assert_int_equal(child_fork(return_9, NULL, &other), 0);
	/* It has ended and can be waited for before ours is. */
	assert_int_equal(waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT),
			 0);
	stream = mypopen("exit 3", "r");
	assert_non_null(stream);
	assert_int_equal(WEXITSTATUS(mypclose(stream)), 3);
	assert_int_equal(
		child_wait(other, tick_after(CHILD_MS * TICK_MS), &status), 0);
	assert_int_equal(WEXITSTATUS(status), 9);
}

static void foreign_or_closed_stream_is_echild_and_untouched(void **state)
{
	FILE *file = tmpfile();
	FILE *stream = mypopen("true", "r");

	(void)state;
	assert_non_null(file);
	assert_non_null(stream);
	assert_int_equal(mypclose(stream), 0);
	errno = 0;
	assert_int_equal(mypclose(stream), -1);
	assert_int_equal(errno, ECHILD);
	errno = 0;
	assert_int_equal(mypclose(file), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(fputs("still open", file) >= 0, 1);
	fclose(file);
}

static void child_that_somebody_else_reaped_is_echild(void **state)
{
	int fds = support_count_fds();
	FILE *stream;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	stream = mypopen("exit 5", "r");
	assert_non_null(stream);
	errno = 0;
	assert_int_equal(mypclose(stream), -1);
	assert_int_equal(errno, ECHILD);
	signal(SIGCHLD, SIG_DFL);
	assert_int_equal(support_count_fds(), fds);
}

static void ignored_signals_are_inherited_as_with_popen(void **state)
{
	FILE *stream;

	(void)state;
	signal(SIGUSR1, SIG_IGN);
	stream = mypopen("kill -USR1 $$; echo alive", "r");
	signal(SIGUSR1, SIG_DFL);
	assert_prints(stream, "alive\n");
}

/* ---- without a shell ---- */

static void arguments_reach_the_program_as_they_are(void **state)
{
	char *const argv[] = {"printf",     "%s|",   "a b", "$(id)",
			      "; rm -rf /", "'\"\\", NULL};

	(void)state;
	assert_prints(mypopenv(argv, "r"), "a b|$(id)|; rm -rf /|'\"\\|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_gets_what_the_command_writes),
		cmocka_unit_test(command_gets_what_the_writer_wrote),
		cmocka_unit_test(a_megabyte_arrives_whole),
		cmocka_unit_test(exit_status_is_that_of_waitpid),
		cmocka_unit_test(unknown_command_exits_with_127),
		cmocka_unit_test(command_that_begins_with_a_dash_is_no_option),
		cmocka_unit_test(
			data_that_nobody_read_is_an_error_unless_status_tells),
		cmocka_unit_test(close_waits_on_through_signals),
		cmocka_unit_test(close_leaves_other_children_alone),
		cmocka_unit_test(
			foreign_or_closed_stream_is_echild_and_untouched),
		cmocka_unit_test(child_that_somebody_else_reaped_is_echild),
		cmocka_unit_test(ignored_signals_are_inherited_as_with_popen),
		cmocka_unit_test(arguments_reach_the_program_as_they_are),
	};

	return SUPPORT_MAIN(tests);
}
