#include "p11-barrier/cmd/member.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "p11-barrier/cmd/referee.h"
#include "p11-barrier/sysv_barrier.h"

static bool tell(const struct member *member, enum referee_kind kind,
		 unsigned int round, int error)
{
	struct referee_record record = {
		.kind = kind,
		.member = member->number,
		.round = round,
		.error = error,
		.at_ns = tick_now(),
	};

	return fdio_write_full(member->records, &record, sizeof(record)) == 0;
}

/* One round; whether to go on. */
static bool meet(const struct member *member, struct sysv_barrier *barrier,
		 unsigned int round, struct rng *rng)
{
	const struct member_plan *plan = member->plan;
	int64_t pause;
	int rc;

	if (plan->jitter_ns) {
		pause = (int64_t)rng_below(rng, (uint64_t)plan->jitter_ns + 1);
		if (tick_sleep_until(tick_after(pause)))
			return false;
	}
	if (member->number == plan->killed && round == (plan->rounds + 1) / 2) {
		tell(member, REFEREE_DYING, round, 0);
		raise(SIGKILL);
	}
	if (!tell(member, REFEREE_REACHED, round, 0))
		return false;
	rc = sysv_barrier_wait_until(barrier, tick_after(plan->timeout_ns));
	if (rc == SYSV_BARRIER_SERIAL || rc == 0)
		return tell(member, rc ? REFEREE_SERIAL : REFEREE_PASSED, round,
			    0);
	tell(member, REFEREE_FAILED, round, rc);
	return false;
}

int member_run(void *arg)
{
	const struct member *member = arg;
	struct sysv_barrier barrier;
	struct rng rng;
	int rc;

	/* Ctrl-C is for the parent, which ends us; SIGTERM sent to us alone is
	 * a death like any other. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	/* Or the parent's end would outlive it. */
	close(member->other_end);
	rng_seed(&rng, member->plan->seed + member->number);
	rc = sysv_barrier_join(&barrier, member->id);
	if (rc) {
		tell(member, REFEREE_FAILED, 1, rc);
		return EXIT_FAILURE;
	}
	for (unsigned int i = 1; i <= member->plan->rounds; i++)
		if (!meet(member, &barrier, i, &rng))
			return EXIT_FAILURE;
	return sysv_barrier_close(&barrier) ? EXIT_FAILURE : EXIT_SUCCESS;
}
