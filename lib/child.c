/* child.c - processes: fork for functions of ours, and pidfds to wait for one
 * of them and nobody else's. Programs are started in child_spawn.c. */
#include "lib/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

/* Of libgcov, when this is a coverage build. */
void __gcov_dump(void) __attribute__((weak));

int child_fork(int (*body)(void *arg), void *arg, pid_t *pid)
{
	pid_t parent = getpid(), child;

	fflush(stdout);
	fflush(stderr);
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		if (child_die_with_parent(parent))
			_exit(128 + SIGKILL);
		child_exit(body(arg));
	}
	*pid = child;
	return 0;
}

void child_exit(int status)
{
	if (fflush(stdout) != 0 && status == 0)
		status = 1;
	if (__gcov_dump)
		__gcov_dump();
	_exit(status);
}

/* 0 and *status when it has ended, -EAGAIN while it runs. */
static int reap(pid_t pid, int *status)
{
	pid_t got = waitpid(pid, status, WNOHANG);

	if (got < 0)
		return -errno;
	return got == 0 ? -EAGAIN : 0;
}

/* Where there are no pidfds: before Linux 5.3, and under valgrind. */
static int wait_by_asking(pid_t pid, int64_t deadline, int *status)
{
	int rc;

	while ((rc = reap(pid, status)) == -EAGAIN) {
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		rc = tick_sleep_until(tick_after(TICK_MS));
		if (rc < 0)
			return rc;
	}
	return rc;
}

int child_wait(pid_t pid, int64_t deadline, int *status)
{
	int pidfd, rc;

	if (pid <= 0)
		return -ECHILD;
	rc = reap(pid, status);
	if (rc != -EAGAIN)
		return rc;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0 && (errno == ENOSYS || errno == EPERM))
		return wait_by_asking(pid, deadline, status);
	if (pidfd < 0)
		return -errno;
	rc = fdio_wait(pidfd, POLLIN, deadline);
	close(pidfd);
	if (rc < 0)
		return rc;
	/* It has ended: this waits only for a debugger to look at it first. */
	return waitpid(pid, status, 0) < 0 ? -errno : 0;
}

int child_end(pid_t pid, int64_t grace_ns, int *status)
{
	int64_t deadline = tick_after(grace_ns);
	int rc;

	if (pid <= 0)
		return -ECHILD;
	/* Only what is certainly a child of ours is sent a signal. */
	rc = reap(pid, status);
	if (rc != -EAGAIN)
		return rc;
	kill(pid, SIGTERM);
	kill(pid, SIGCONT); /* a stopped one would not see it */
	do
		rc = child_wait(pid, deadline, status);
	while (rc == -EINTR);
	if (rc == 0)
		return 0;
	kill(pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int child_exit_code(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return 128 +
	       (WIFSIGNALED(status) ? WTERMSIG(status) : WSTOPSIG(status));
}

int child_spawn_exit_code(int error)
{
	return abs(error) == ENOENT ? 127 : 126;
}

const char *child_describe(int status, char *buf, size_t size)
{
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : WSTOPSIG(status);
	const char *verb = WIFSIGNALED(status) ? "killed" : "stopped";
	const char *core = WIFSIGNALED(status) && WCOREDUMP(status)
				   ? " (core dumped)"
				   : "";
	const char *word = sigabbrev_np(number);

	if (WIFEXITED(status))
		snprintf(buf, size, "exited with status %d",
			 WEXITSTATUS(status));
	else if (word)
		snprintf(buf, size, "%s by SIG%s%s", verb, word, core);
	else
		snprintf(buf, size, "%s by signal %d%s", verb, number, core);
	return buf;
}

int child_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return -EINVAL;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

int child_die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}
