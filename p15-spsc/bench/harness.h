/* harness.h - run a contender's two sides, as threads or as processes, each on a
 * CPU of its own, and take the time.
 */
#ifndef UNIXIPC_P15_SPSC_BENCH_HARNESS_H
#define UNIXIPC_P15_SPSC_BENCH_HARNESS_H

#include "lib/stats.h"
#include "p15-spsc/bench/contender.h"

struct harness {
	struct contender_plan plan;
	int cpus[2];      /* of producer and consumer; -1: wherever */
	int64_t deadline; /* of one run, lib/tick */
	int stop_fd; /* readable once a stop was asked for; 0 or less: none */
};

/* Send the plan's items. *elapsed_ns is from the moment when both sides were
 * ready until the consumer had verified the last. Returns 0, -ENOTSUP (the
 * contender cannot do that), -EBADMSG (*failed is the number of the first
 * item that was wrong), -ECHILD (a side was killed), -EINTR on a stop,
 * -ETIMEDOUT, or another -errno. Nothing is left running, but with -EDEADLK
 * (lib/measure/rig.h). */
int harness_stream(const struct harness *harness,
		   const struct contender *contender, int64_t *elapsed_ns,
		   uint64_t *failed);

/* The plan's items go there and back, one at a time; each round trip is added
 * to trips, in ns. Returns as harness_stream(). */
int harness_round_trips(const struct harness *harness,
			const struct contender *contender,
			struct stats_histogram *trips, uint64_t *failed);

#endif
