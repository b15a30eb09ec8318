/* The barrier under signals, pauses, deaths and removals at random points.
 * STRESS=1: many times as often. */
#include "p11-barrier/sysv_barrier.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/p11/fixture.h"

enum { KEY = 0x11223345 };

static void run_rounds(unsigned int participants, unsigned int rounds,
		       bool is_interrupted, int64_t pause_ns, uint64_t seed)
{
	struct ground *ground = ground_make(participants, rounds);

	ground->is_interrupted = is_interrupted;
	ground->pause_ns = pause_ns;
	ground_start(ground, participant_run_rounds, seed);
	ground_end(ground);
	assert_int_equal(ground->serial, rounds);
	ground_remove(ground);
}

static void many_rounds_lose_nobody(void **state)
{
	unsigned int rounds = support_is_stress() ? 200000 : 300;

	(void)state;
	run_rounds(2, rounds, false, 0, 0);
	run_rounds(5, rounds, false, 0, 0);
}

static void signals_disturb_no_round(void **state)
{
	(void)state;
	run_rounds(4, support_is_stress() ? 100000 : 300, true, 0, 0);
}

static void random_pauses_disturb_no_round(void **state)
{
	(void)state;
	run_rounds(4, support_is_stress() ? 20000 : 100, true, 2 * TICK_MS, 7);
}

/* ---- death ---- */

/* Meet until told that the barrier is broken; then look at the clock. */
static int run_until_broken(void *arg)
{
	struct participant *participant = arg;
	struct sysv_barrier barrier;
	struct rng rng;
	int rc;

	rng_seed(&rng, participant->seed);
	if (participant_join(participant, &barrier))
		return 1;
	do {
		if (rng_below(&rng, 4) == 0)
			tick_sleep_until(
				tick_after((int64_t)rng_below(&rng, 100000)));
		participant->ground->at[participant->index]++;
		rc = participant_meet(participant, &barrier);
	} while (rc == 0 || rc == SYSV_BARRIER_SERIAL);
	if (rc != SYSV_BARRIER_BROKEN || !participant->ground->died_ns)
		return 2;
	participant->ground->notified_ns[participant->index] = tick_now();
	/* And it stays so. */
	return participant_meet(participant, &barrier) == SYSV_BARRIER_BROKEN
		       ? 0
		       : 3;
}

static bool have_all_joined(void *arg)
{
	const struct ground *ground = arg;

	return ground->joined == ground->participants;
}

/* How long until the last was told. */
static int64_t kill_one(struct rng *rng)
{
	struct ground *ground = ground_make(4, 0);
	unsigned int victim =
		(unsigned int)rng_below(rng, ground->participants);
	int64_t slowest_ns = 0, span_ns;

	ground_start(ground, run_until_broken, rng_next(rng));
	/* Who has not joined is no participant, and breaks nothing. */
	assert_true(support_wait_until(have_all_joined, ground, 10000));
	tick_sleep_until(tick_after((int64_t)rng_below(rng, 2000000)));
	ground->died_ns = tick_now();
	kill(ground->pid[victim], SIGKILL);
	for (unsigned int i = 0; i < ground->participants; i++) {
		assert_int_equal(ground_end_one(ground, i),
				 i == victim ? 128 + SIGKILL : 0);
		span_ns = ground->notified_ns[i] - ground->died_ns;
		if (i != victim && span_ns > slowest_ns)
			slowest_ns = span_ns;
	}
	ground_remove(ground);
	return slowest_ns;
}

static void two_hundred_deaths_at_random_points_tell_all_others(void **state)
{
	int rounds = support_is_stress() ? 5000 : 200, late = 0;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 11);
	for (int i = 0; i < rounds; i++)
		late += kill_one(&rng) > TICK_S;
	/* A second is the promise. A busy machine may have all of us wait for a
	 * processor that long, but not most of the time. */
	assert_true(late <= rounds / 2);
}

/* ---- destroy ---- */

static int destroy_if_serial(void *arg)
{
	struct participant *participant = arg;
	struct sysv_barrier barrier;
	int rc = sysv_barrier_join(&barrier, participant->ground->id);

	if (rc)
		return 1;
	rc = sysv_barrier_wait_until(&barrier, tick_after(LIMIT));
	if (rc == SYSV_BARRIER_SERIAL)
		return sysv_barrier_destroy(barrier.id) ? 2 : 0;
	return rc ? 3 : 0;
}

static void destroying_right_after_the_last_wait_harms_nobody(void **state)
{
	int times = support_is_stress() ? 5000 : 100;

	(void)state;
	for (int i = 0; i < times; i++) {
		struct ground *ground = ground_make(5, 1);

		ground_start(ground, destroy_if_serial, 0);
		ground_end(ground);
		ground_leave(ground);
	}
}

/* ---- making and finding ---- */

/* Each tries to create; who cannot, opens. */
static int race(void *arg)
{
	struct ground *ground = ((struct participant *)arg)->ground;
	int64_t deadline = tick_after(LIMIT);
	struct sysv_barrier barrier;
	int id = sysv_barrier_create(KEY, ground->participants, 0600), rc;

	if (id < 0 && id != -EBUSY)
		return 1;
	do
		rc = sysv_barrier_open(&barrier, KEY, deadline);
	while (rc == -ENOENT && !tick_is_over(deadline));
	if (rc)
		return 2;
	rc = sysv_barrier_wait_until(&barrier, deadline);
	if (rc == SYSV_BARRIER_SERIAL)
		return sysv_barrier_destroy(barrier.id) ? 3 : 0;
	return rc ? 4 : 0;
}

static void one_of_many_at_once_creates_and_all_meet(void **state)
{
	int times = support_is_stress() ? 5000 : 100;

	(void)state;
	for (int i = 0; i < times; i++) {
		struct ground *ground = ground_make(4, 1);

		ground_start(ground, race, 0);
		ground_end(ground);
		ground_remove(ground);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_rounds_lose_nobody),
		cmocka_unit_test(signals_disturb_no_round),
		cmocka_unit_test(random_pauses_disturb_no_round),
		cmocka_unit_test(
			two_hundred_deaths_at_random_points_tell_all_others),
		cmocka_unit_test(
			destroying_right_after_the_last_wait_harms_nobody),
		cmocka_unit_test(one_of_many_at_once_creates_and_all_meet),
	};
	return SUPPORT_MAIN(tests);
}
