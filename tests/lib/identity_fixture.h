/* identity_fixture.h - processes in namespaces of their own, and with a pid that
 * another one had. One test program includes it once. */
#ifndef UNIXIPC_TESTS_LIB_IDENTITY_FIXTURE_H
#define UNIXIPC_TESTS_LIB_IDENTITY_FIXTURE_H

#include "lib/identity.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/identity_proc.h"
#include "lib/tick.h"
#include "tests/support/unshare.h"

enum {
	CHILD_MS = 20000,
	/* What a body in namespaces returns; 0 is well. */
	NOT_PERMITTED = 77,
};

/* Tests in children cannot assert: they say what was not so, and return. */
#define EXPECT(condition)                                                  \
	do {                                                               \
		if (!(condition)) {                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
				#condition);                               \
			return 1;                                          \
		}                                                          \
	} while (0)

struct inside {
	int flags; /* of unshare(2) */
	bool keeps_proc;
	const char *time_offset; /* "boottime SECONDS NANOSECONDS" */
	int (*body)(void *arg);
	void *arg;
};

/* The parent of process 1 has no pid there, which child_fork() takes for a
 * parent that is dead. */
static inline int status_of_fork(int (*body)(void *arg), void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child_exit(body(arg));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return child_exit_code(status);
}

static inline int mount_proc(void *arg)
{
	const struct inside *inside = arg;

	if (inside->flags & CLONE_NEWNS &&
	    mount("", "/", "", MS_REC | MS_PRIVATE, "") < 0)
		return NOT_PERMITTED;
	if (inside->flags & CLONE_NEWPID && !inside->keeps_proc &&
	    mount("proc", "/proc", "proc", 0, "") < 0)
		return NOT_PERMITTED;
	return inside->body(inside->arg);
}

/* A PID or time namespace is for the children of who makes it. */
static inline int make_namespaces(void *arg)
{
	const struct inside *inside = arg;

	if (unshare_as_anybody(inside->flags))
		return NOT_PERMITTED;
	if (inside->time_offset &&
	    support_put_text("/proc/self/timens_offsets", inside->time_offset))
		return NOT_PERMITTED;
	return status_of_fork(mount_proc, arg);
}

/* Run body in namespaces; its status. */
static inline int status_inside(struct inside inside)
{
	int status = support_child_status(make_namespaces, &inside, CHILD_MS);

	if (status == NOT_PERMITTED) {
		print_message("namespaces are not permitted here\n");
		skip();
	}
	return status;
}

/* fork(2) with the pid that was asked for: clone3(2), set_tid. */
static inline pid_t fork_as(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&pid,
		.set_tid_size = 1,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Memory for what a body has to tell. */
static inline void *shared_memory(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static inline void sleep_until_killed(void)
{
	for (;;)
		pause();
}

static inline pid_t start_sleeper(pid_t pid)
{
	pid_t child = pid ? fork_as(pid) : fork();

	if (child == 0)
		sleep_until_killed();
	return child;
}

static inline void kill_and_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Kill it and wait until it is a zombie. */
static inline void make_zombie(pid_t pid)
{
	siginfo_t info;

	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
}

static inline bool has_later_start(void *arg)
{
	const uint64_t *start = arg;
	const pid_t child = start_sleeper(0);
	const uint64_t now = identity_start_time(child);

	kill_and_reap(child);
	return now != *start;
}

/* Until processes that start now have another start time than that. */
static inline void wait_for_next_tick(uint64_t start)
{
	assert_true(support_wait_until(has_later_start, &start, 20000));
}

#endif
