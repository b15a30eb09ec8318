/* The contract of p03-popen/mypopen.h, clause by clause: what is read, written
 * and waited for. What cannot be started is in failed_start_test.c,
 * descriptors are in descriptors_test.c, threads in threads_test.c. */
#include "tests/p03/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "tests/support/interrupt.h"
#include "tests/support/scratch.h"

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
	fputc('x', failing);
	assert_int_equal(WEXITSTATUS(mypclose(failing)), 3);
	signal(SIGPIPE, SIG_DFL);
}

static void streams_are_byte_oriented(void **state)
{
	FILE *reader = mypopen("exit 0", "r");
	FILE *writer = mypopen("cat >/dev/null", "w");

	(void)state;
	assert_non_null(reader);
	assert_non_null(writer);
	assert_true(fwide(reader, 0) < 0);
	assert_true(fwide(writer, 0) < 0);
	assert_int_equal(mypclose(reader), 0);
	assert_int_equal(mypclose(writer), 0);
}

/* The gate that a command waits at, as its descriptor GATE; the handler opens
 * it when it has run some times. */
#define GATE "9"
enum { GATE_FD = 9 };
static int gate[2], ticks;

static void open_gate_at_the_third_tick(int number)
{
	ssize_t n = 0;

	(void)number;
	if (++ticks == 3)
		n = write(gate[1], "\n", 1);
	(void)n;
}

/* One that interrupts what waits meanwhile, again and again. */
static void start_ticking(void)
{
	const struct sigaction action = {.sa_handler =
						 open_gate_at_the_third_tick};

	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	assert_int_equal(dup2(gate[0], GATE_FD), GATE_FD);
	ticks = 0;
	interrupt_start();
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
}

static void stop_ticking(void)
{
	interrupt_stop();
	close(gate[0]);
	close(gate[1]);
	close(GATE_FD);
}

/* More than the pipe holds, so that it waits in the middle of it. */
static void what_is_buffered_arrives_through_signals(void **state)
{
	static char text[75536], buffer[1 << 17];
	FILE *stream;
	int status;

	(void)state;
	start_ticking();
	stream = mypopen("read x <&" GATE "; test $(wc -c) = 75536", "w");
	assert_non_null(stream);
	setvbuf(stream, buffer, _IOFBF, sizeof(buffer));
	assert_int_equal(fwrite(text, 1, sizeof(text), stream), sizeof(text));
	status = mypclose(stream);
	stop_ticking();
	assert_int_equal(status, 0);
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

/* A cancellation that is pending ends a thread at the first wait that heeds
 * it. */
static void *open_and_close_while_cancelled(void *has_closed)
{
	FILE *stream;

	pthread_cancel(pthread_self());
	stream = mypopen("exit 3", "no mode");
	*(bool *)has_closed = !stream;
	stream = mypopen("exit 3", "r");
	*(bool *)has_closed &= stream && WEXITSTATUS(mypclose(stream)) == 3;
	pthread_testcancel();
	return NULL;
}

static void cancelled_thread_leaves_no_child_and_no_descriptor(void **state)
{
	int fds = support_count_fds();
	bool has_closed = false;
	pthread_t thread;
	void *result;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL,
					open_and_close_while_cancelled,
					&has_closed),
			 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, PTHREAD_CANCELED);
	assert_true(has_closed);
	assert_int_equal(support_count_fds(), fds);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
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

static void signal_mask_is_inherited_and_stays_as_it_was(void **state)
{
	/* A shell may clear it. */
	char *const argv[] = {"grep", "SigBlk", "/proc/self/status", NULL};
	sigset_t mask, old, now;
	FILE *stream;

	(void)state;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &mask, &old);
	stream = mypopenv(argv, "r");
	pthread_sigmask(SIG_SETMASK, &old, &now);
	assert_int_equal(sigismember(&now, SIGUSR1), 1);
	sigdelset(&now, SIGUSR1);
	assert_true(sigisemptyset(&now));
	assert_prints(stream, "SigBlk:\t0000000000000200\n");
}

/* So that Ctrl-C reaches both. */
static void command_is_in_the_callers_process_group(void **state)
{
	FILE *stream = mypopen("read a b c d group more </proc/self/stat\n"
			       "echo $group",
			       "r");
	char wanted[32];

	(void)state;
	snprintf(wanted, sizeof(wanted), "%d\n", (int)getpgrp());
	assert_prints(stream, wanted);
}

/* ---- without a shell ---- */

static void arguments_reach_the_program_as_they_are(void **state)
{
	char *const argv[] = {"printf",     "%s|",   "a b", "$(id)",
			      "; rm -rf /", "'\"\\", NULL};

	(void)state;
	assert_prints(mypopenv(argv, "r"), "a b|$(id)|; rm -rf /|'\"\\|");
}

static void script_without_a_first_line_is_for_the_shell(void **state)
{
	static const char text[] = "echo \"$# $1\"\n";
	char *argv[] = {NULL, "a b", NULL};
	struct scratch scratch;

	(void)state;
	scratch_make(&scratch);
	scratch_write(&scratch, "script", text, strlen(text));
	argv[0] = (char *)scratch_path(&scratch, "script");
	assert_int_equal(chmod(argv[0], 0700), 0);
	assert_prints(mypopenv(argv, "r"), "1 a b\n");
	scratch_remove(&scratch);
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
		cmocka_unit_test(streams_are_byte_oriented),
		cmocka_unit_test(what_is_buffered_arrives_through_signals),
		cmocka_unit_test(close_waits_on_through_signals),
		cmocka_unit_test(
			cancelled_thread_leaves_no_child_and_no_descriptor),
		cmocka_unit_test(close_leaves_other_children_alone),
		cmocka_unit_test(
			foreign_or_closed_stream_is_echild_and_untouched),
		cmocka_unit_test(child_that_somebody_else_reaped_is_echild),
		cmocka_unit_test(ignored_signals_are_inherited_as_with_popen),
		cmocka_unit_test(signal_mask_is_inherited_and_stays_as_it_was),
		cmocka_unit_test(command_is_in_the_callers_process_group),
		cmocka_unit_test(arguments_reach_the_program_as_they_are),
		cmocka_unit_test(script_without_a_first_line_is_for_the_shell),
	};

	return SUPPORT_MAIN(tests);
}
