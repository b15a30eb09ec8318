#include "p11-barrier/cmd/participant.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "p11-barrier/cmd/checker.h"
#include "p11-barrier/sysv_barrier.h"

static bool tell(const struct participant *participant, enum checker_kind kind,
		 unsigned int round, int error)
{
	struct checker_record record = {
		.kind = kind,
		.participant = participant->number,
		.round = round,
		.error = error,
		.at_ns = tick_now(),
	};

	return fdio_write_full(participant->records, &record, sizeof(record)) ==
	       0;
}

static bool dies_in(const struct participant *participant, unsigned int round)
{
	return participant->number == participant->plan->killed &&
	       round == (participant->plan->rounds + 1) / 2;
}

/* Whether another dies inside that round, which this one is to keep from being
 * complete before. */
static bool comes_late_to(const struct participant *participant,
			  unsigned int round)
{
	const struct participant_plan *plan = participant->plan;

	return plan->is_inside &&
	       participant->number == (plan->killed == 1) + 1U &&
	       round == (plan->rounds + 1) / 2;
}

/* Until what is asked for is so, or the plan's time is over. */
static bool await(const struct participant *participant,
		  bool (*is_so)(const struct sysv_barrier_state *look))
{
	int64_t deadline = tick_after(participant->plan->timeout_ns);
	struct sysv_barrier_state look;

	while (sysv_barrier_look(participant->id, &look) == 0 &&
	       !is_so(&look)) {
		if (tick_is_over(deadline))
			return false;
		tick_sleep_until(tick_after(TICK_MS));
	}
	return true;
}

static bool is_broken(const struct sysv_barrier_state *look)
{
	return look->is_broken;
}

static bool are_all_but_one_inside(const struct sysv_barrier_state *look)
{
	return look->arrived == look->count - 1;
}

/* A thread of the participant that dies: the other one waits at the barrier. */
static void *die_inside(void *arg)
{
	const struct participant *participant = arg;

	if (await(participant, are_all_but_one_inside)) {
		tell(participant, CHECKER_DYING_INSIDE,
		     (participant->plan->rounds + 1) / 2, 0);
		raise(SIGKILL);
	}
	return NULL;
}

static void prepare_to_die(struct participant *participant, unsigned int round)
{
	pthread_t thread;

	if (!participant->plan->is_inside) {
		tell(participant, CHECKER_DYING, round, 0);
		raise(SIGKILL);
	}
	/* Without the thread it lives, which the checker sees. */
	if (pthread_create(&thread, NULL, die_inside, participant) == 0)
		pthread_detach(thread);
}

/* One round; whether to go on. */
static bool meet(struct participant *participant, struct sysv_barrier *barrier,
		 unsigned int round, struct rng *rng)
{
	const struct participant_plan *plan = participant->plan;
	int64_t pause, deadline;
	int rc;

	if (plan->jitter_ns) {
		pause = (int64_t)rng_below(rng, (uint64_t)plan->jitter_ns + 1);
		if (tick_sleep_until(tick_after(pause)))
			return false;
	}
	if (dies_in(participant, round) && !plan->is_inside)
		prepare_to_die(participant, round);
	if (comes_late_to(participant, round))
		await(participant, is_broken);
	if (!tell(participant, CHECKER_REACHED, round, 0))
		return false;
	if (dies_in(participant, round))
		prepare_to_die(participant, round);
	/* No handler of ours interrupts it, but Ctrl-Z and fg do: semop(2) is
	 * not restarted after a stop. */
	deadline = tick_after(plan->timeout_ns);
	do
		rc = sysv_barrier_wait_until(barrier, deadline);
	while (rc == -EINTR);
	if (rc == SYSV_BARRIER_SERIAL || rc == 0)
		return tell(participant, rc ? CHECKER_SERIAL : CHECKER_PASSED,
			    round, 0);
	tell(participant, CHECKER_FAILED, round, rc);
	return false;
}

int participant_run(void *arg)
{
	struct participant *participant = arg;
	struct sysv_barrier barrier;
	struct rng rng;
	int rc;

	/* Ctrl-C and a hangup are for the parent, which ends us; SIGTERM sent
	 * to us alone is a death like any other. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	/* Or the parent's end would outlive it. */
	close(participant->other_end);
	rng_seed(&rng, participant->plan->seed + participant->number);
	rc = sysv_barrier_join(&barrier, participant->id);
	if (rc) {
		tell(participant, CHECKER_FAILED, 1, rc);
		return EXIT_FAILURE;
	}
	for (unsigned int i = 1; i <= participant->plan->rounds; i++)
		if (!meet(participant, &barrier, i, &rng))
			return EXIT_FAILURE;
	return sysv_barrier_close(&barrier) ? EXIT_FAILURE : EXIT_SUCCESS;
}
