/* Forked children, and waiting for them. Programs are in
 * child_spawn_test.c, what is known of processes in
 * child_proc_test.c. Linked with --wrap=syscall: pidfd_open can fail. */
#include "lib/child.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "tests/support/interrupt.h"

enum { CHILD_MS = 20000 };

static const int64_t SHORT = 30 * TICK_MS;
static const int64_t LONG = 20 * TICK_S;

static int pidfd_error; /* what pidfd_open fails with; 0: it works */

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long pid, flags;
	va_list ap;

	if (number == SYS_pidfd_open && pidfd_error) {
		errno = pidfd_error;
		return -1;
	}
	va_start(ap, number);
	pid = va_arg(ap, long);
	flags = va_arg(ap, long);
	va_end(ap);
	return __real_syscall(number, pid, flags);
}

static int have_pidfds(void **state)
{
	(void)state;
	pidfd_error = 0;
	return 0;
}

static int sleep_for_ever(void *arg)
{
	(void)arg;
	while (pause() < 0)
		;
	return 0;
}

static int return_arg(void *arg)
{
	return *(int *)arg;
}

static pid_t start(int (*body)(void *arg), void *arg)
{
	pid_t pid;

	assert_int_equal(child_fork(body, arg, &pid), 0);
	return pid;
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(child_wait(pid, tick_after(LONG), &status), 0);
	return status;
}

/* ---- fork ---------------------------------------------------------------- */

static void forked_child_ends_with_what_its_body_returns(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i += 51)
		assert_int_equal(child_exit_code(end_of(start(return_arg, &i))),
				 i);
}

static int print_child(void *arg)
{
	(void)arg;
	printf("child");
	return 0;
}

static int print_around_fork(void *arg)
{
	char text[32] = "";
	pid_t pid;
	int fd = memfd_create("out", 0);

	(void)arg;
	if (dup2(fd, STDOUT_FILENO) < 0)
		return 1;
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	printf("parent ");
	if (child_fork(print_child, NULL, &pid) || waitpid(pid, NULL, 0) != pid)
		return 2;
	printf(" parent");
	fflush(stdout);
	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return 3;
	return strcmp(text, "parent child parent") == 0 ? 0 : 4;
}

static void text_is_printed_once_by_who_wrote_it(void **state)
{
	(void)state;
	assert_int_equal(
		support_child_status(print_around_fork, NULL, CHILD_MS), 0);
}

static int print_to_full_disk(void *arg)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (dup2(fd, STDOUT_FILENO) < 0)
		return 99;
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	printf("lost");
	return *(int *)arg;
}

static void text_that_is_lost_is_a_failure(void **state)
{
	int done = 0, failed = 7;

	(void)state;
	assert_int_equal(
		support_child_status(print_to_full_disk, &done, CHILD_MS), 1);
	assert_int_equal(
		support_child_status(print_to_full_disk, &failed, CHILD_MS), 7);
}

/* *arg is a pipe that stays open as long as the process. */
static int say_pid_and_sleep(void *arg)
{
	pid_t pid = getpid();

	if (fdio_write_full(((int *)arg)[1], &pid, sizeof(pid)))
		return 1;
	return sleep_for_ever(NULL);
}

/* The middle one of three generations. */
static int fork_and_sleep(void *arg)
{
	pid_t pid;

	if (child_fork(say_pid_and_sleep, arg, &pid))
		return 1;
	return sleep_for_ever(NULL);
}

static void forked_child_dies_with_its_parent(void **state)
{
	int fds[2], status;
	pid_t middle, pid;
	char byte;

	(void)state;
	assert_int_equal(fdio_pipe(fds), 0);
	middle = start(fork_and_sleep, fds);
	fdio_close(&fds[1]);
	assert_int_equal(
		fdio_read_until(fds[0], &pid, sizeof(pid), tick_after(LONG)),
		sizeof(pid));
	assert_int_equal(child_end(middle, 0, &status), 0);
	/* End of file: nobody has the other end open. */
	assert_int_equal(fdio_read_until(fds[0], &byte, 1, tick_after(LONG)),
			 0);
	fdio_close(&fds[0]);
}

static int die_with_another(void *arg)
{
	(void)arg;
	return child_die_with_parent(getpid()) == -ESRCH ? 0 : 1;
}

static void dead_parent_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(support_child_status(die_with_another, NULL, CHILD_MS),
			 0);
}

/* ---- wait ---------------------------------------------------------------- */

static void wait_ends_with_its_deadline_and_can_be_repeated(void **state)
{
	int64_t deadline = tick_after(SHORT);
	pid_t pid = start(sleep_for_ever, NULL);
	int before = support_count_fds(), status;

	(void)state;
	assert_int_equal(child_wait(pid, 0, &status), -ETIMEDOUT);
	assert_int_equal(child_wait(pid, deadline, &status), -ETIMEDOUT);
	assert_true(tick_is_over(deadline));
	interrupt_start();
	assert_int_equal(child_wait(pid, TICK_NEVER, &status), -EINTR);
	interrupt_stop();
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(child_wait(pid, TICK_NEVER, &status), 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(child_wait(pid, TICK_NEVER, &status), -ECHILD);
	assert_int_equal(support_count_fds(), before);
}

/* The same before Linux 5.3, and where a filter of system calls, as some
 * containers have, refuses what it does not know. */
static void wait_without_pidfds_is_no_different(void **state)
{
	pidfd_error = ENOSYS;
	wait_ends_with_its_deadline_and_can_be_repeated(state);
	pidfd_error = EPERM;
	wait_ends_with_its_deadline_and_can_be_repeated(state);
}

static void wait_without_descriptors_says_so(void **state)
{
	pid_t pid = start(sleep_for_ever, NULL);
	int status;

	(void)state;
	pidfd_error = EMFILE;
	assert_int_equal(child_wait(pid, TICK_NEVER, &status), -EMFILE);
	/* It is ended all the same, and not left behind. */
	assert_int_equal(child_end(pid, LONG, &status), 0);
	assert_true(WIFSIGNALED(status));
}

static void wait_leaves_other_children_alone(void **state)
{
	int one = 1, two = 2;
	pid_t first = start(return_arg, &one), second = start(return_arg, &two);

	(void)state;
	assert_int_equal(child_exit_code(end_of(second)), 2);
	assert_int_equal(child_exit_code(end_of(first)), 1);
}

static void wait_for_a_stranger_is_echild(void **state)
{
	int status;

	(void)state;
	assert_int_equal(child_wait(getpid(), TICK_NEVER, &status), -ECHILD);
	assert_int_equal(child_wait(1, TICK_NEVER, &status), -ECHILD);
	assert_int_equal(child_wait(0, TICK_NEVER, &status), -ECHILD);
	assert_int_equal(child_wait(-1, TICK_NEVER, &status), -ECHILD);
}

static void *wait_in_thread(void *arg)
{
	int status;
	int rc = child_wait(*(pid_t *)arg, tick_after(LONG), &status);

	*(int *)arg = rc ? rc : child_exit_code(status);
	return NULL;
}

static void threads_wait_each_for_its_own(void **state)
{
	enum { N = 4 };
	pthread_t threads[N];
	pid_t pids[N];

	(void)state;
	for (int i = 0; i < N; i++)
		pids[i] = start(sleep_for_ever, NULL);
	for (int i = 0; i < N; i++) {
		pid_t pid = pids[i];

		pthread_create(&threads[i], NULL, wait_in_thread, &pids[i]);
		kill(pid, i % 2 ? SIGKILL : SIGTERM);
	}
	for (int i = 0; i < N; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(pids[i], 128 + (i % 2 ? SIGKILL : SIGTERM));
	}
}

/* ---- end ----------------------------------------------------------------- */

static void end_asks_first(void **state)
{
	int status;

	(void)state;
	assert_int_equal(child_end(start(sleep_for_ever, NULL), LONG, &status),
			 0);
	assert_int_equal(child_exit_code(status), 128 + SIGTERM);
}

/* *arg is a pipe: a byte says that SIGTERM is ignored from now on. */
static int ignore_sigterm(void *arg)
{
	signal(SIGTERM, SIG_IGN);
	if (fdio_write_full(*(int *)arg, "x", 1))
		return 1;
	return sleep_for_ever(NULL);
}

static void end_kills_who_does_not_listen(void **state)
{
	int fds[2], status;
	int64_t patience;
	pid_t pid;
	char byte;

	(void)state;
	assert_int_equal(fdio_pipe(fds), 0);
	pid = start(ignore_sigterm, &fds[1]);
	assert_int_equal(fdio_read_full(fds[0], &byte, 1), 1);
	patience = tick_after(SHORT);
	interrupt_start(); /* does not cut the grace short, nor the rest */
	assert_int_equal(child_end(pid, SHORT, &status), 0);
	interrupt_stop();
	assert_true(tick_is_over(patience));
	assert_int_equal(child_exit_code(status), 128 + SIGKILL);
	fdio_close(&fds[0]);
	fdio_close(&fds[1]);
}

static void end_reaches_a_stopped_child(void **state)
{
	pid_t pid = start(sleep_for_ever, NULL);
	int status;

	(void)state;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(child_end(pid, LONG, &status), 0);
	assert_int_equal(child_exit_code(status), 128 + SIGTERM);
}

static void end_of_one_that_has_ended_tells_how(void **state)
{
	int seven = 7, status;
	pid_t pid = start(return_arg, &seven);
	siginfo_t info;

	(void)state;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(child_end(pid, 0, &status), 0);
	assert_int_equal(child_exit_code(status), 7);
}

/* kill(0), kill(-1) and kill(1) would reach far. */
static void end_of_a_stranger_sends_nothing(void **state)
{
	int status;

	(void)state;
	assert_int_equal(child_end(0, 0, &status), -ECHILD);
	assert_int_equal(child_end(-1, 0, &status), -ECHILD);
	assert_int_equal(child_end(getpid(), 0, &status), -ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forked_child_ends_with_what_its_body_returns),
		cmocka_unit_test(text_is_printed_once_by_who_wrote_it),
		cmocka_unit_test(text_that_is_lost_is_a_failure),
		cmocka_unit_test(forked_child_dies_with_its_parent),
		cmocka_unit_test(dead_parent_is_noticed),
		cmocka_unit_test(
			wait_ends_with_its_deadline_and_can_be_repeated),
		cmocka_unit_test_teardown(wait_without_pidfds_is_no_different,
					  have_pidfds),
		cmocka_unit_test_teardown(wait_without_descriptors_says_so,
					  have_pidfds),
		cmocka_unit_test(wait_leaves_other_children_alone),
		cmocka_unit_test(wait_for_a_stranger_is_echild),
		cmocka_unit_test(threads_wait_each_for_its_own),
		cmocka_unit_test(end_asks_first),
		cmocka_unit_test(end_kills_who_does_not_listen),
		cmocka_unit_test(end_reaches_a_stopped_child),
		cmocka_unit_test(end_of_one_that_has_ended_tells_how),
		cmocka_unit_test(end_of_a_stranger_sends_nothing),
	};

	return SUPPORT_MAIN(tests);
}
