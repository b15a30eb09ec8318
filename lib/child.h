/* child.h - processes: start, wait with a deadline, say how they ended.
 *
 * Two ways to start one. child_spawn() runs a program and costs the same
 * whatever the caller's memory (vfork-class process creation);
 * child_fork() runs a function of ours, for benchmarks and tests. Any thread
 * may call either. Every started child must be waited for here or with
 * waitpid(2), once.
 */
#ifndef UNIXIPC_LIB_CHILD_H
#define UNIXIPC_LIB_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* For in, out, err: what the caller has there, be it closed or close-on-exec. */
#define CHILD_AS_IS (-2)

/* A program to run. Zero it, set argv and the three descriptors. */
struct child_spec {
	const char *file;   /* searched in our PATH; NULL: argv[0] */
	char *const *argv;  /* ends in NULL */
	char *const *envp;  /* NULL: the caller's */
	int in, out, err;   /* become 0, 1, 2; -1 is /dev/null */
	pid_t group;        /* -1: the caller's group; 0: one of its own;
			    * otherwise that group */
	bool keeps_signals; /* the thread's signal mask, and what is ignored */
	const sigset_t *mask; /* kept instead of the thread's; NULL: that */
	const int *closed;    /* n_closed descriptors it must not have */
	size_t n_closed;
};
#define CHILD_SPEC_INIT                                  \
	{                                                \
		.in = 0, .out = 1, .err = 2, .group = -1 \
	}

/* Start it, as execvp(3) would: a file that is no program to the kernel is a
 * script for /bin/sh. The child has 0, 1, 2, and of the caller's other
 * descriptors only those that are not close-on-exec; an empty signal mask; every
 * handled or ignored signal back at its default, but for SIGHUP, SIGINT and
 * SIGQUIT that were ignored (nohup(1), a shell's background jobs). A first start
 * has two descriptors of its own open meanwhile, if they are to be had. Returns
 * 0 and *pid, or -errno with nothing started: -ENOENT (no such program), -EACCES
 * (may not be run), -E2BIG, -EAGAIN (no more processes), ... */
int child_spawn(const struct child_spec *spec, pid_t *pid);

/* Run body(arg) in a child of ours, which ends by child_exit() with what body
 * returns (0 … 255). It gets SIGKILL when its parent dies (the kernel means
 * the thread that called this: start children from one that lasts), and
 * nothing is flushed twice: standard streams are flushed before the fork. */
int child_fork(int (*body)(void *arg), void *arg, pid_t *pid);

/* End a forked child: no atexit handlers, no flushing of the parent's
 * buffers (standard output is flushed first; when that fails a status of
 * 0 becomes 1), coverage written. */
_Noreturn void child_exit(int status);

/* Wait for one child until the deadline. Returns 0 and *status as of
 * waitpid(2), -ETIMEDOUT, -ECHILD, -EINTR when a handler ran, or -EMFILE or
 * -ENFILE. */
int child_wait(pid_t pid, int64_t deadline, int *status);

/* SIGTERM, then SIGKILL after grace_ns, and reap it; handlers that run
 * meanwhile do not cut it short. Returns 0 and *status, or -ECHILD (not a
 * child of ours: nothing was sent). */
int child_end(pid_t pid, int64_t grace_ns, int *status);

/* What a shell would say: the exit status, or 128+N after signal N. */
int child_exit_code(int status);

/* The shell's status for a program that could not be started: 127 when there
 * is none of that name (-ENOENT), 126 otherwise. */
int child_spawn_exit_code(int error);

/* "exited with status 3", "killed by SIGSEGV (core dumped)". */
const char *child_describe(int status, char *buf, size_t size);

/* Bind the calling thread to one CPU; -EINVAL when there is no such CPU or it
 * is not ours to use. */
int child_pin(int cpu);

/* SIGKILL for the caller when parent dies; -ESRCH when it is dead already
 * (the race between fork and this call). */
int child_die_with_parent(pid_t parent);

#endif
