/* pipeline.h - programs in a row, the output of each the input of the next.
 *
 *	struct pipeline_stage stages[] = {{.argv = ls}, {.argv = wc}};
 *	struct pipeline p = {.stages = stages, .n = 2};
 *
 *	rc = pipeline_start(&p);
 *	if (rc == 0)
 *		rc = pipeline_wait(&p, deadline);
 *
 * A stage has the caller's 0, 1 and 2, except where a pipe takes their place,
 * and what else the caller has without close-on-exec: never an end of another
 * stage's pipe (UNP2 4.3, pipe(7)). When pipeline_start() returns the caller
 * holds no end at all, so that every reader sees the end of file when its
 * writer ends, and every writer EPIPE. Stages belong to the caller's process
 * group, begin with an empty signal mask, and are nobody's to wait for but
 * this module's.
 *
 * One pipeline belongs to one thread at a time; several may run at once.
 */
#ifndef UNIXIPC_P01_PIPELINE_PIPELINE_H
#define UNIXIPC_P01_PIPELINE_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Small pipelines get pipes of this size where the system allows it: the
 * 128 KB that cat(1) writes at a time then do not wait halfway. */
#define PIPELINE_PIPE_BYTES (UINT32_C(256) << 10)
#define PIPELINE_SMALL 16

/* Descriptors that a start needs at most. Two starters have each the two ends
 * that they give to their stage, and the pipe over which a child reports a
 * failed exec until lib/child knows that memory is shared; the ninth is the
 * read end for the next stage. */
enum { PIPELINE_START_FDS = 9 };

/* How a stage was wired: the caller's descriptors while it was started. -1
 * where there was none. */
struct pipeline_wiring {
	int in;   /* became its 0; closed here afterwards */
	int out;  /* became its 1; closed here afterwards */
	int next; /* read end of the same pipe, kept for the next stage */
};

struct pipeline_stage {
	char *const *argv; /* the caller's; argv[0] is searched in PATH */

	/* What became of it. */
	pid_t pid;       /* 0: could not be started, see error */
	int error;       /* -errno of pipe(2), fork or exec */
	int status;      /* as of waitpid(2), when it has ended */
	bool is_running; /* started, and not yet waited for */
	bool is_lost; /* ended, and its status is lost: see pipeline_wait() */
	int64_t start, end; /* moments of lib/tick */
	int64_t cpu_ns;     /* user and system time, with its children */
	struct pipeline_wiring wiring;
};

struct pipeline {
	struct pipeline_stage *stages; /* zeroed, but for argv */
	size_t n;                      /* at least 1 */
	size_t pipe_bytes; /* capacity of each pipe; 0: PIPELINE_PIPE_BYTES for
			    * up to PIPELINE_SMALL stages, else the kernel's */
	bool one_by_one;   /* start with one thread only: descriptors get the
			    * same numbers in every run */
	int (*is_stopped)(void); /* whether to end the start; asked, one call
				  * at a time, by whichever thread starts the
				  * next stage. NULL: never */
	size_t running;          /* stages not yet waited for */
};

/* Start all stages. At most PIPELINE_START_FDS descriptors are open for it at
 * any time, however many there are. A program that cannot be run (none of that
 * name, not executable, arguments too long) is noted in its stage's error and
 * the others run: its neighbours meet the end of file and EPIPE. Where the
 * system ends (-EAGAIN: processes, -EMFILE, -ENOMEM; -EPERM for pipe_bytes)
 * what was started is ended and waited for, the stage concerned has the error,
 * and so does the return value. The same is done, with -EINTR, when
 * is_stopped() says so, before a stage or after the last: a signal that comes
 * in between, to us or to our group, has not reached stages that were not there
 * yet. Blocks as long as the starts last, and then no longer than
 * pipeline_end() with a second's grace. Returns 0 or that -errno. */
int pipeline_start(struct pipeline *p);

/* Wait until every stage has ended, or the deadline. A stage is seen to have
 * ended when those before it have. Returns 0, -ETIMEDOUT, -EINTR when a handler
 * ran, or -errno of pidfd_open(2), and may be called again after each of them;
 * or -ECHILD: all have ended, but how some did is lost, as SIGCHLD is ignored
 * or somebody else has waited for them. */
int pipeline_wait(struct pipeline *p, int64_t deadline);

/* Reap the stages that have ended, without waiting. Called at each SIGCHLD it
 * makes end times exact, and it needs no descriptor. Returns how many still
 * run. */
size_t pipeline_reap(struct pipeline *p);

/* Send the signal to each stage that runs. */
void pipeline_kill(const struct pipeline *p, int number);

/* End the pipeline: SIGTERM, SIGKILL after grace_ns, and wait. Handlers that
 * run meanwhile do not cut that short. Returns 0, or -ETIMEDOUT when a stage
 * has survived SIGKILL for 10 s (it is another user's, or hangs in the
 * kernel). */
int pipeline_end(struct pipeline *p, int64_t grace_ns);

/* What a shell would say of a stage, and of all: the last stage's exit
 * status, or with pipefail that of the last one that failed; -ECHILD when it is
 * lost. */
int pipeline_stage_exit_code(const struct pipeline_stage *stage);
int pipeline_exit_code(const struct pipeline *p, bool pipefail);

#ifdef __cplusplus
}
#endif

#endif
