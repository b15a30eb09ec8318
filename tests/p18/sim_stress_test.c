/* Clusters of Raft cores in a world that a seed makes up (sim.h): as many seeds
 * as 20 s allow, or 3 s with a sanitizer or valgrind. STRESS=1: 200,000 of them.
 * SEED=N: this one, with what happens. timeout: 3600 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/tick.h"
#include "tests/p18/sim.h"
#include "tests/support/support.h"

static void replay(uint64_t seed)
{
	struct sim_result result;

	sim_run(seed, true, &result);
	if (result.fault[0])
		fail_msg("seed %llu: %s", (unsigned long long)seed,
			 result.fault);
}

static void nothing_goes_wrong_whatever_the_seed(void **state)
{
	const char *text = getenv("SEED");
	const int64_t deadline =
		tick_after(support_is_stress() ? TICK_NEVER - 1
			   : support_is_valgrind() || support_is_sanitized()
				   ? 3 * TICK_S
				   : 20 * TICK_S);
	const uint64_t most = support_is_stress() ? 200000 : UINT64_MAX;
	struct sim_result result, all = {0};
	uint64_t seed = 0;

	(void)state;
	if (text) {
		replay(strtoull(text, NULL, 10));
		return;
	}
	while (seed < most && !tick_is_over(deadline)) {
		sim_run(++seed, false, &result);
		if (result.fault[0])
			fail_msg("seed %llu, at %.3f ms: %s\n"
				 "again: SEED=%llu %s",
				 (unsigned long long)seed,
				 (double)result.fault_ns / 1e6, result.fault,
				 (unsigned long long)seed,
				 program_invocation_name);
		all.steps += result.steps;
		all.committed += result.committed;
		all.writes += result.writes;
		all.reads += result.reads;
		all.leaders += result.leaders;
		all.crashes += result.crashes;
		all.snapshots += result.snapshots;
		all.changes += result.changes;
	}
	printf("%llu seeds: %llu steps, %llu leaders, %llu entries committed, "
	       "%llu writes and %llu reads answered, %llu crashes, %llu "
	       "snapshots installed, %llu changes of members\n",
	       (unsigned long long)seed, (unsigned long long)all.steps,
	       (unsigned long long)all.leaders,
	       (unsigned long long)all.committed,
	       (unsigned long long)all.writes, (unsigned long long)all.reads,
	       (unsigned long long)all.crashes,
	       (unsigned long long)all.snapshots,
	       (unsigned long long)all.changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_goes_wrong_whatever_the_seed),
	};

	return SUPPORT_MAIN(tests);
}
