/* pipeline.c - pipe, start, close, for one stage after the other.
 *
 * The pipe between two stages is made right before the first of them is
 * started, and each end is closed right after the stage that got it has been.
 * So only the read end for the next stage is carried on, and the number of
 * descriptors does not grow with the number of stages. Nothing needs closing
 * in the children: every end is close-on-exec, and only the copies made by
 * dup2(2), their 0 and 1, survive.
 *
 * A start that shares memory with its child (lib/child) stops the thread that
 * does it until the child has left by exec, and the second processor would
 * idle. So a long pipeline has two starters: while one is in that pause the
 * other makes the next pipe.
 */
#include "p01-pipeline/pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"

/* From how many stages a second starter gains more than its thread costs. */
enum { STAGES_FOR_TWO = 8 };

/* How long a start that failed halfway waits for stages to heed SIGTERM, and
 * how long SIGKILL may take. */
static const int64_t ABORT_GRACE = TICK_S;
static const int64_t KILL_TIME = 10 * TICK_S;

/* What the starters share. What stands below lock is read and written with the
 * lock held; a stage belongs to the starter that took it. */
struct start {
	struct pipeline *p;
	pthread_mutex_t lock;
	size_t taken; /* stages so far */
	int in;       /* read end for the next stage; -1: the caller's 0 */
	int error;    /* what ended the start, or 0 */
};

static int set_capacity(const struct pipeline *p, int fd)
{
	if (p->pipe_bytes > INT_MAX)
		return -EINVAL;
	if (p->pipe_bytes) {
		int rc = fcntl(fd, F_SETPIPE_SZ, (int)p->pipe_bytes);

		return rc < 0 ? -errno : 0;
	}
	/* The kernel may refuse, where /proc/sys/fs/pipe-* sets a lower
	 * limit. */
	if (p->n <= PIPELINE_SMALL)
		(void)fcntl(fd, F_SETPIPE_SZ, (int)PIPELINE_PIPE_BYTES);
	return 0;
}

/* The pipe behind a stage: its end to write, and the next stage's to read. */
static int make_pipe(const struct pipeline *p, struct pipeline_wiring *wiring)
{
	int fds[2], rc;

	rc = fdio_pipe(fds);
	if (rc)
		return rc;
	rc = set_capacity(p, fds[1]);
	if (rc) {
		close(fds[0]);
		close(fds[1]);
		return rc;
	}
	wiring->next = fds[0];
	wiring->out = fds[1];
	return 0;
}

static bool is_stopped(const struct pipeline *p)
{
	return p->is_stopped && p->is_stopped();
}

/* Take the next stage and wire it. NULL when there is none left, or a stop was
 * asked for. Done under the lock because the read end passes from each stage to
 * the next. */
static struct pipeline_stage *take_stage(struct start *start)
{
	struct pipeline *p = start->p;
	struct pipeline_stage *stage = NULL;

	pthread_mutex_lock(&start->lock);
	if (!start->error && is_stopped(p))
		start->error = -EINTR;
	if (!start->error && start->taken < p->n) {
		stage = &p->stages[start->taken++];
		stage->wiring = (struct pipeline_wiring){start->in, -1, -1};
		if (start->taken < p->n)
			stage->error = make_pipe(p, &stage->wiring);
		start->in = stage->wiring.next;
		start->error = stage->error;
	}
	pthread_mutex_unlock(&start->lock);
	return stage;
}

/* Whether the system ran out of something, and not just this program has a
 * fault of its own. */
static bool is_shortage(int error)
{
	return error == -EAGAIN || error == -ENOMEM || error == -EMFILE ||
	       error == -ENFILE;
}

static void start_stage(struct start *start, struct pipeline_stage *stage)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	int rc;

	spec.argv = stage->argv;
	if (stage->wiring.in >= 0)
		spec.in = stage->wiring.in;
	if (stage->wiring.out >= 0)
		spec.out = stage->wiring.out;
	stage->start = tick_now();
	rc = child_spawn(&spec, &stage->pid);

	pthread_mutex_lock(&start->lock);
	if (rc == 0) {
		stage->is_running = true;
		start->p->running++;
	} else {
		stage->error = rc;
		stage->end = stage->start;
		if (is_shortage(rc))
			start->error = rc;
	}
	pthread_mutex_unlock(&start->lock);
}

/* What each starter does: stage after stage until none is left. */
static void *start_stages(void *arg)
{
	struct start *start = arg;
	struct pipeline_stage *stage;

	while ((stage = take_stage(start))) {
		struct pipeline_wiring ends = stage->wiring;

		if (!stage->error)
			start_stage(start, stage);
		fdio_close(&ends.in);
		fdio_close(&ends.out);
	}
	return NULL;
}

/* A second starter, with all signals blocked: they are the caller's. Without
 * one the start only takes longer. */
static bool start_helper(struct start *start, pthread_t *helper)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	error = pthread_create(helper, NULL, start_stages, start);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error == 0;
}

int pipeline_start(struct pipeline *p)
{
	struct start start = {
		.p = p,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.in = -1,
	};
	pthread_t helper;
	bool has_helper = !p->one_by_one && p->n >= STAGES_FOR_TWO &&
			  start_helper(&start, &helper);

	start_stages(&start);
	if (has_helper)
		pthread_join(helper, NULL);
	pthread_mutex_destroy(&start.lock);
	/* Left over only when the start ended early. */
	fdio_close(&start.in);
	if (start.error)
		pipeline_end(p, ABORT_GRACE);
	return start.error;
}

/* Reap a stage if it has ended. */
static void reap(struct pipeline *p, struct pipeline_stage *stage)
{
	struct rusage used;
	pid_t got = wait4(stage->pid, &stage->status, WNOHANG, &used);

	if (got == 0)
		return;
	if (got < 0)
		stage->is_lost = true;
	else
		stage->cpu_ns =
			(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * TICK_S +
			(used.ru_utime.tv_usec + used.ru_stime.tv_usec) *
				TICK_US;
	stage->end = tick_now();
	stage->is_running = false;
	p->running--;
}

size_t pipeline_reap(struct pipeline *p)
{
	for (size_t i = 0; i < p->n && p->running; i++)
		if (p->stages[i].is_running)
			reap(p, &p->stages[i]);
	return p->running;
}

/* Wait for the end of one process without reaping it. */
static int wait_for(pid_t pid, int64_t deadline)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), rc;

	/* There are none before Linux 5.3 and under valgrind: the caller
	 * comes back and looks again. */
	if (pidfd < 0 && (errno == ENOSYS || errno == EPERM))
		return tick_sleep_until(tick_after(TICK_MS));
	if (pidfd < 0)
		return -errno;
	rc = fdio_wait(pidfd, POLLIN, deadline);
	close(pidfd);
	return rc < 0 ? rc : 0;
}

static int wait_for_all(struct pipeline *p, int64_t deadline)
{
	int rc = 0;

	while (pipeline_reap(p)) {
		const struct pipeline_stage *first = p->stages;

		if (rc)
			return rc;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		while (!first->is_running)
			first++;
		rc = wait_for(first->pid, deadline);
	}
	return 0;
}

int pipeline_wait(struct pipeline *p, int64_t deadline)
{
	int rc = wait_for_all(p, deadline);

	for (size_t i = 0; rc == 0 && i < p->n; i++)
		if (p->stages[i].is_lost)
			rc = -ECHILD;
	return rc;
}

void pipeline_kill(const struct pipeline *p, int number)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->stages[i].is_running)
			kill(p->stages[i].pid, number);
}

/* Signal handlers that run meanwhile do not end the wait. */
static int wait_through(struct pipeline *p, int64_t deadline)
{
	int rc;

	do
		rc = wait_for_all(p, deadline);
	while (rc == -EINTR);
	return rc;
}

int pipeline_end(struct pipeline *p, int64_t grace_ns)
{
	int rc;

	pipeline_kill(p, SIGTERM);
	pipeline_kill(p, SIGCONT); /* a stopped one would not see it */
	rc = wait_through(p, tick_after(grace_ns));
	if (rc == 0)
		return 0;
	pipeline_kill(p, SIGKILL);
	return wait_through(p, tick_after(KILL_TIME));
}

int pipeline_stage_exit_code(const struct pipeline_stage *stage)
{
	if (stage->error)
		return child_spawn_exit_code(stage->error);
	if (stage->is_lost)
		return -ECHILD;
	return child_exit_code(stage->status);
}

int pipeline_exit_code(const struct pipeline *p, bool pipefail)
{
	for (size_t i = p->n; pipefail && i-- > 0;) {
		int code = pipeline_stage_exit_code(&p->stages[i]);

		if (code)
			return code;
	}
	return pipeline_stage_exit_code(&p->stages[p->n - 1]);
}
