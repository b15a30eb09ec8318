/* starvation.c - the bound of myrwlock.h, for the longest sections that there
 * were, and what the scheduler takes: one wake-up for each step of a wait, each
 * as late as the latest that anybody saw, as members sleep a thousand times a
 * second, and some little more. */
#include "p08-rwlock/cmd/starvation.h"

#include "lib/tick.h"

#define WAKE_UP_NS TICK_MS
/* In a run of less than a second, half of it may be a busy machine. */
#define HALF_FLOOR_NS (500 * TICK_MS)

/* A wake-up for each writer of both groups, for the readers inside and between,
 * and for the waiter. */
static int64_t steps(const struct load_plan *plan)
{
	return 2 * (int64_t)plan->writers + 3;
}

static void judge(struct starvation_side *side, const struct load *load,
		  const struct starvation *starvation, bool is_writer,
		  int64_t late_ns)
{
	const struct load_plan *plan = load->plan;
	int64_t half_ns = (load->ended_ns - load->begun_ns) / 2;
	int64_t planned_ns = myrwlock_bound_ns(
		is_writer, plan->writers, plan->read_hold_ns + plan->jitter_ns,
		plan->write_hold_ns + plan->jitter_ns);

	if (half_ns < HALF_FLOOR_NS)
		half_ns = HALF_FLOOR_NS;
	side->bound_ns =
		myrwlock_bound_ns(is_writer, plan->writers,
				  starvation->readers.sum.longest_hold_ns,
				  starvation->writers.sum.longest_hold_ns) +
		steps(plan) * (late_ns + WAKE_UP_NS);
	/* Half of the run is too long however slow the machine was, unless the
	 * sections were meant to be that long. */
	if (side->bound_ns > half_ns && half_ns > planned_ns)
		side->bound_ns = half_ns;
	side->has_starved = side->sum.longest_wait_ns > side->bound_ns;
}

struct starvation starvation_check(const struct load *load, int64_t late_ns)
{
	struct starvation starvation = {
		.readers = {.sum = load_sum(load, false)},
		.writers = {.sum = load_sum(load, true)},
	};

	if (late_ns < starvation.readers.sum.latest_ns)
		late_ns = starvation.readers.sum.latest_ns;
	if (late_ns < starvation.writers.sum.latest_ns)
		late_ns = starvation.writers.sum.latest_ns;
	judge(&starvation.readers, load, &starvation, false, late_ns);
	judge(&starvation.writers, load, &starvation, true, late_ns);
	starvation.wrong =
		starvation.readers.sum.wrong + starvation.writers.sum.wrong;
	starvation.is_pass = !starvation.wrong &&
			     !starvation.readers.has_starved &&
			     !starvation.writers.has_starved;
	return starvation;
}
