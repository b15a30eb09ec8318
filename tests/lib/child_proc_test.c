/* What is known of processes: where they run, whether one still lives, and
 * how it ended. Linked with --wrap=open: /proc can be made to vanish. */
#include "lib/child.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tick.h"

enum { CHILD_MS = 20000 };

static const int64_t LONG = 20 * TICK_S;

static bool has_no_proc;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (has_no_proc && strncmp(path, "/proc/", 6) == 0) {
		errno = ENOENT;
		return -1;
	}
	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return __real_open(path, flags, mode);
}

static int sleep_for_ever(void *arg)
{
	(void)arg;
	while (pause() < 0)
		;
	return 0;
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

static int pin_to_each(void *arg)
{
	cpu_set_t allowed;

	(void)arg;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return 1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int rc = child_pin(cpu);

		if (CPU_ISSET((size_t)cpu, &allowed) &&
		    (rc || sched_getcpu() != cpu))
			return 2;
	}
	if (child_pin(-1) != -EINVAL || child_pin(CPU_SETSIZE) != -EINVAL)
		return 3;
	/* More than any machine that has run this. */
	return child_pin(CPU_SETSIZE - 1) == -EINVAL ? 0 : 4;
}

static void pin_moves_to_the_cpu_or_says_that_there_is_none(void **state)
{
	(void)state;
	assert_int_equal(support_child_status(pin_to_each, NULL, CHILD_MS), 0);
}

static void process_lives_until_it_is_a_zombie(void **state)
{
	pid_t pid = start(sleep_for_ever, NULL);
	uint64_t start_time = child_start_time(pid);
	siginfo_t info;

	(void)state;
	assert_true(start_time > 0);
	assert_true(start_time >= child_start_time(getpid()));
	assert_true(child_start_time(pid) == start_time);
	assert_true(child_is_alive(pid, start_time));
	assert_false(child_is_alive(pid, start_time + 1));
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_false(child_is_alive(pid, start_time));
	end_of(pid);
	assert_false(child_is_alive(pid, start_time));
	assert_true(child_start_time(pid) == 0);
	assert_false(child_is_alive(0, 0));
	assert_false(child_is_alive(-1, 0));
}

static int take_a_misleading_name(void *arg)
{
	uint64_t before = child_start_time(getpid());

	(void)arg;
	prctl(PR_SET_NAME, ") Z 1 (9 9 9)");
	if (child_start_time(getpid()) != before)
		return 1;
	return child_is_alive(getpid(), before) ? 0 : 2;
}

static void name_with_brackets_misleads_nobody(void **state)
{
	(void)state;
	assert_int_equal(
		support_child_status(take_a_misleading_name, NULL, CHILD_MS),
		0);
}

static void *sleep_in_thread(void *arg)
{
	sleep_for_ever(arg);
	return NULL;
}

static int leave_the_first_thread(void *arg)
{
	pthread_t thread;

	(void)arg;
	if (pthread_create(&thread, NULL, sleep_in_thread, NULL))
		return 1;
	pthread_exit(NULL);
}

static bool is_first_thread_gone(void *arg)
{
	char path[32], text[256] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)*(pid_t *)arg);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strstr(text, ") Z ") != NULL;
}

static void process_outlives_its_first_thread(void **state)
{
	pid_t pid = start(leave_the_first_thread, NULL);
	uint64_t start_time = child_start_time(pid);
	int status;

	(void)state;
	assert_true(support_wait_until(is_first_thread_gone, &pid, CHILD_MS));
	assert_true(child_is_alive(pid, start_time));
	assert_int_equal(child_wait(pid, 0, &status), -ETIMEDOUT);
	assert_int_equal(child_end(pid, LONG, &status), 0);
	assert_false(child_is_alive(pid, start_time));
}

static void without_proc_a_doubt_is_for_the_living(void **state)
{
	pid_t pid = start(sleep_for_ever, NULL);
	uint64_t start_time = child_start_time(pid);

	(void)state;
	has_no_proc = true;
	assert_true(child_start_time(pid) == 0);
	assert_true(child_is_alive(pid, start_time));
	kill(pid, SIGKILL);
	end_of(pid);
	assert_false(child_is_alive(pid, start_time));
	has_no_proc = false;
}

static void status_is_told_as_a_shell_would(void **state)
{
	static const struct {
		int status, code;
		const char *words;
	} rows[] = {
		{W_EXITCODE(0, 0), 0, "exited with status 0"},
		{W_EXITCODE(3, 0), 3, "exited with status 3"},
		{W_EXITCODE(255, 0), 255, "exited with status 255"},
		{W_EXITCODE(0, SIGKILL), 137, "killed by SIGKILL"},
		{W_EXITCODE(0, SIGSEGV) | WCOREFLAG, 139,
		 "killed by SIGSEGV (core dumped)"},
		{W_EXITCODE(0, 40), 168, "killed by signal 40"},
		{W_STOPCODE(SIGTSTP), 148, "stopped by SIGTSTP"},
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(child_exit_code(rows[i].status), rows[i].code);
		assert_string_equal(
			child_describe(rows[i].status, buf, sizeof(buf)),
			rows[i].words);
	}
	assert_string_equal(child_describe(0, buf, 7), "exited");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			pin_moves_to_the_cpu_or_says_that_there_is_none),
		cmocka_unit_test(process_lives_until_it_is_a_zombie),
		cmocka_unit_test(name_with_brackets_misleads_nobody),
		cmocka_unit_test(process_outlives_its_first_thread),
		cmocka_unit_test(without_proc_a_doubt_is_for_the_living),
		cmocka_unit_test(status_is_told_as_a_shell_would),
	};

	return SUPPORT_MAIN(tests);
}
