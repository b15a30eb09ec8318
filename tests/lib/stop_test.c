/* Each case runs in a child, as stop_install() is for good; what a case
 * returns says at which step it failed. Linked with --wrap=ppoll: a signal
 * can come just before the wait. */
#include "lib/cmd/stop.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "tests/support/capture.h"

enum { CHILD_MS = 20000 };

static const int64_t SHORT = 30 * TICK_MS;

static int raise_before_poll;

int __real_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		 const sigset_t *mask);
int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		 const sigset_t *mask);

int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		 const sigset_t *mask)
{
	if (raise_before_poll)
		raise(raise_before_poll);
	return __real_ppoll(fds, n, timeout, mask);
}

static int run(int (*body)(void *arg))
{
	return support_child_status(body, NULL, CHILD_MS);
}

static bool is_fd_readable(void)
{
	struct pollfd pfd = {.fd = stop_fd(), .events = POLLIN};

	return poll(&pfd, 1, 0) == 1 && pfd.revents == POLLIN;
}

static int raise_each(void *arg)
{
	int number = *(int *)arg;

	if (stop_install() || stop_signal() || stop_exit_code())
		return 1;
	if (is_fd_readable())
		return 2;
	raise(number);
	if (stop_signal() != number || stop_exit_code() != 128 + number)
		return 3;
	if (!is_fd_readable() || !is_fd_readable())
		return 4;
	return 0;
}

static void signal_becomes_a_flag_and_a_readable_descriptor(void **state)
{
	int numbers[] = {SIGINT, SIGTERM, SIGHUP};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			support_child_status(raise_each, &numbers[i], CHILD_MS),
			0);
}

/* SIGTERM every 2 ms until the read has seen one: also when the first comes
 * before it waits. */
static int read_while_stopped(void *arg)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
				 .sigev_signo = SIGTERM};
	struct itimerspec often = {.it_value.tv_nsec = 2 * TICK_MS,
				   .it_interval.tv_nsec = 2 * TICK_MS};
	timer_t timer;
	int fds[2];
	char byte;

	(void)arg;
	if (stop_install() || fdio_pipe(fds))
		return 1;
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	    timer_settime(timer, 0, &often, NULL))
		return 2;
	if (read(fds[0], &byte, 1) != -1 || errno != EINTR)
		return 3;
	return stop_signal() == SIGTERM ? 0 : 4;
}

static void blocking_call_is_interrupted(void **state)
{
	(void)state;
	assert_int_equal(run(read_while_stopped), 0);
}

static int interrupt_twice(void *arg)
{
	(void)arg;
	if (stop_install())
		return 1;
	raise(SIGINT);
	if (stop_signal() != SIGINT)
		return 2;
	raise(SIGINT);
	return 3;
}

static void second_sigint_ends_the_process(void **state)
{
	int status = support_run_child(interrupt_twice, NULL, CHILD_MS);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
}

static int terminate_often(void *arg)
{
	(void)arg;
	if (stop_install())
		return 1;
	for (int i = 0; i < 10; i++)
		raise(SIGTERM);
	raise(SIGINT);
	return stop_signal() == SIGTERM ? 0 : 2;
}

static void first_signal_is_the_one_that_counts(void **state)
{
	(void)state;
	assert_int_equal(run(terminate_often), 0);
}

static int install_when_ignored(void *arg)
{
	(void)arg;
	signal(SIGINT, SIG_IGN);
	if (stop_install())
		return 1;
	raise(SIGINT);
	raise(SIGINT);
	if (stop_signal() || is_fd_readable())
		return 2;
	raise(SIGTERM);
	return stop_signal() == SIGTERM ? 0 : 3;
}

static void signal_ignored_at_start_stays_ignored(void **state)
{
	(void)state;
	assert_int_equal(run(install_when_ignored), 0);
}

static int write_to_nobody(void *arg)
{
	int fds[2];

	(void)arg;
	if (stop_install() || fdio_pipe(fds) || close(fds[0]))
		return 1;
	return fdio_write_full(fds[1], "x", 1) == -EPIPE ? 0 : 2;
}

static void write_to_nobody_is_an_error_and_no_signal(void **state)
{
	(void)state;
	assert_int_equal(run(write_to_nobody), 0);
}

static int install_twice(void *arg)
{
	int fd;

	(void)arg;
	close(0);
	close(1);
	close(2);
	if (stop_install())
		return 1;
	fd = stop_fd();
	if (fd < 3 || !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
		return 2;
	if (stop_install() || stop_fd() != fd)
		return 3;
	raise(SIGTERM);
	return is_fd_readable() ? 0 : 4;
}

static void installing_twice_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(run(install_twice), 0);
}

/* ---- waiting ------------------------------------------------------------- */

static void on_alarm(int number)
{
	(void)number;
}

static int wait_for_each(void *arg)
{
	const struct sigaction action = {.sa_handler = on_alarm};
	int fds[2];

	(void)arg;
	if (stop_install() || fdio_pipe(fds))
		return 1;
	if (stop_wait(-1, tick_after(SHORT)) || stop_wait(fds[0], 0))
		return 2;
	sigaction(SIGALRM, &action, NULL);
	ualarm(1000, 1000);
	if (stop_wait(fds[0], tick_after(SHORT)))
		return 3;
	ualarm(0, 0);
	if (fdio_write_full(fds[1], "x", 1) || stop_wait(fds[0], 0) != 1)
		return 4;
	close(fds[1]);
	if (stop_wait(fds[0], TICK_NEVER) != 1)
		return 5;
	if (fdio_read(fds[0], &(char){0}, 1) != 1 ||
	    stop_wait(fds[0], TICK_NEVER) != 1) /* hung up */
		return 6;
	close(fds[0]);
	if (stop_wait(fds[0], TICK_NEVER) != -EBADF)
		return 7;
	raise(SIGTERM);
	return stop_wait(-1, TICK_NEVER) == -EINTR ? 0 : 8;
}

static void wait_tells_stop_input_and_deadline_apart(void **state)
{
	(void)state;
	assert_int_equal(run(wait_for_each), 0);
}

static int be_stopped_before_the_wait(void *arg)
{
	int fds[2];

	(void)arg;
	if (stop_install() || fdio_pipe(fds))
		return 1;
	raise_before_poll = SIGTERM;
	return stop_wait(fds[0], TICK_NEVER) == -EINTR ? 0 : 2;
}

/* Without the descriptor it would be missed: there is no EINTR any more. */
static void signal_between_the_check_and_the_wait_is_seen(void **state)
{
	(void)state;
	assert_int_equal(run(be_stopped_before_the_wait), 0);
}

/* ---- forked children ----------------------------------------------------- */

static int stop_myself(void *arg)
{
	(void)arg;
	if (stop_signal() || is_fd_readable())
		return 1;
	raise(SIGTERM);
	return stop_signal() == SIGTERM && is_fd_readable() ? 0 : 2;
}

static int fork_one_that_stops(void *arg)
{
	int status;
	pid_t pid;

	(void)arg;
	if (stop_install() || child_fork(stop_myself, NULL, &pid))
		return 1;
	if (child_wait(pid, tick_after(10 * TICK_S), &status) || status)
		return 2;
	if (stop_signal() || is_fd_readable())
		return 3;
	raise(SIGTERM);
	return is_fd_readable() ? 0 : 4;
}

static void stopping_a_child_does_not_stop_its_parent(void **state)
{
	(void)state;
	assert_int_equal(run(fork_one_that_stops), 0);
}

static int wait_for_stop(void *arg)
{
	(void)arg;
	return stop_wait(-1, tick_after(10 * TICK_S)) == -EINTR &&
			       is_fd_readable()
		       ? 0
		       : 1;
}

/* The signal meets the child at its very beginning: in fork, while it gets its
 * own descriptor, or later. */
static int fork_and_stop_at_once(void *arg)
{
	(void)arg;
	if (stop_install())
		return 1;
	for (int i = 0; i < 200; i++) {
		int status;
		pid_t pid;

		if (child_fork(wait_for_stop, NULL, &pid))
			return 2;
		tick_sleep_until(tick_after(i * 5 * TICK_US));
		kill(pid, SIGTERM);
		if (child_wait(pid, tick_after(20 * TICK_S), &status))
			return 3;
		if (status)
			return 4;
		if (stop_signal() || is_fd_readable())
			return 5;
	}
	return 0;
}

static void child_stopped_as_it_starts_misses_nothing(void **state)
{
	(void)state;
	assert_int_equal(
		support_child_status(fork_and_stop_at_once, NULL, 60000), 0);
}

static int fork_after_stop(void *arg)
{
	int status;
	pid_t pid;

	(void)arg;
	if (stop_install())
		return 1;
	raise(SIGTERM);
	if (child_fork(wait_for_stop, NULL, &pid))
		return 2;
	if (child_wait(pid, tick_after(10 * TICK_S), &status))
		return 3;
	return status;
}

static void child_of_a_stopped_parent_is_stopped_too(void **state)
{
	(void)state;
	assert_int_equal(run(fork_after_stop), 0);
}

/* ---- the end: this program once more as a command (be_command()) ----------- */

static char self[PATH_MAX];

static void tell_end(void)
{
	puts("atexit");
}

/* As a command that is ended by signal number; at its end it says what it does. */
static int be_command(const char *how, const char *text)
{
	int number = (int)strtol(text, NULL, 10);

	if (strcmp(how, "waits itself") == 0)
		stop_exit(number);
	if (stop_install() || atexit(tell_end))
		return 99;
	raise(number);
	puts("main");
	if (strcmp(how, "ends well") == 0)
		return 0;
	if (strcmp(how, "ends otherwise") == 0)
		return 100 + stop_signal();
	return stop_exit_code();
}

/* Its wait status; what it printed must be all there, though died. */
static int run_command(char *how, int number, const char *printed)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	char text[16], got[64] = "";
	char *argv[] = {self, how, text, NULL};
	int fds[2], status;
	ssize_t len;
	pid_t pid;

	snprintf(text, sizeof(text), "%d", number);
	assert_int_equal(fdio_pipe(fds), 0);
	spec.argv = argv;
	spec.out = fds[1];
	assert_int_equal(child_spawn(&spec, &pid), 0);
	close(fds[1]);
	len = fdio_read_until(fds[0], got, sizeof(got) - 1,
			      tick_after(20 * TICK_S));
	close(fds[0]);
	assert_int_equal(len, strlen(printed));
	assert_string_equal(got, printed);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	return status;
}

static void who_exits_as_ended_by_a_signal_dies_by_it(void **state)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

	(void)state;
	for (int i = 0; i < 3; i++) {
		int status = run_command("ends", numbers[i], "main\natexit\n");

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), numbers[i]);
		status = run_command("waits itself", numbers[i], "");
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), numbers[i]);
	}
}

static void who_exits_otherwise_does_not(void **state)
{
	int status = run_command("ends well", SIGTERM, "main\natexit\n");

	(void)state;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = run_command("ends otherwise", SIGINT, "main\natexit\n");
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 100 + SIGINT);
}

/* The first process of a PID namespace has no default action for signals. */
static void process_1_exits_with_the_status(void **state)
{
	char *argv[] = {"unshare", "--user", "--map-root-user",
			"--pid",   "--fork", self,
			"ends",    "2",      NULL};
	struct capture c;

	(void)state;
	capture_run(&c, argv, NULL, CHILD_MS);
	assert_int_equal(c.status, 130);
	assert_string_equal(c.out, "main\natexit\n");
	capture_free(&c);
}

/* ---- files that may grow no further ---------------------------------------- */

static int outgrow(void *arg)
{
	const struct rlimit none = {0, RLIM_INFINITY};
	const bool is_ignored = arg != NULL;
	FILE *file = tmpfile();
	struct sigaction now;

	signal(SIGXFSZ, is_ignored ? SIG_IGN : SIG_DFL);
	stop_survive_file_limit();
	if (!file || setrlimit(RLIMIT_FSIZE, &none))
		return 1;
	if (write(fileno(file), "x", 1) != -1 || errno != EFBIG)
		return 2;
	sigaction(SIGXFSZ, NULL, &now);
	if (is_ignored != (now.sa_handler == SIG_IGN))
		return 3;
	/* What is started gets what we were started with. (A shell tells of who
	 * died, which may be a file, too.) */
	execlp("sh", "sh", "-c",
	       "exec 2>/dev/null; sh -c 'kill -XFSZ $$; exit 7'; [ $? = 7 ] && exit 7; exit 8",
	       (char *)NULL);
	return 4;
}

static void file_that_may_not_grow_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(run(outgrow), 8);
	assert_int_equal(support_child_status(outgrow, "ignored", CHILD_MS), 7);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			signal_becomes_a_flag_and_a_readable_descriptor),
		cmocka_unit_test(blocking_call_is_interrupted),
		cmocka_unit_test(second_sigint_ends_the_process),
		cmocka_unit_test(first_signal_is_the_one_that_counts),
		cmocka_unit_test(signal_ignored_at_start_stays_ignored),
		cmocka_unit_test(write_to_nobody_is_an_error_and_no_signal),
		cmocka_unit_test(installing_twice_changes_nothing),
		cmocka_unit_test(wait_tells_stop_input_and_deadline_apart),
		cmocka_unit_test(signal_between_the_check_and_the_wait_is_seen),
		cmocka_unit_test(stopping_a_child_does_not_stop_its_parent),
		cmocka_unit_test(child_stopped_as_it_starts_misses_nothing),
		cmocka_unit_test(child_of_a_stopped_parent_is_stopped_too),
		cmocka_unit_test(who_exits_as_ended_by_a_signal_dies_by_it),
		cmocka_unit_test(who_exits_otherwise_does_not),
		cmocka_unit_test(process_1_exits_with_the_status),
		cmocka_unit_test(file_that_may_not_grow_is_an_error),
	};

	if (argc > 2)
		return be_command(argv[1], argv[2]);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return EXIT_FAILURE;
	return SUPPORT_MAIN(tests);
}
