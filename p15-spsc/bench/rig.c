/* One mapping holds all that both sides see: what is to be done, the meeting
 * place where they start together, what came of it, and the queues. */
#include "p15-spsc/bench/rig.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "p15-spsc/bench/loops.h"

#define PAGE ((size_t)4096)
#define LOOK (20 * TICK_MS)

struct ground {
	struct contender_run run;
	const struct contender *contender;
	const struct rig *rig;
	atomic_uint ready;
	int64_t elapsed_ns;
	_Atomic int error[2];
	void *queue[2];
	struct stats_histogram trips;
};

struct side {
	struct ground *ground;
	int index; /* 0: producer, or leader */
	pid_t pid;
	pthread_t thread;
	bool is_running;
};

int64_t rig_now(void)
{
	return tick_now();
}

void rig_record(struct contender_run *run, int64_t ns)
{
	stats_record(run->trips, ns > 0 ? (uint64_t)ns : 0);
}

/* ---- a side ------------------------------------------------------------------ */

static void meet(struct ground *ground)
{
	unsigned int tries = 0;

	/* Acq_rel and acquire: a meeting, for both directions. */
	atomic_fetch_add_explicit(&ground->ready, 1, memory_order_acq_rel);
	while (atomic_load_explicit(&ground->ready, memory_order_acquire) < 2)
		if (!loops_go_on(&ground->run, &tries))
			return;
}

static int do_part(struct ground *ground, int index)
{
	const struct contender *contender = ground->contender;
	struct contender_run *run = &ground->run;

	if (run->trips)
		return (index == 0 ? contender->lead : contender->follow)(
			ground->queue[0], ground->queue[1], run);
	return (index == 0 ? contender->produce
			   : contender->consume)(ground->queue[0], run);
}

static int run_side(struct ground *ground, int index)
{
	int cpu = ground->rig->cpus[index];
	int64_t start;
	int error = cpu < 0 ? 0 : child_pin(cpu);

	meet(ground);
	start = tick_now();
	if (!error)
		error = do_part(ground, index);
	if (index == 1)
		ground->elapsed_ns = tick_now() - start;
	/* Relaxed: the end of thread or process orders it for the reader. */
	atomic_store_explicit(&ground->error[index], error,
			      memory_order_relaxed);
	if (error)
		__atomic_store_n(&ground->run.stop, 1, __ATOMIC_RELAXED);
	return error != 0;
}

static int run_process(void *arg)
{
	struct side *side = arg;

	return run_side(side->ground, side->index);
}

static void *run_thread(void *arg)
{
	run_process(arg);
	return NULL;
}

/* ---- both -------------------------------------------------------------------- */

static int start(struct side *side)
{
	int error;

	if (side->ground->rig->plan.is_shared)
		error = child_fork(run_process, side, &side->pid);
	else
		error = -pthread_create(&side->thread, NULL, run_thread, side);
	side->is_running = error == 0;
	return error;
}

/* Wait a little for it; -ETIMEDOUT while it runs. */
static int await(struct side *side)
{
	int64_t until = tick_after(LOOK);
	struct timespec ts = tick_to_timespec(until);
	int status, error;

	if (!side->ground->rig->plan.is_shared) {
		error = -pthread_clockjoin_np(side->thread, NULL,
					      CLOCK_MONOTONIC, &ts);
	} else {
		error = child_wait(side->pid, until, &status);
		if (!error && status && !side->ground->error[side->index])
			side->ground->error[side->index] = -ECHILD;
	}
	side->is_running = error == -ETIMEDOUT || error == -EINTR;
	return error;
}

static bool is_stop_asked(const struct rig *rig)
{
	struct pollfd stop = {.fd = rig->stop_fd, .events = POLLIN};

	return poll(&stop, 1, 0) > 0;
}

/* Wait for both. A thread cannot be killed: it is asked, and it looks. */
static int finish(struct ground *ground, struct side side[2])
{
	const struct rig *rig = ground->rig;
	int64_t grace = TICK_NEVER;
	int error = 0, status;

	while (side[0].is_running || side[1].is_running) {
		for (int i = 0; i < 2; i++)
			if (side[i].is_running)
				await(&side[i]);
		if (!error && is_stop_asked(rig))
			error = -EINTR;
		if (!error && tick_is_over(rig->deadline))
			error = -ETIMEDOUT;
		/* One has failed, or shall: the other has a second to notice. */
		if ((error || ground->error[0] || ground->error[1]) &&
		    grace == TICK_NEVER) {
			__atomic_store_n(&ground->run.stop, 1,
					 __ATOMIC_RELAXED);
			grace = tick_after(TICK_S);
		}
		for (int i = 0; i < 2 && tick_is_over(grace); i++)
			if (side[i].is_running && rig->plan.is_shared) {
				child_end(side[i].pid, 0, &status);
				side[i].is_running = false;
			}
	}
	return error;
}

/* What follows from something else: a partner that closed, or who was told to
 * stop, which is the least. */
static int weight(int error)
{
	return error == 0 ? 0 : error == -EINTR ? 1 : error == -EPIPE ? 2 : 3;
}

/* Which error to tell: the one that was first, not what followed from it. */
static int first_error(const struct ground *ground)
{
	int a = ground->error[0], b = ground->error[1];

	return weight(b) > weight(a) ? b : a;
}

static int run_both(struct ground *ground)
{
	struct side side[2] = {{.ground = ground, .index = 0},
			       {.ground = ground, .index = 1}};
	int error = start(&side[0]), finished;

	if (!error)
		error = start(&side[1]);
	if (error)
		ground->error[1] = error;
	finished = finish(ground, side);
	return finished ? finished : first_error(ground);
}

/* Map it all, make the queues, run, and unmap. */
static int run(const struct rig *rig, const struct contender *contender,
	       struct ground **result, size_t *mapped, bool is_round_trip)
{
	const struct contender_plan *plan = &rig->plan;
	const size_t head = (sizeof(struct ground) + PAGE - 1) & -PAGE;
	size_t each;
	struct ground *ground;
	int error = 0, made = 0;

	if (contender->can && !contender->can(plan))
		return -ENOTSUP;
	each = (contender->bytes(plan) + PAGE - 1) & -PAGE;
	*mapped = head + 2 * each;
	ground = mmap(NULL, *mapped, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ground == MAP_FAILED)
		return -errno;
	ground->run.plan = *plan;
	ground->run.trips = is_round_trip ? &ground->trips : NULL;
	ground->contender = contender;
	ground->rig = rig;
	for (; made < 1 + is_round_trip && !error; made += !error) {
		ground->queue[made] =
			(char *)ground + head + (size_t)made * each;
		/* In memory before the clock runs, also where make() does not
		 * touch it. */
		memset(ground->queue[made], 0, each);
		error = contender->make(ground->queue[made], plan);
	}
	if (!error)
		error = run_both(ground);
	while (contender->unmake && made-- > 0)
		contender->unmake(ground->queue[made]);
	*result = ground;
	return error;
}

int rig_stream(const struct rig *rig, const struct contender *contender,
	       int64_t *elapsed_ns, uint64_t *failed)
{
	struct ground *ground = NULL;
	size_t mapped;
	int error = run(rig, contender, &ground, &mapped, false);

	if (!ground)
		return error;
	*elapsed_ns = ground->elapsed_ns;
	*failed = ground->run.failed;
	munmap(ground, mapped);
	return error;
}

int rig_round_trips(const struct rig *rig, const struct contender *contender,
		    struct stats_histogram *trips, uint64_t *failed)
{
	struct ground *ground = NULL;
	size_t mapped;
	int error = run(rig, contender, &ground, &mapped, true);

	if (!ground)
		return error;
	stats_merge(trips, &ground->trips);
	*failed = ground->run.failed;
	munmap(ground, mapped);
	return error;
}
