/* measure.h - throughput and latency of a mechanism, between two processes.
 *
 * Both sides are children of the caller, pinned, and killed when the deadline
 * passes or a stop is asked for. Every message starts with a sequence number
 * and a checksum over its bytes; the receiver reads it whole and verifies
 * both, and a mismatch fails the trial: no figure is given for a run that did
 * not carry its data.
 *
 *	throughput  A sends, B receives and verifies, then answers once with
 *	            how many it verified. The clock runs in A from the first
 *	            send until that answer: to the last byte read, not written.
 *	latency     A sends, B verifies and sends back, A verifies; each round
 *	            trip is recorded. Figures are whole round trips.
 *
 * CPU time and context switches are those of both sides (getrusage), between
 * the end of warm-up and the last message.
 *
 * Disturbed: while a block of samples ran (some 5 ms), a hypervisor took time
 * from one of the two CPUs (steal in /proc/stat), a side was switched out
 * though it wanted to run (involuntary switches; not on one CPU, where the
 * sides switch each other), or others wanted to run and had no CPU besides
 * ours. Such blocks are thrown away, counted and run again, until there are
 * as many samples as were asked for or three times as many were tried; a
 * stream is run again once. When too few others are left the figures hold
 * them all, and the trial says so.
 */
#ifndef UNIXIPC_LIB_MEASURE_MEASURE_H
#define UNIXIPC_LIB_MEASURE_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/measure/mechanism.h"

#define MEASURE_MESSAGE_MIN 16 /* sequence and checksum */
#define MEASURE_MESSAGE_MAX (UINT64_C(64) << 20)
#define MEASURE_TRIALS_MAX 99
#define MEASURE_UNSTABLE 0.10 /* spread beyond which a row is marked */

enum measure_placement { MEASURE_TWO_CPUS, MEASURE_ONE_CPU, MEASURE_UNPINNED };

struct measure_options {
	size_t message_bytes;
	uint64_t iterations; /* messages one way; round trips: a tenth of
			      * it, 1,000 at least and no more than it */
	uint64_t warmup;     /* messages before the clock starts; 0: a tenth of
			      * iterations, at most 10,000 */
	int trials;
	enum measure_placement placement;
	int cpus[2];      /* A's and B's; MEASURE_ONE_CPU uses the first */
	int64_t max_ns;   /* of one trial; a trial that would take longer is
			   * cut down to fewer messages, and says so by its
			   * counts; 0: no limit */
	int64_t deadline; /* of everything, lib/tick */
	int stop_fd;      /* readable once a stop was asked for (lib/cmd/stop);
			   * 0: none */
};
#define MEASURE_OPTIONS_INIT                                              \
	{                                                                 \
		.message_bytes = 1024, .iterations = 100000, .trials = 3, \
		.cpus = {0, 1}, .max_ns = INT64_C(6000000000),            \
		.deadline = INT64_MAX                                     \
	}

/* One trial of both measurements. Times in ns, counts per message. */
struct measure_trial {
	uint64_t messages, round_trips; /* that the figures rest on */
	double bytes_per_s, messages_per_s;
	double rtt_mean, rtt_p50, rtt_p99, rtt_p999, rtt_max;
	double cpu_ns;     /* per message, both sides, while streaming */
	double switches;   /* context switches per message, streaming */
	double rtt_cpu_ns; /* per round trip */
	double rtt_switches;
	uint64_t disturbed; /* messages and round trips thrown away */
	bool is_disturbed;  /* the figures hold disturbed samples as well */
};

struct measure_result {
	const struct mechanism *mechanism;
	struct measure_options options;
	int error; /* -errno when there are no figures, and why */
	char why[160];
	int trials;
	struct measure_trial *trial;          /* [trials] */
	struct measure_trial median;          /* field by field */
	double spread_throughput, spread_rtt; /* lib/stats; rtt: of the p50 */
	bool is_unstable;                     /* one of the two is over 10 % */
};

/* Measure one mechanism. Returns 0 when result holds figures or a stated
 * reason (error, why), -EINTR on a stop (nothing is to be shown then),
 * -ETIMEDOUT when the deadline passed, or -errno. result must be given to
 * measure_free() in any case. */
int measure_run(const struct mechanism *mechanism,
		const struct measure_options *options,
		struct measure_result *result);
void measure_free(struct measure_result *result);

/* The same in steps, for callers who interleave mechanisms, so that a change
 * of the weather hits all of them: begin each (a message size that cannot be
 * carried becomes the row's error here), run a trial of each, and again, then
 * end each. A row with an error skips its further trials. Return as
 * measure_run does. */
int measure_begin(const struct mechanism *mechanism,
		  const struct measure_options *options,
		  struct measure_result *result);
int measure_round(struct measure_result *result);
void measure_end(struct measure_result *result);

/* The round trip of one cache line between the two CPUs, in ns: the physical
 * limit that every figure of a run should be read against. Takes about
 * 50 ms. Returns 0, -ENODEV (both are the same CPU) or -errno. */
int measure_line_rtt(const struct measure_options *options, double *ns);

#endif
