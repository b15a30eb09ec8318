/* The runner: cmocka with a deadline, and with a guard against children that
 * come back. Both hang on one hook, which runs in front of every case in the
 * place of its setup function and notes its name. */
#include "tests/support/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"

enum { DEFAULT_TIMEOUT_S = 120 };

static pid_t runner;
static const char *volatile running = "none, between two cases";

static void say(const char *text)
{
	ssize_t ignored = write(STDERR_FILENO, text, strlen(text));

	(void)ignored;
}

/* Runs as a signal handler. */
static void give_up(int sig)
{
	(void)sig;
	say("[  HUNG    ] ");
	say(running);
	say(" (time is over; TEST_TIMEOUT=SECONDS gives more)\n");
	_exit(SUPPORT_HUNG);
}

/* A timer and a signal of its own, so that alarm(2) stays free for what is
 * tested. (SIGRTMAX itself is valgrind's.) */
static int start_deadline(void)
{
	const char *text = getenv("TEST_TIMEOUT");
	long seconds = text ? strtol(text, NULL, 10) : DEFAULT_TIMEOUT_S;
	struct sigaction action = {.sa_handler = give_up};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
				 .sigev_signo = SIGRTMAX - 1};
	struct itimerspec when = {.it_value.tv_sec = seconds};
	timer_t timer;

	if (seconds <= 0) {
		fprintf(stderr, "TEST_TIMEOUT=%s: give seconds\n", text);
		return -EINVAL;
	}
	if (sigaction(SIGRTMAX - 1, &action, NULL) ||
	    timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	    timer_settime(timer, 0, &when, NULL)) {
		perror("test deadline");
		return -errno;
	}
	return 0;
}

static void end_stray_child(void)
{
	if (getpid() == runner)
		return;
	say("[  STRAYED ] an assertion failed in a child of ");
	say(running);
	say("\n");
	_exit(SUPPORT_STRAYED);
}

/* The setup function of every case; *state is the case itself. */
static int enter(void **state)
{
	const struct CMUnitTest *test = *state;

	end_stray_child();
	running = test->name;
	*state = test->initial_state;
	return test->setup_func ? test->setup_func(state) : 0;
}

int support_main(const char *name, const struct CMUnitTest *tests, size_t n)
{
	const char *filter = getenv("TEST_FILTER");
	struct CMUnitTest *hooked;
	int failed;

	if (start_deadline())
		return EXIT_FAILURE;
	hooked = calloc(n, sizeof(*hooked));
	if (!hooked)
		return EXIT_FAILURE;
	for (size_t i = 0; i < n; i++) {
		hooked[i] = tests[i];
		hooked[i].setup_func = enter;
		hooked[i].initial_state = (void *)(uintptr_t)&tests[i];
	}
	runner = getpid();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (filter)
		cmocka_set_test_filter(filter);
	failed = _cmocka_run_group_tests(name, hooked, n, NULL, NULL);
	end_stray_child();
	free(hooked);
	return failed;
}

bool support_is_stress(void)
{
	const char *stress = getenv("STRESS");

	return stress && strcmp(stress, "1") == 0;
}

bool support_is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#elif defined(__has_feature)
	return __has_feature(address_sanitizer) ||
	       __has_feature(thread_sanitizer);
#else
	return false;
#endif
}

bool support_is_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

void support_need_no_valgrind(const char *why)
{
	if (!support_is_valgrind())
		return;
	say("not under valgrind: ");
	say(why);
	say("\n");
	skip();
}

void support_need_no_sanitizer(const char *why)
{
	if (!support_is_sanitized())
		return;
	say("not under a sanitizer: ");
	say(why);
	say("\n");
	skip();
}

static int become_nobody(void *arg)
{
	(void)arg;
	return setgid(65534) || setuid(65534);
}

void support_need_second_user(void)
{
	if (support_child_status(become_nobody, NULL, 10000) == 0)
		return;
	say("needs root: a second user\n");
	skip();
}

int support_run_child(int (*body)(void *arg), void *arg, int timeout_ms)
{
	int64_t deadline = tick_after(timeout_ms * TICK_MS);
	int status, error;
	pid_t pid;

	error = child_fork(body, arg, &pid);
	if (error)
		return error;
	do
		error = child_wait(pid, deadline, &status);
	while (error == -EINTR);
	if (error) {
		kill(pid, SIGKILL);
		child_wait(pid, TICK_NEVER, &status);
		return error;
	}
	return status;
}

int support_child_status(int (*body)(void *arg), void *arg, int timeout_ms)
{
	int status = support_run_child(body, arg, timeout_ms);

	return status < 0 ? status : child_exit_code(status);
}

pid_t support_start(int (*body)(void *arg), void *arg, int *ready,
		    int timeout_ms)
{
	int64_t deadline = tick_after(timeout_ms * TICK_MS);
	int fds[2], status;
	ssize_t n;
	char byte;
	pid_t pid;

	assert_int_equal(fdio_pipe(fds), 0);
	*ready = fds[1];
	assert_int_equal(child_fork(body, arg, &pid), 0);
	*ready = 0;
	fdio_close(&fds[1]);
	n = fdio_read_until(fds[0], &byte, 1, deadline);
	fdio_close(&fds[0]);
	if (n != 1) {
		child_end(pid, 0, &status);
		fail_msg("it cannot be used: %zd, status %#x", n, status);
	}
	return pid;
}

void support_kill(pid_t *pid)
{
	int status;

	if (!*pid)
		return;
	kill(*pid, SIGKILL);
	assert_int_equal(child_wait(*pid, TICK_NEVER, &status), 0);
	*pid = 0;
}

bool support_wait_until(bool (*is_true)(void *arg), void *arg, int timeout_ms)
{
	int64_t deadline = tick_after(timeout_ms * TICK_MS);

	while (!is_true(arg)) {
		if (tick_is_over(deadline))
			return is_true(arg);
		tick_sleep_until(tick_after(TICK_MS));
	}
	return true;
}

void support_wait_promised(bool (*is_true)(void *arg), void *arg,
			   int64_t promise_ns)
{
	const int64_t begin = tick_now();
	int64_t late_ns = 0, took_ns = 0;

	while (!is_true(arg) && took_ns < promise_ns + 20 * TICK_S) {
		const int64_t moment = tick_after(TICK_MS);
		int64_t now;

		tick_sleep_until(moment);
		now = tick_now();
		took_ns = now - begin;
		if (now - moment > late_ns)
			late_ns = now - moment;
	}
	if (took_ns > promise_ns + 2 * late_ns)
		fail_msg("it took %lld ms, %lld are promised, and the machine "
			 "was %lld late",
			 (long long)(took_ns / TICK_MS),
			 (long long)(promise_ns / TICK_MS),
			 (long long)(late_ns / TICK_MS));
}

bool support_has_ended(void *pid)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t) * (const pid_t *)pid, &info,
		      WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid != 0;
}

int support_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 3; /* ".", ".." and the directory itself */
}

long support_resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	char line[128], *resident;

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	resident = strchr(line, ' ');
	assert_non_null(resident);
	return strtol(resident, NULL, 10) * sysconf(_SC_PAGESIZE);
}

int support_put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool is_put;

	if (fd < 0)
		return -errno;
	is_put = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return is_put ? 0 : -EIO;
}
