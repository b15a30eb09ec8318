/* verdict.c - the bound of myrwlock.h, for the longest sections that there
 * were, and what the scheduler takes: one wake-up for each step of a wait, each
 * as late as the latest that anybody saw, as members sleep a thousand times a
 * second, and some little more. */
#include "p08-rwlock/cmd/verdict.h"

#include "lib/tick.h"

#define WAKE_UP_NS TICK_MS
/* In a run of less than a second, half of it may be a busy machine. */
#define HALF_FLOOR_NS (500 * TICK_MS)

/* A wake-up for each writer of both groups, for the readers inside and between,
 * and for the waiter. */
static int64_t steps(const struct crowd_plan *plan)
{
	return 2 * (int64_t)plan->writers + 3;
}

static void judge(struct verdict_side *side, const struct crowd *crowd,
		  const struct verdict *verdict, bool is_writer,
		  int64_t late_ns)
{
	const struct crowd_plan *plan = crowd->plan;
	int64_t half_ns = (crowd->ended_ns - crowd->begun_ns) / 2;
	int64_t planned_ns = myrwlock_bound_ns(
		is_writer, plan->writers, plan->read_hold_ns + plan->jitter_ns,
		plan->write_hold_ns + plan->jitter_ns);

	if (half_ns < HALF_FLOOR_NS)
		half_ns = HALF_FLOOR_NS;
	side->bound_ns =
		myrwlock_bound_ns(is_writer, plan->writers,
				  verdict->readers.sum.longest_hold_ns,
				  verdict->writers.sum.longest_hold_ns) +
		steps(plan) * (late_ns + WAKE_UP_NS);
	/* Half of the run is too long however slow the machine was, unless the
	 * sections were meant to be that long. */
	if (side->bound_ns > half_ns && half_ns > planned_ns)
		side->bound_ns = half_ns;
	side->has_starved = side->sum.longest_wait_ns > side->bound_ns;
}

struct verdict verdict_of(const struct crowd *crowd, int64_t late_ns)
{
	struct verdict verdict = {
		.readers = {.sum = crowd_sum(crowd, false)},
		.writers = {.sum = crowd_sum(crowd, true)},
	};

	if (late_ns < verdict.readers.sum.latest_ns)
		late_ns = verdict.readers.sum.latest_ns;
	if (late_ns < verdict.writers.sum.latest_ns)
		late_ns = verdict.writers.sum.latest_ns;
	judge(&verdict.readers, crowd, &verdict, false, late_ns);
	judge(&verdict.writers, crowd, &verdict, true, late_ns);
	verdict.wrong = verdict.readers.sum.wrong + verdict.writers.sum.wrong;
	verdict.is_pass = !verdict.wrong && !verdict.readers.has_starved &&
			  !verdict.writers.has_starved;
	return verdict;
}
