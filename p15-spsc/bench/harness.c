/* One mapping holds all that both sides see: what is to be done, what came of it,
 * and the queues. */
#include "p15-spsc/bench/harness.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/measure/rig.h"
#include "lib/tick.h"
#include "p15-spsc/bench/loops.h"

#define PAGE ((size_t)4096)

struct ground {
	struct contender_run run;
	const struct contender *contender;
	int64_t elapsed_ns;
	void *queue[2];
	struct stats_histogram trips;
};

int64_t harness_now(void)
{
	return tick_now();
}

void harness_record(struct contender_run *run, int64_t ns)
{
	stats_record(run->trips, ns > 0 ? (uint64_t)ns : 0);
}

/* ---- the sides --------------------------------------------------------------- */

static int run_side(void *arg, struct rig_gate *gate)
{
	struct ground *ground = arg;
	const struct contender *contender = ground->contender;
	struct contender_run *run = &ground->run;
	const bool is_first = rig_number(gate) == 0;
	int error = rig_meet(gate);

	if (error)
		return error;
	if (run->trips)
		return (is_first ? contender->lead : contender->follow)(
			ground->queue[0], ground->queue[1], run);
	return (is_first ? contender->produce
			 : contender->consume)(ground->queue[0], run);
}

static int run_both(const struct harness *harness, struct ground *ground)
{
	const struct rig_side side[2] = {{.body = run_side, .arg = ground},
					 {.body = run_side, .arg = ground}};
	const struct rig rig = {
		.side = side,
		.sides = 2,
		.has_threads = !harness->plan.is_shared,
		.cpus = harness->cpus,
		.over = &ground->run.stop,
		.deadline = harness->deadline,
		.grace_ns = harness->plan.is_shared ? TICK_S : 10 * TICK_S,
		.stop_fd = harness->stop_fd,
	};
	struct rig_result result[2];
	int error = rig_run(&rig, result);

	ground->elapsed_ns = result[1].ended_ns - result[1].begun_ns;
	return error;
}

/* Map it all, make the queues, run, and unmap. */
static int run(const struct harness *harness, const struct contender *contender,
	       struct ground **result, size_t *mapped, bool is_round_trip)
{
	const struct contender_plan *plan = &harness->plan;
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
	for (; made < 1 + is_round_trip && !error; made += !error) {
		ground->queue[made] =
			(char *)ground + head + (size_t)made * each;
		/* In memory before the clock runs, also where make() does not
		 * touch it. */
		memset(ground->queue[made], 0, each);
		error = contender->make(ground->queue[made], plan);
	}
	if (!error)
		error = run_both(harness, ground);
	if (error == -EDEADLK)
		return error; /* a thread still has all of it */
	while (contender->unmake && made-- > 0)
		contender->unmake(ground->queue[made]);
	*result = ground;
	return error;
}

int harness_stream(const struct harness *harness,
		   const struct contender *contender, int64_t *elapsed_ns,
		   uint64_t *failed)
{
	struct ground *ground = NULL;
	size_t mapped;
	int error = run(harness, contender, &ground, &mapped, false);

	if (!ground)
		return error;
	*elapsed_ns = ground->elapsed_ns;
	*failed = ground->run.failed;
	munmap(ground, mapped);
	return error;
}

int harness_round_trips(const struct harness *harness,
			const struct contender *contender,
			struct stats_histogram *trips, uint64_t *failed)
{
	struct ground *ground = NULL;
	size_t mapped;
	int error = run(harness, contender, &ground, &mapped, true);

	if (!ground)
		return error;
	stats_merge(trips, &ground->trips);
	*failed = ground->run.failed;
	munmap(ground, mapped);
	return error;
}
